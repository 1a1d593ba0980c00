/* Stacks, or their call sites, of one log or several, under names that mean the same in
 * all of them: functions (render/identity.h) and the file names of their modules, without
 * directories. So where a program was loaded, how often it was rebuilt, and on which lines
 * its functions are do not matter; nor whether a log's names come with source files, as
 * far as those are needed: a function without one is the first of its name. What has no function is told by its module and the address in it,
 * what is in no file only as such.
 *
 * A log is needed while it is added, and not after that. Memory grows with distinct names
 * and stacks. */
#ifndef MALLOSCOPE_RENDER_BY_NAME_H
#define MALLOSCOPE_RENDER_BY_NAME_H

#include "analyze/hash_table.h"
#include "analyze/model/cost.h"
#include "analyze/model/facts.h"
#include "analyze/render/namer.h"

#include <jansson.h>

#define BY_NAME_SIDES 2
#define BY_NAME_CALLERS 3
#define BY_NAME_LINE_VARIES UINT32_MAX

struct by_name_options {
    bool stacks; /* whole ones; else only the frame that asked for memory (render/frames.h) */
    bool lines;  /* source lines are part of a name */
};

struct by_name_frame {
    char *module;   /* "" none */
    char *function; /* or "module+0x1234", "(no file)", "(no stack)" */
    char *signature; /* with parameters, if it has them */
    char *source;   /* file without directories; "" unknown. Of the last log, if it is no part of the name */
    char *path;     /* the same as the compiler named it; NULL: unknown */
    char *old_path; /* likewise, of the first side, where the second has another; else NULL */
    char *home;     /* where the first log's tree of sources would have it */
    uint32_t line;  /* 0: unknown, or no part of the name */
    bool is_named;  /* there was a function */
    bool is_real;   /* it was met where it was not inlined */
    bool is_overload;    /* of the first of its name: others have it, too, and another signature */
    uint32_t namesake;   /* the first of its module and name */
    uint32_t log;        /* the last that it was met in */
};

struct by_name_row {
    uint32_t *frames;   /* in the table's, the innermost first */
    size_t frame_count; /* of a site: itself and some callers in its heaviest stack */
    uint32_t *lines[BY_NAME_SIDES]; /* of each frame; 0: unknown, BY_NAME_LINE_VARIES: it is not one */
    uint64_t costs[BY_NAME_SIDES][COST_COUNT];
    uint64_t leaked_blocks[BY_NAME_SIDES], reallocations[BY_NAME_SIDES];
    uint32_t logs[BY_NAME_SIDES]; /* in how many of the side's it was met */
    /* While a log is added: */
    struct stack_costs pending; /* in its units */
    uint64_t pending_reallocations; /* likewise */
    uint64_t heaviest_bytes;
    bool is_pending;
};

struct by_name {
    struct by_name_options options;
    struct by_name_frame *frames;
    size_t frame_count, frame_capacity;
    struct by_name_row *rows;
    size_t row_count, row_capacity;
    struct hash_table frame_table, row_table;
    struct hash_table name_table, signature_table; /* the first frame of each, in its module */
    uint32_t log_count;
    unsigned side; /* of the last */
    char *main_path; /* the source of the first log's program's main; NULL: unknown */
    char *program; /* the first log's first program */
    char *renamed; /* the other side's, that counts as the same module under another name; NULL: none */
};

/* How a log is to be added. */
struct by_name_source {
    unsigned side;
    struct facts *facts;
    const struct namer *namer;
    bool (*wanted)(void *data, uint32_t leaf); /* NULL: all stacks are */
    void *wanted_data;
};

void by_name_init(struct by_name *b, const struct by_name_options *options);
void by_name_release(struct by_name *b);
void by_name_add(struct by_name *b, const struct by_name_source *source);

/* By their names, for qsort. */
int by_name_order(const struct by_name *b, const struct by_name_row *x, const struct by_name_row *y);
/* How many of a row's frames tell it from others. */
size_t by_name_key_count(const struct by_name *b, const struct by_name_row *row);
/* The frames, but no more than `depth` and not what starts a program, a line each; the first line is begun and the last one not ended. */
void by_name_print_frames(const struct by_name *b, const struct by_name_row *row, size_t depth);
json_t *by_name_frames_json(const struct by_name *b, const struct by_name_row *row);
/* An object; temporary is null where it is not known. */
json_t *by_name_costs_json(const uint64_t costs[COST_COUNT], bool temporary_known);

#endif
