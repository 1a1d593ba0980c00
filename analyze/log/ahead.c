/* One thread, one queue of pieces of work. A piece is in its cursor's list from when it is wanted
 * until it is taken, and in the queue from then until the thread gets to it. */
#include "analyze/log/ahead.h"

#include <pthread.h>

#define IDLE_MOST 32
#define IDLE_BYTES_MOST ((size_t)1 << 20)

#define TURN 2 /* so many are wanted before the thread is woken, unless one is waited for: each switch costs */

struct piece {
    const struct log_chunk *chunk;
    void *payload;
    size_t capacity;
    int error;
    bool as_columns, is_loaded;
    struct piece *next_of_cursor, *next;
};

struct list {
    struct piece *first, *last;
};

struct ahead {
    const struct log *log;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wanted, loaded;
    bool stop;
    size_t count;
    struct list *cursors;
    struct list queue;
    size_t queued;
    struct piece *idle; /* whose memory serves again */
    size_t idle_count;
};

static void load(const struct log *log, struct piece *piece)
{
    if (piece->as_columns) {
        piece->error = log_load_columns(log, piece->chunk, &piece->payload, &piece->capacity);
        return;
    }
    piece->payload = make_room_for(piece->payload, &piece->capacity, (size_t)piece->chunk->payload_bytes + 1);
    piece->error = log_load(log, piece->chunk, piece->payload);
}

static void *run(void *data)
{
    struct ahead *a = data;

    pthread_mutex_lock(&a->lock);
    for (;;) {
        while (!a->stop && !a->queue.first)
            pthread_cond_wait(&a->wanted, &a->lock);
        if (a->stop)
            break;
        struct piece *piece = a->queue.first;
        a->queue.first = piece->next;
        a->queued--;
        pthread_mutex_unlock(&a->lock);
        load(a->log, piece);
        pthread_mutex_lock(&a->lock);
        piece->is_loaded = true;
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
    a->cursors = alloc_zeroed(count, sizeof *a->cursors);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->wanted, NULL);
    pthread_cond_init(&a->loaded, NULL);
    if (count && pthread_create(&a->thread, NULL, run, a) == 0)
        return a;
    free(a->cursors);
    free(a);
    return NULL;
}

static void free_piece(struct piece *piece)
{
    free(piece->payload);
    free(piece);
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
        for (struct piece *piece = a->cursors[i].first, *next; piece; piece = next) {
            next = piece->next_of_cursor;
            free_piece(piece);
        }
    for (struct piece *piece = a->idle, *next; piece; piece = next) {
        next = piece->next;
        free_piece(piece);
    }
    free(a->cursors);
    free(a);
}

static struct piece *take_idle(struct ahead *a)
{
    struct piece *piece = a->idle;

    if (!piece)
        return alloc_zeroed(1, sizeof *piece);
    a->idle = piece->next;
    a->idle_count--;
    piece->next = piece->next_of_cursor = NULL;
    piece->is_loaded = false;
    return piece;
}

void ahead_want(struct ahead *a, size_t cursor, const struct log_chunk *chunk, bool as_columns)
{
    struct piece *piece = take_idle(a);
    struct list *mine = &a->cursors[cursor];

    piece->chunk = chunk;
    piece->as_columns = as_columns;
    *(mine->first ? &mine->last->next_of_cursor : &mine->first) = piece;
    mine->last = piece;
    pthread_mutex_lock(&a->lock);
    *(a->queue.first ? &a->queue.last->next : &a->queue.first) = piece;
    a->queue.last = piece;
    if (++a->queued >= TURN)
        pthread_cond_signal(&a->wanted);
    pthread_mutex_unlock(&a->lock);
}

/* Some are kept, so that the next ones need no new memory. */
static void put_idle(struct ahead *a, struct piece *piece)
{
    if (a->idle_count == IDLE_MOST || piece->capacity > IDLE_BYTES_MOST) {
        free_piece(piece);
        return;
    }
    piece->next = a->idle;
    a->idle = piece;
    a->idle_count++;
}

bool ahead_is_columns(const struct ahead *a, size_t cursor)
{
    return a->cursors[cursor].first->as_columns;
}

int ahead_take(struct ahead *a, size_t cursor, void **payload, size_t *capacity)
{
    struct piece *piece = a->cursors[cursor].first;
    void *old = *payload;
    size_t old_capacity = *capacity;

    a->cursors[cursor].first = piece->next_of_cursor;
    pthread_mutex_lock(&a->lock);
    if (!piece->is_loaded)
        pthread_cond_signal(&a->wanted);
    while (!piece->is_loaded)
        pthread_cond_wait(&a->loaded, &a->lock);
    pthread_mutex_unlock(&a->lock);
    int error = piece->error;
    *payload = piece->payload;
    *capacity = piece->capacity;
    piece->payload = old;
    piece->capacity = old_capacity;
    put_idle(a, piece);
    return error;
}
