/* What a session's processes noted beside their allocations: marks that the
 * program set, programs that could not be recorded, libraries whose allocations
 * may have gone elsewhere. */
#ifndef MALLOSCOPE_MODEL_NOTES_H
#define MALLOSCOPE_MODEL_NOTES_H

#include "analyze/log/reader.h"

#define NOTES_MARKS_MAX 10000 /* more are only counted: a program may mark each turn of a loop */
#define NOTES_LIBRARIES_MAX 1000

struct note_mark {
    char *name;
    uint64_t ns; /* CLOCK_MONOTONIC */
    uint32_t process;
    uint64_t live_bytes; /* of the process, then; filled by facts_collect() */
};

struct note_untraced {
    char *path;
    uint32_t pid;     /* of the process that ran it ... */
    uint32_t process; /* ... and the one that told of it */
    unsigned reason;  /* rec_untraced */
    uint64_t count;   /* the same program, executed by the same process */
};

struct notes {
    struct note_mark *marks;
    size_t mark_count, mark_capacity;
    uint64_t marks_seen, marks_from_ns; /* earlier ones are left out */
    struct note_untraced *untraced; /* in the end by process, path and reason, each once */
    size_t untraced_count, untraced_capacity;
    uint64_t untraced_programs; /* executions */
    char **deepbind; /* paths of libraries, each once */
    size_t deepbind_count, deepbind_capacity;
};

void notes_take(struct notes *n, const struct timed_event *e);
void notes_end(struct notes *n);
void notes_release(struct notes *n);

#endif
