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
    uint64_t guest_start;                 /* not 0: our slots are in the parent's live file; see rec_live_slot */
    _Atomic uint32_t context_count;       /* streams handed out */
    struct context *_Atomic contexts;     /* insert-only list */
    struct context *_Atomic wiped;        /* the parent's, in a forked child: as good as new */
    _Atomic uint32_t orphan_search_at;    /* contexts at which to look for threads that died unseen */
    _Atomic uint32_t starting;            /* threads on their way to a context */
    _Atomic uint32_t file_epoch;          /* its lowest bit says in which of the two counts ... */
    _Atomic uint32_t file_users[2];          /* threads between a look at a kept file's number and its use */
    /* For the time when the program has forbidden itself system calls: */
    uint8_t *reserved;
    size_t reserved_bytes;
    _Atomic size_t reserved_used;
    uint8_t *first_reserved_slot;
    uint32_t reserved_slots;
    _Atomic uint32_t reserved_slots_used;
    struct module_table modules;
    struct pc_table pcs;
};

enum call_graph { CALL_GRAPH_NONE, CALL_GRAPH_AUTO, CALL_GRAPH_LIBUNWIND, CALL_GRAPH_FP };

/* What of a program's children is recorded. */
enum follow { FOLLOW_EXEC, FOLLOW_ALL, FOLLOW_FORK, FOLLOW_NONE };
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
    struct kept_file log; /* where chunks are appended: the log, or its spool */
    bool spools;          /* it is the spool: somebody packs what is in it into the log */
    char path[4096];      /* the log's, absolute */
    uint64_t max_bytes;   /* that the log may have; 0: no limit */
    /* Of this process; in a forked child the parent's, until it has its own. */
    struct kept_file live_file;
    struct rec_live_header *live; /* mapped shared */
    struct kept_file maps;        /* /proc/self/maps of this process; for memory_map.h */
    struct kept_file unwinder_pipe[2]; /* libunwind's, by which it tests addresses: it writes to it unasked */
    uint64_t image; /* process->image; in a forked child that has not begun yet, its parent's */
    uint8_t id[16];
    enum call_graph call_graph;
    uint32_t max_depth; /* frames of a stack that are logged, at most WALK_DEPTH_MAX */
    bool walks;         /* by walk.h; the last stack can be the answer */
    bool check_stacks;  /* each is compared with libunwind's */
    volatile bool may_load_unwinder; /* it is not there yet; a stack that needs it may bring it in */
    bool had_threads; /* more than one, at some time */
    _Atomic uint32_t unwinder_loader; /* the process in which some thread loads it; 0: none, or none that is waited for */
    _Atomic uint32_t forking;         /* threads that are in fork */
    enum follow follow;
    bool unrecorded;  /* this program, or this forked child, by `follow` */
    char exe[4096];
};

extern struct process *process; /* set before the first event, then constant */
extern struct session session;

/* Memory that a forked child finds zeroed. NULL: there is none. Where system calls
 * are forbidden it comes from what was reserved, and is not given back. */
void *process_map_wiped(size_t bytes);
void process_unmap_wiped(void *at, size_t bytes);
void process_reserve_wiped(size_t bytes);

/* Does the same in a forked child whose parent was careful (sys.h): all contexts that the parent
 * had, but for orphans, are as good as new. */
void process_wipe(void);

/* The calling thread's id, without a system call where those are forbidden. */
uint32_t process_thread_id(void);

/* Adds to the count of events that could not be logged: a child that cannot get a
 * live file counts in its parent's. */
void process_count_lost(uint64_t events);

/* Adds to the count of programs of which no record could be written, or takes one back. */
void process_count_untraced(int64_t programs);

/* A thread cannot record for want of memory or a clock, which is no reason to stop the others;
 * for any other error as process_stop. */
void process_lack(int error);

/* No event is logged from here on; error (errno value) says why. */
void process_stop(int error);

#endif
