/* Which stacks count: those with a function (--within), and not those whose memory a module asked
 * for (--exclude-module). */
#ifndef MALLOSCOPE_CHECK_SELECTION_H
#define MALLOSCOPE_CHECK_SELECTION_H

#include "analyze/model/facts.h"
#include "analyze/render/namer.h"

#include <regex.h>

struct selection {
    const char *within; /* function, without parameters; NULL: all stacks */
    regex_t *excluded_modules; /* of modules' file names, without directories */
    size_t excluded_count, excluded_capacity;
    const char **excluded_texts;
    size_t text_capacity;
    uint64_t excluded_matched; /* a bit for each of the first 64: some module's name has matched, in any log */
    bool excludes_program; /* its own module */
    /* Of the log that is asked about: */
    struct facts *facts;
    const struct namer *namer;
    const char *program; /* its file's name; NULL: unknown */
    struct selection_place {
        uint8_t has_function, is_excluded; /* 0: not asked yet, 1: yes, 2: no */
        uint8_t role; /* enum site_role */
    } *places; /* by location */
    size_t place_capacity;
    /* And what has been found of it: allocations, but for is_found. */
    bool is_found;          /* a stack has the function */
    uint64_t kept, left_out; /* by modules, whatever the function */
    uint64_t no_stack;      /* without any, where modules are left out: whether they count is not known */
    uint64_t cut, partial;  /* with a stack that lacks the function, and outer frames: whether they count is not known */
};

/* A POSIX extended regular expression, or BASELINE_PROGRAM. 0 or -EINVAL. */
int selection_exclude(struct selection *s, const char *regex, struct failure *ret_failure);
/* Whether modules are left out. */
bool selection_excludes(const struct selection *s);
void selection_use(struct selection *s, struct facts *facts, const struct namer *namer);
/* Of the log no more is asked; what has been found stays. */
void selection_end(struct selection *s);
/* As by_name_source.wanted; data: the selection. */
bool selection_wants(void *data, uint32_t leaf);
void selection_release(struct selection *s);

#endif
