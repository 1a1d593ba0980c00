/* Which place of a stack is its site: the one that asked for memory, where others only passed it on. They are asked
 * about one by one, the innermost first. Pure. */
#ifndef MALLOSCOPE_MODEL_SITE_SEARCH_H
#define MALLOSCOPE_MODEL_SITE_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

enum site_role {
    SITE_ASKS,      /* itself */
    SITE_PASSES_ON, /* what its caller asks for */
    SITE_HOLDS,     /* the same; but it holds code of its module's own, and asks itself where no caller of its module is left */
    SITE_MAY_CALL_BACK, /* itself, unless what passes on was called by it, and it by that module: then it was to call that back */
};

struct site_search {
    uint32_t holder; /* the outermost so far that holds its module's code */
    uint32_t module; /* its */
    bool has_holder;
    uint32_t passing; /* the module of what passed on last */
    bool has_passing;
    uint32_t caller; /* the innermost of those that may have called that back: what is further out tells */
    bool has_caller;
};

static inline bool site_role_asks(enum site_role role)
{
    return role == SITE_ASKS || role == SITE_MAY_CALL_BACK;
}

/* True: it is found, *ret_site is the number that it was given. */
static inline bool site_search_ends(struct site_search *s, uint32_t number, enum site_role role, uint32_t module, bool is_last,
                                    uint32_t *ret_site)
{
    bool has_left = s->has_holder && module != s->module;

    *ret_site = has_left ? s->holder : number;
    if (has_left)
        return true;
    if (role == SITE_MAY_CALL_BACK && s->has_passing && module != s->passing) {
        s->caller = s->has_caller ? s->caller : number;
        s->has_caller = true;
        *ret_site = s->caller;
        return is_last;
    }
    if (s->has_caller && module != s->passing) {
        *ret_site = s->caller;
        return true;
    }
    if (site_role_asks(role))
        return true;
    s->has_caller = false;
    s->has_passing = true;
    s->passing = module;
    if (role == SITE_HOLDS) {
        s->holder = number;
        s->module = module;
        s->has_holder = true;
    }
    if (is_last && s->has_holder)
        *ret_site = s->holder;
    return is_last;
}

#endif
