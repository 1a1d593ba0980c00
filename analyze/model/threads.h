/* The threads of a session and what each allocated. A thread is told apart by its
 * process and tid; a stream of the log may have several, one after the other, and a
 * thread several streams (its signal handlers'). */
#ifndef MALLOSCOPE_MODEL_THREADS_H
#define MALLOSCOPE_MODEL_THREADS_H

#include "analyze/log/index.h"
#include "analyze/util.h"

struct thread {
    uint32_t process, tid; /* process: index in the log */
    char *name; /* the last that it had; "" unknown */
};

struct threads {
    struct thread *of;
    size_t count, capacity;
    struct index by_tid; /* the latest of its process and tid */
};

/* A thread that begins; `nested`: that may have begun already. Its index. */
uint32_t threads_begin(struct threads *t, uint32_t process, uint32_t tid, bool nested, const char *name, size_t name_bytes);
void threads_name(struct threads *t, uint32_t thread, const char *name, size_t bytes);
void threads_release(struct threads *t);

#endif
