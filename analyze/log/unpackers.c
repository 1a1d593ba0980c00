#include "analyze/log/unpackers.h"

#include "analyze/log/log.h"
#include "analyze/util.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

struct idle {
    struct unpacker *unpacker;
    uint8_t *packed;
    size_t packed_bytes; /* of room */
    struct idle *next;
};

struct unpackers {
    pthread_mutex_t lock;
    struct idle *idle;
};

struct unpackers *unpackers_make(void)
{
    struct unpackers *u = alloc_zeroed(1, sizeof *u);

    pthread_mutex_init(&u->lock, NULL);
    return u;
}

void unpackers_free(struct unpackers *u)
{
    if (!u)
        return;
    for (struct idle *i = u->idle, *next; i; i = next) {
        next = i->next;
        unpacker_free(i->unpacker);
        free(i->packed);
        free(i);
    }
    pthread_mutex_destroy(&u->lock);
    free(u);
}

static struct idle *take_idle(struct unpackers *u)
{
    pthread_mutex_lock(&u->lock);
    struct idle *i = u->idle;
    if (i)
        u->idle = i->next;
    pthread_mutex_unlock(&u->lock);
    if (!i) {
        i = alloc_zeroed(1, sizeof *i);
        i->unpacker = unpacker_make();
    }
    return i;
}

static void put_idle(struct unpackers *u, struct idle *i)
{
    pthread_mutex_lock(&u->lock);
    i->next = u->idle;
    u->idle = i;
    pthread_mutex_unlock(&u->lock);
}

static int read_packed(struct idle *i, int fd, uint64_t offset, uint32_t packed_bytes)
{
    i->packed = make_room_for(i->packed, &i->packed_bytes, (size_t)packed_bytes + 1);
    return log_read_at(fd, i->packed, packed_bytes, offset);
}

/* Of a packed payload that is to come to payload_bytes. */
static int read_sound(struct idle *i, int fd, uint64_t offset, uint32_t packed_bytes, uint32_t payload_bytes)
{
    struct rec_packed_header header;
    int error = packed_bytes < sizeof header ? -EBADMSG : read_packed(i, fd, offset, packed_bytes);

    if (error)
        return error;
    memcpy(&header, i->packed, sizeof header);
    /* The file may have changed since its header was looked at. */
    return header.payload_bytes == payload_bytes ? 0 : -EBADMSG;
}

int unpackers_load(struct unpackers *u, int fd, uint64_t offset, uint32_t packed_bytes, void *payload,
                   uint32_t payload_bytes)
{
    struct idle *i = take_idle(u);
    int error = read_sound(i, fd, offset, packed_bytes, payload_bytes);

    if (!error)
        error = unpacker_unpack(i->unpacker, i->packed, packed_bytes, payload);
    put_idle(u, i);
    return error;
}

int unpackers_columns(struct unpackers *u, int fd, uint64_t offset, uint32_t packed_bytes, uint32_t payload_bytes, void **columns,
                      size_t *capacity)
{
    struct idle *i = take_idle(u);
    int error = read_sound(i, fd, offset, packed_bytes, payload_bytes);

    *columns = make_room_for(*columns, capacity, 1); /* there is something in any case */
    if (!error)
        error = unpacker_columns(i->unpacker, i->packed, packed_bytes, columns, capacity);
    put_idle(u, i);
    return error;
}

int unpackers_sizes(struct unpackers *u, int fd, uint64_t offset, uint32_t packed_bytes,
                    columns_add *add, void *data, uint64_t *ret_events)
{
    struct idle *i = take_idle(u);
    int error = read_packed(i, fd, offset, packed_bytes);

    if (!error)
        error = unpacker_sizes(i->unpacker, i->packed, packed_bytes, add, data, ret_events);
    put_idle(u, i);
    return error;
}
