/* A log's stacks by names, and which of their frames are the site's. */
#ifndef MALLOSCOPE_CHECK_SITE_FRAMES_H
#define MALLOSCOPE_CHECK_SITE_FRAMES_H

#include "analyze/check/verdict.h"
#include "analyze/render/by_name.h"

#define MEASURED_DEPTH 5 /* frames of a site: these, */
#define MEASURED_OWN 8   /* and the program's own that follow, each once, until so many are among them */
#define MEASURED_NO_NAME "??" /* a function */
#define MEASURED_NO_STACK "(no stack)" /* these two as by_name has them */
#define MEASURED_NO_FILE "(no file)"

/* One log's. */
struct site_namer {
    struct by_name table;
    uint8_t *roles; /* by frame: 1 + enum site_role; 0: not asked yet */
    const char *module; /* whose language was asked for last */
    bool is_rust;
};

void site_namer_begin(struct site_namer *n);
void site_namer_add(struct site_namer *n, const struct by_name_source *source);
void site_namer_release(struct site_namer *n);

/* A row's frames that are its site's. */
struct site_frames {
    uint32_t at[MEASURED_DEPTH + MEASURED_OWN + 1]; /* their numbers in the row */
    size_t count;
    size_t key_count; /* the first of them tell the site from others */
};

void site_frames_find(struct site_namer *n, const struct by_name_row *row, struct site_frames *ret);
/* The key is the names of those that tell it from others, each with a newline behind it; lines are all frames', a number for each, with
 * spaces between. To be freed. */
void site_frames_key(const struct by_name *b, const struct by_name_row *row, const struct site_frames *frames, char **ret_key, char **ret_lines);
/* To be freed. */
struct verdict_frame *site_frames_copy(const struct by_name *b, const struct by_name_row *row, const struct site_frames *of);

/* "??": it has none; what is in no module is as by_name has it. To be freed. */
char *site_function_name(const struct by_name_frame *f);
/* As measured_module_name() has it. To be freed. */
char *site_module_name(const struct by_name_frame *f);
/* "libpng16.so.16.37.0" as "libpng16.so": in other versions it is the same module. To be freed. */
char *measured_module_name(const char *file_name);
bool site_is_own_module(const struct by_name *b, const char *module);

#endif
