/* Call sites by names: the rule for model/sites.h, and which of them are shown. A site is
 * the line of the function that asked for memory (render/frames.h), in its module; without a
 * line the function's return address, without a name that as well. */
#ifndef MALLOSCOPE_RENDER_CALL_SITES_H
#define MALLOSCOPE_RENDER_CALL_SITES_H

#include "analyze/model/sites.h"
#include "analyze/render/filter.h"

struct call_sites_filter {
    struct filter *stacks; /* only stacks that it wants; NULL: all */
    const char *text;      /* its regular expression */
    const char *module;    /* only sites in modules of this file name or path; NULL: all */
};

/* filter may be NULL. */
void call_sites_collect(struct facts *facts, const struct namer *namer, const struct call_sites_filter *filter,
                        struct sites *ret_sites);

static inline bool call_sites_is_all(const struct call_sites_filter *filter)
{
    return !filter || (!filter->stacks && !filter->module);
}

#endif
