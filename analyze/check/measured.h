/* What the runs have allocated, site by site: a row for each site with a number for each run.
 *
 * A site is a function that asked for memory with some of its callers, by their names alone: neither
 * addresses nor lines nor the program's own file name tell it from another. So it is the same in
 * each run, after a rebuild, and in a baseline. On which lines its functions were is kept beside it. */
#ifndef MALLOSCOPE_CHECK_MEASURED_H
#define MALLOSCOPE_CHECK_MEASURED_H

#include "analyze/check/measured_sums.h"
#include "analyze/check/site_frames.h"

/* What only passed allocations on, and how much in the last run. */
struct measured_passed {
    const char *function; /* one of measured.functions' names */
    uint64_t last[VERDICT_KINDS];
};

/* The lines that a site's frames were on, and what came from there in the last run. */
struct measured_place {
    char *source; /* of the first frame: "src/parse.c", the file and the directory it is in; "" unknown */
    char *lines; /* "12 40 7", a number for each frame; 0: unknown */
    struct verdict_frame *frames; /* the site's, and if none of those has a line one further out that has, if any */
    size_t frame_count;
    struct measured_passed *passed; /* in front of it, as the site's */
    size_t passed_count;
    uint64_t last[VERDICT_KINDS], previous[VERDICT_KINDS];
    bool differs[VERDICT_KINDS]; /* from run to run, also where all of the site's together do not */
};

struct measured_site {
    char *key;     /* its frames' names, each with a newline behind it; as the baseline has them */
    char *module;  /* of its first frame; "" none */
    bool is_own;   /* it is the program's */
    const char **passed; /* names of measured.functions: what only passed its allocations on, in front of it */
    size_t passed_count, passed_capacity;
    size_t frame_count;
    struct measured_place *places; /* at least one */
    size_t place_count, place_capacity;
    uint64_t (*runs)[VERDICT_KINDS];
    size_t run_capacity;
};

struct measured {
    struct measured_site *sites;
    size_t site_count, site_capacity;
    struct hash_table table;
    struct measured_sums functions, modules;
    struct measured_sums unnamed; /* by module: what its functions without names asked for; or by MEASURED_NO_STACK, MEASURED_NO_FILE */
    struct measured_sums known;   /* functions whose names are: that stacks have, also further out, or measured_know() told; how many of a
                                   * name, and how many of the program's own module */
    uint64_t (*totals)[VERDICT_KINDS]; /* by run */
    size_t run_count, run_capacity;
};

/* Adds a run; source->side must be 0. */
void measured_add(struct measured *m, const struct by_name_source *source);
void measured_release(struct measured *m);
/* NULL: there is none. */
const struct measured_site *measured_find(const struct measured *m, const char *key);
bool measured_has_passed(const struct measured_site *site, const char *function);
/* What a function has passed on of it in the last run. */
uint64_t measured_passed(const struct measured_place *place, const char *function, enum verdict_kind kind);
/* In a run; 0 where the site was not met. */
uint64_t measured_value(const struct measured_site *site, size_t run, enum verdict_kind kind);
/* Whether it is known that a function of this name is not among those without: in any module, or in the program's own. */
bool measured_knows(const struct measured *m, const char *function, size_t run, bool in_program);
/* Of the last run. */
void measured_know(struct measured *m, const char *function, bool in_program);
/* Over all runs. */
void measured_range(const struct measured *m, const struct measured_site *site, enum verdict_kind kind, uint64_t *ret_least, uint64_t *ret_most);

#endif
