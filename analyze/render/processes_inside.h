/* What the files that show processes share. */
#ifndef MALLOSCOPE_RENDER_PROCESSES_INSIDE_H
#define MALLOSCOPE_RENDER_PROCESSES_INSIDE_H

#include "analyze/render/processes.h"

#include "analyze/model/endings.h"
#include "analyze/model/process_tree.h"

struct sum {
    uint64_t processes, allocations, bytes, leaked_bytes;
};

struct row {
    enum { ROW_PROCESS, ROW_OWN_MALLOC, ROW_OWN_HEAP, ROW_UNTRACED, ROW_UNTRACED_MORE, ROW_MORE } kind;
    uint32_t which; /* place of the process (of the one above), or index in notes.untraced */
    unsigned level, beyond; /* beyond: levels that were not indented */
    bool is_last;   /* child of its parent */
    uint64_t open;  /* levels whose line goes on below */
    struct sum sum; /* ROW_MORE; of ROW_UNTRACED_MORE only processes */
};

struct rows {
    struct row *rows;
    size_t count, capacity;
};

struct view {
    const struct facts *facts;
    struct process_tree tree;
    enum ending *endings; /* by process */
    bool *shown;       /* by place; all: NULL */
    struct sum *more;  /* by place: what is not shown below it; the last is for roots */
    size_t *untraced;  /* by process index: where its own begin in notes.untraced */
    struct rows rows;
};

/* processes_rows.c: the rows, those with the most bytes and who started them if there are too many. */
void processes_rows_make(struct view *v);
#define PROCESSES_SHOWN 20

/* programs.c: a row for each program, whatever processes it ran in. */
void programs_print(const struct facts *f);

static inline const struct facts_process *process_at(const struct facts *f, uint32_t place)
{
    return &f->processes[f->by_start[place]];
}

static inline void add_process(struct sum *sum, const struct facts_process *p)
{
    sum->processes++;
    sum->allocations += p->allocations;
    sum->bytes += p->allocated_bytes;
    sum->leaked_bytes += p->leaked_bytes;
}

static inline void add_sum(struct sum *sum, const struct sum *more)
{
    sum->processes += more->processes;
    sum->allocations += more->allocations;
    sum->bytes += more->bytes;
    sum->leaked_bytes += more->leaked_bytes;
}

#endif
