/* The threads of a session and what each allocated. A thread is told apart by its
 * process and tid; a stream of the log may have several, one after the other, and a
 * thread several streams (its signal handlers'). Memory: 16 bytes for each, and up to 12 to find it. */
#ifndef MALLOSCOPE_MODEL_THREADS_H
#define MALLOSCOPE_MODEL_THREADS_H

#include "analyze/hash_table.h"
#include "analyze/util.h"

struct thread {
    uint32_t process, tid; /* process: index in the log */
    const char *name; /* the last that it had, one of threads.names; "" unknown */
};

struct threads {
    struct thread *of;
    size_t count, capacity;
    uint32_t *by_tid; /* 1 + index of the latest of its process and tid, open addressing; 0: an empty place */
    size_t by_tid_used, by_tid_capacity;
    char **names; /* each once: most threads are called as others are */
    size_t name_count, name_capacity;
    struct hash_table name_table;
};

/* A thread that begins; `nested`: that may have begun already. Its index. */
uint32_t threads_begin(struct threads *t, uint32_t process, uint32_t tid, bool nested, const char *name, size_t name_bytes);
void threads_name(struct threads *t, uint32_t thread, const char *name, size_t bytes);
void threads_release(struct threads *t);

#endif
