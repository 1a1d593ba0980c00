/* Everything that a report says about a session, from one ordered pass over its
 * events. Memory grows with live blocks and distinct stacks, never with events.
 *
 * What the words mean (docs/glossary.md):
 *   allocation  a call that returned a block; a successful realloc is one free
 *               and one allocation of the new size
 *   temporary   freed by its own thread before that thread allocated again
 *   leaked      still allocated when its process ended
 *   peak        the largest sum of live bytes over all processes at one time
 *
 * Where allocations were sampled (settings.sample_bytes), all these are estimates
 * from those that were recorded. Where not every allocation was recorded, temporary
 * is not known. */
#ifndef MALLOSCOPE_MODEL_FACTS_H
#define MALLOSCOPE_MODEL_FACTS_H

#include "analyze/log/log.h"
#include "analyze/model/blocks.h"
#include "analyze/model/code.h"
#include "analyze/model/notes.h"
#include "analyze/model/settings.h"
#include "analyze/model/sizes.h"
#include "analyze/model/stacks.h"

struct facts_process {
    uint32_t pid, ppid;
    uint64_t image;
    uint64_t pid_namespace, began, parent_image; /* as in its process-start record; 0: unknown */
    unsigned start; /* rec_start */
    char *exe;       /* path */
    char *arguments; /* joined by spaces; "" unknown */
    char *allocator; /* path of the module that has the real malloc */
    char *call_graph;
    char *other_malloc; /* path of the module whose malloc its calls reach instead of the recorder's; "" none */
    bool started;    /* its process-start record was found */
    bool running;    /* when the log was opened */
    bool status_known;
    uint32_t wait_status; /* as waitpid's */
    uint32_t threads;
    uint64_t first_ns, last_ns;
    bool paused;     /* recording is, from paused_since_ns on */
    uint64_t paused_since_ns, paused_ns; /* paused_ns: in all; allocations then are not in the log */
    uint32_t pauses;
    uint64_t allocations, allocated_bytes;
    uint64_t leaked_blocks, leaked_bytes;

    struct blocks blocks; /* live ones */
    uint64_t live_bytes;  /* in units */
    uint32_t root;        /* of its stacks */
    uint32_t open_streams;
};

/* What was allocated with one stack, or by one site. */
struct node_counts {
    uint64_t allocations, bytes, temporary;
    uint64_t leaked_blocks, leaked_bytes;
};

struct facts {
    uint64_t allocations, frees, failed, temporary;
    uint64_t by_function[REC_FN_COUNT]; /* successful calls; realloc counts once */
    uint64_t allocated_bytes;
    uint64_t peak_bytes, peak_blocks, peak_ns; /* peak_ns: since the session's start */
    uint64_t leaked_bytes, leaked_blocks;
    uint64_t threads, duration_ns;
    uint64_t events; /* allocations and frees read */
    uint64_t recorded; /* allocations among them */
    struct { double allocations, bytes, leaked_blocks, leaked_bytes; } variance; /* of these estimates; 0 if not sampled */

    /* How far all this can be trusted. */
    uint64_t lost_events;
    uint32_t lost_reason;     /* errno value or REC_STOP_LIMIT, 0: logging did not end early */
    uint64_t unmatched_frees; /* of addresses that were not known to be live */
    uint64_t inherited_frees; /* the same in a forked child, of blocks from its parent */
    uint64_t unseen_frees;    /* blocks whose address was allocated again */
    /* Allocations with such a stack. */
    uint64_t partial_stacks, cut_stacks, guessed_stacks, fallback_stacks, differing_stacks;
    bool stacks_checked; /* in a process at least, every stack against libunwind's */
    uint32_t max_depth;  /* the largest of all processes: frames that are recorded at most; 0: unknown */
    uint64_t recorder_thread_bytes; /* the largest: what recording took for each thread; 0: unknown */
    uint64_t bad_chunks, bad_offset;
    bool was_paused; /* a process at least */

    struct settings settings;
    struct notes notes;
    struct sizes sizes;
    struct stacks stacks;
    struct node_counts *nodes; /* by stack node; in settings.unit, so that they can be summed */
    size_t node_capacity;
    struct code code;
    struct facts_process *processes; /* as the log's */
    size_t process_count;
    uint32_t *by_start; /* the processes that recorded, in the order of their starts */
    size_t by_start_count;
};

struct facts *facts_collect(const struct log *log);
void facts_free(struct facts *facts);

#endif
