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
};

struct site_search {
    uint32_t holder; /* the outermost so far that holds its module's code */
    uint32_t module; /* its */
    bool has_holder;
};

/* True: it is found, *ret_site is the number that it was given. */
static inline bool site_search_ends(struct site_search *s, uint32_t number, enum site_role role, uint32_t module, bool is_last,
                                    uint32_t *ret_site)
{
    bool has_left = s->has_holder && module != s->module;

    *ret_site = has_left ? s->holder : number;
    if (has_left || role == SITE_ASKS)
        return true;
    if (role == SITE_HOLDS)
        *s = (struct site_search){ number, module, true };
    if (is_last && s->has_holder)
        *ret_site = s->holder;
    return is_last;
}

#endif
