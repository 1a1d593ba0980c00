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
    SITE_INSIDE,    /* the same; but it asks itself where nobody further out does: none are left but what may call back */
    SITE_MAY_CALL_BACK, /* itself, unless what passes on was called by it, and it by that module: then it was to call that back */
};

struct site_search {
    uint32_t holder; /* the outermost so far that holds its module's code */
    uint32_t module; /* its */
    bool has_holder;
    uint32_t inside; /* the innermost that asks where nobody else does */
    bool has_inside;
    uint32_t passing; /* the module of what passed on last */
    bool has_passing;
    uint32_t caller; /* the innermost of those that may have called that back: what is further out tells */
    bool has_caller;
};

static inline bool site_role_asks(enum site_role role)
{
    return role == SITE_ASKS || role == SITE_MAY_CALL_BACK;
}

/* Where nobody else asks. */
static inline uint32_t site_search_left(const struct site_search *s, uint32_t otherwise)
{
    return s->has_holder ? s->holder : s->has_inside ? s->inside : otherwise;
}

static inline void site_search_pass(struct site_search *s, uint32_t number, enum site_role role, uint32_t module)
{
    s->has_caller = false;
    s->has_passing = true;
    s->passing = module;
    if (role == SITE_HOLDS) {
        s->holder = number;
        s->module = module;
        s->has_holder = true;
    } else if (role == SITE_INSIDE && !s->has_inside) {
        s->inside = number;
        s->has_inside = true;
    }
}

/* True: it is found, *ret_site is the number that it was given. */
static inline bool site_search_ends(struct site_search *s, uint32_t number, enum site_role role, uint32_t module, bool is_last,
                                    uint32_t *ret_site)
{
    bool is_elsewhere = s->has_passing && module != s->passing, is_others = s->has_holder && module != s->module;

    if (role == SITE_MAY_CALL_BACK && is_elsewhere) {
        s->caller = s->has_caller ? s->caller : number;
        s->has_caller = true;
        *ret_site = site_search_left(s, s->caller);
        return is_last;
    }
    if (s->has_caller && is_elsewhere) {
        *ret_site = site_search_left(s, s->caller);
        return true;
    }
    if (is_others && (site_role_asks(role) || role == SITE_HOLDS)) {
        *ret_site = s->holder;
        return true;
    }
    *ret_site = number;
    if (site_role_asks(role))
        return true;
    site_search_pass(s, number, role, module);
    if (is_last)
        *ret_site = s->has_holder ? s->holder : number;
    return is_last;
}

#endif
