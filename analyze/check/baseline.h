/* A file of baselines, one for each platform, that is committed and reviewed (docs/baseline.md). */
#ifndef MALLOSCOPE_CHECK_BASELINE_H
#define MALLOSCOPE_CHECK_BASELINE_H

#include "analyze/check/limits.h"
#include "analyze/check/measured.h"

#define BASELINE_SCHEMA "malloscope-baseline/1"

struct baseline_place {
    char *source; /* the end of measured_place.source; NULL: the site's file */
    char *lines;  /* as measured_place.lines */
    uint64_t values[VERDICT_KINDS];
    bool is_whole; /* all values are known; else allocations alone */
};

struct baseline_site {
    char *key; /* as measured_site.key */
    char *file; /* of the first frame's source, without directories; NULL: unknown */
    uint64_t values[VERDICT_KINDS]; /* the least of the runs */
    uint64_t most[VERDICT_KINDS];
    struct baseline_place *places;
    size_t place_count;
};

/* What is measured, besides the program: figures of one selection say nothing of another. NULL: not given. */
struct baseline_scope {
    char *within, *mark, *exclude_modules;
    char *suppressions; /* the files' names, without directories, joined by ", "; what is in them may change */
    bool no_default_suppressions;
};

struct baseline_range {
    bool known;
    uint64_t least, most;
};

/* Of functions, or of modules: what they asked for. */
struct baseline_sums {
    struct baseline_sum {
        char *name;
        bool is_numbered; /* as of measured_sum */
        struct baseline_range values[VERDICT_KINDS]; /* not known: 0 */
    } *of;
    size_t count;
    struct hash_table table;
};

#define BASELINE_PROGRAM "(program)" /* the program among the modules: it may be renamed */

struct baseline {
    char *text;   /* the file's; NULL: there is none */
    char *others; /* the platforms that it has but for the one asked for: "a, b"; "" none */
    bool found;   /* the platform: */
    char *libc;   /* "glibc 2.36"; NULL: not told */
    uint64_t run_count;
    struct baseline_scope scope;
    struct baseline_range metrics[VERDICT_KINDS];
    bool has_sums;
    struct baseline_sums functions, modules;
    struct baseline_site *sites;
    size_t site_count;
    struct hash_table table;
};

/* 0, also where the file has not the platform; -ENOENT: there is no file; -EINVAL or another -errno: it cannot be read or is
 * not what it should be. is_replaced: the platform's part will be, and is not looked at. */
int baseline_read(const char *path, const char *platform, bool is_replaced, struct baseline *ret_baseline, struct failure *ret_failure);
/* Only UTF-8 comes back from the file as it was. */
bool baseline_can_name(const char *platform);
void baseline_release(struct baseline *b);
void baseline_scope_release(struct baseline_scope *s);
/* NULL: there is none. */
const struct baseline_sum *baseline_find_sum(const struct baseline_sums *sums, const char *name);
const struct baseline_site *baseline_find(const struct baseline *b, const char *key);

/* What goes into a platform's part. */
struct baseline_part {
    const char *platform, *libc;
    const struct measured *measured;
    struct baseline_scope scope;
};

/* The file's text with this part in the place of the platform's old one; every other byte is as before. To be freed. */
char *baseline_with(const struct baseline *b, const struct baseline_part *part);

#endif
