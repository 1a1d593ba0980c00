/* One thread, one queue. A cursor has one chunk ahead, so it is in the queue at most once. */
#include "analyze/log/ahead.h"

#include <pthread.h>

enum slot_state { SLOT_EMPTY, SLOT_WANTED, SLOT_LOADED };

struct slot {
    enum slot_state state;
    const struct log_chunk *chunk;
    void *payload;
    size_t capacity;
    int error;
};

struct ahead {
    const struct log *log;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wanted, loaded;
    bool stop;
    size_t count;
    struct slot *slots;
    size_t *queue, first, length; /* a ring of `count` slots' numbers */
};

static void *run(void *data)
{
    struct ahead *a = data;

    pthread_mutex_lock(&a->lock);
    for (;;) {
        while (!a->stop && !a->length)
            pthread_cond_wait(&a->wanted, &a->lock);
        if (a->stop)
            break;
        struct slot *slot = &a->slots[a->queue[a->first]];
        a->first = (a->first + 1) % a->count;
        a->length--;
        pthread_mutex_unlock(&a->lock);
        slot->payload = make_room_for(slot->payload, &slot->capacity, (size_t)slot->chunk->payload_bytes + 1);
        slot->error = log_load(a->log, slot->chunk, slot->payload);
        pthread_mutex_lock(&a->lock);
        slot->state = SLOT_LOADED;
        pthread_cond_signal(&a->loaded);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

struct ahead *ahead_make(const struct log *log, size_t count)
{
    struct ahead *a = alloc_zeroed(1, sizeof *a);

    a->log = log;
    a->count = count;
    a->slots = alloc_zeroed(count, sizeof *a->slots);
    a->queue = alloc_zeroed(count, sizeof *a->queue);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->wanted, NULL);
    pthread_cond_init(&a->loaded, NULL);
    if (count && pthread_create(&a->thread, NULL, run, a) == 0)
        return a;
    free(a->slots);
    free(a->queue);
    free(a);
    return NULL;
}

void ahead_free(struct ahead *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    a->stop = true;
    pthread_cond_signal(&a->wanted);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    for (size_t i = 0; i < a->count; i++)
        free(a->slots[i].payload);
    free(a->slots);
    free(a->queue);
    free(a);
}

void ahead_want(struct ahead *a, size_t cursor, const struct log_chunk *chunk)
{
    struct slot *slot = &a->slots[cursor];

    pthread_mutex_lock(&a->lock);
    slot->state = SLOT_WANTED;
    slot->chunk = chunk;
    a->queue[(a->first + a->length++) % a->count] = cursor;
    pthread_cond_signal(&a->wanted);
    pthread_mutex_unlock(&a->lock);
}

int ahead_take(struct ahead *a, size_t cursor, void **payload, size_t *capacity)
{
    struct slot *slot = &a->slots[cursor];
    struct slot old = { .payload = *payload, .capacity = *capacity };

    pthread_mutex_lock(&a->lock);
    while (slot->state != SLOT_LOADED)
        pthread_cond_wait(&a->loaded, &a->lock);
    pthread_mutex_unlock(&a->lock);
    int error = slot->error;
    *payload = slot->payload;
    *capacity = slot->capacity;
    *slot = old;
    return error;
}

void ahead_rest(struct ahead *a, size_t cursor)
{
    struct slot *slot = &a->slots[cursor];

    free(slot->payload);
    slot->payload = NULL;
    slot->capacity = 0;
}
