/* What all threads of the traced process share, and the session that it records
 * into.
 *
 * struct process lives in memory that the kernel zeroes in a forked child, as do
 * all contexts: a child finds itself not started and starts anew, without any
 * check in the hooks. struct session is kept across fork: same log, same
 * settings. Fields are written by outside/start.c, and by atomics where said. */
#ifndef MALLOSCOPE_INSIDE_PROCESS_H
#define MALLOSCOPE_INSIDE_PROCESS_H

#include "format/layout.h"
#include "interpose/inside/kept_file.h"
#include "interpose/inside/modules.h"
#include "interpose/inside/pcs.h"

#include <stdatomic.h>

struct context;

enum process_state {
    PROCESS_NEW = 0, /* also after a fork */
    PROCESS_STARTING,
    PROCESS_RECORDING,
    PROCESS_OFF, /* nothing can be recorded, or no more; see the live header */
};

struct process {
    _Atomic int state;
    uint32_t pid;
    uint64_t image;
    _Atomic uint32_t context_count;       /* slots and streams handed out */
    struct context *_Atomic contexts;     /* insert-only list */
    _Atomic uint32_t orphan_search_at;    /* contexts at which to look for threads that died unseen */
    struct module_table modules;
    struct pc_table pcs;
};

enum call_graph { CALL_GRAPH_NONE, CALL_GRAPH_AUTO, CALL_GRAPH_LIBUNWIND, CALL_GRAPH_FP };

/* What of a program's children is recorded. */
enum follow { FOLLOW_EXEC, FOLLOW_FORK, FOLLOW_NONE };
/* See select.h. */
struct selection {
    bool on;              /* not everything is recorded, or was not at some time */
    volatile bool paused;
    bool knows_recorded;  /* the set of blocks has those that are recorded; else those that are not */
    uint64_t sample_bytes; /* on average from one sample to the next; 0: no sampling */
    uint64_t min_size;     /* bytes */
};

struct session {
    struct selection selection;
    struct kept_file log;
    /* Of this process; in a forked child the parent's, until it has its own. */
    struct kept_file live_file;
    struct rec_live_header *live; /* mapped shared */
    struct kept_file maps;        /* /proc/self/maps of this process; for memory_map.h */
    uint8_t id[16];
    enum call_graph call_graph;
    uint32_t max_depth; /* frames of a stack that are logged, at most WALK_DEPTH_MAX */
    bool walks;         /* by walk.h; the last stack can be the answer */
    bool check_stacks;  /* each is compared with libunwind's */
    bool had_threads; /* more than one, at some time */
    enum follow follow;
    bool unrecorded;  /* this program, or this forked child, by `follow` */
    char exe[4096];
};

extern struct process *process; /* set before the first event, then constant */
extern struct session session;

/* Memory that a forked child finds zeroed. NULL: there is none. */
void *process_map_wiped(size_t bytes);

/* Adds to the count of events that could not be logged: a child that cannot get a
 * live file counts in its parent's. */
void process_count_lost(uint64_t events);

/* No event is logged from here on; error (errno value) says why. */
void process_stop(int error);

#endif
