/* How the renderers ask for the names of code locations, without knowing where
 * names come from. */
#ifndef MALLOSCOPE_RENDER_NAMER_H
#define MALLOSCOPE_RENDER_NAMER_H

#include "analyze/symbols/symbols.h"

struct namer {
    void *data;
    /* The functions at a location, the innermost first, each inlined into the next; 0: it
     * has no names. Memory of the namer. */
    size_t (*frames)(void *data, uint32_t location, const struct symbols_frame **ret_frames);
};

/* The name of the innermost function, or NULL where there is none. */
static inline const char *namer_function(const struct namer *namer, uint32_t location)
{
    const struct symbols_frame *frames;
    return namer->frames(namer->data, location, &frames) ? frames[0].function : NULL;
}

#endif
