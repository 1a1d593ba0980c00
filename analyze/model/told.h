/* What a log tells in words: its processes, threads, code, marks and notes. All that
 * is counted is in facts.h.
 *
 * Filled by one thread as it reads the events (model/feed.c); nobody else looks into
 * it until the reading has ended, but to see what became of a process of which all is told. */
#ifndef MALLOSCOPE_MODEL_TOLD_H
#define MALLOSCOPE_MODEL_TOLD_H

#include "analyze/log/reader.h"
#include "analyze/model/code.h"
#include "analyze/model/notes.h"
#include "analyze/model/stacks.h"
#include "analyze/model/threads.h"

struct told_process {
    uint32_t pid, ppid;
    uint64_t image;
    uint64_t pid_namespace, began, parent_image; /* as in its process-start record; 0: unknown */
    unsigned start; /* rec_start */
    char *exe;       /* path */
    char *arguments; /* joined by spaces; "" unknown */
    char *allocator; /* path of the module that has the real malloc */
    char *call_graph;
    char *other_malloc; /* path of the module whose malloc its calls reach instead of the recorder's; "" none */
    char *own_heap;  /* path of its executable, whose malloc is not exported and takes the calls from there; NULL: none */
    bool started;    /* its process-start record was found; else the texts are NULL */
    bool running;    /* when the log was opened */
    bool exited;       /* by exit() or a return from main: it said so itself */
    bool left;         /* by _exit or a call like that, which runs no destructors */
    bool quick;        /* and that is quick_exit */
    bool awaited, status_known; /* awaited: by the launcher */
    uint32_t wait_status; /* as waitpid's */
    uint32_t threads;
    uint64_t first_ns, last_ns; /* of its events; after facts_collect() last_ns is when it ended, where that is told, or the part does */
    bool paused;     /* recording is, from paused_since_ns on */
    uint64_t paused_since_ns, paused_ns; /* paused_ns: in all; allocations then are not in the log */
};

struct told {
    struct told_process *processes; /* as the log's */
    size_t process_count;
    struct threads threads;
    uint64_t thread_count; /* that began */
    struct stacks stacks; /* of all processes, by `code` */
    uint32_t root;        /* of stacks */
    struct code code;
    struct notes notes;
    uint64_t lost_events;
    bool stacks_checked;  /* in a process at least, every stack against libunwind's */
    bool was_paused;      /* a process at least */
    uint32_t max_depth;   /* the largest of all processes: frames that are recorded at most; 0: unknown */
    uint64_t recorder_thread_bytes; /* the largest: what recording took for each thread; 0: unknown */
};

void told_begin(struct told *t, const struct log *log);
void told_end(struct told *t);
void told_release(struct told *t);

/* It called exit() or returned from main, or its status says so. To be asked when all is told of it. */
bool told_has_exited(const struct told_process *p);

/* Takes in an EVENT_OTHER; but threads begin by threads_begin(). */
void told_take(struct told *t, const struct timed_event *e);

#endif
