/* Call sites: allocations by the frame that asked for them. That is the hook's
 * caller, unless namer says it is only a wrapper (C++'s operator new): then the
 * wrapper's caller. */
#ifndef MALLOSCOPE_MODEL_SITES_H
#define MALLOSCOPE_MODEL_SITES_H

#include "analyze/model/facts.h"

/* Rounded to numbers of allocations and bytes. */
struct site_costs {
    uint64_t allocations, bytes, temporary;
    uint64_t peak_blocks, peak_bytes;
    uint64_t leaked_blocks, leaked_bytes;
};

struct site {
    uint32_t location; /* in facts->code; 0: unknown or no stacks were taken */
    struct site_costs costs;
    uint32_t heaviest; /* stack node with the most bytes of this site ... */
    uint64_t heaviest_bytes;
    uint32_t frame;    /* ... and in it, the node of the site's own frame */
};

struct sites {
    struct site *sites;
    size_t count, capacity;
};

/* is_wrapper may be NULL; asked once for each location. */
void sites_collect(struct facts *facts, bool (*is_wrapper)(void *data, uint32_t location), void *data,
                   struct sites *ret_sites);
void sites_release(struct sites *s);

enum site_order { SITES_BY_ALLOCATIONS, SITES_BY_BYTES };
void sites_sort(struct sites *s, enum site_order order);

#endif
