/* How the renderers ask for the names of code locations, without knowing where
 * names come from. */
#ifndef MALLOSCOPE_RENDER_NAMER_H
#define MALLOSCOPE_RENDER_NAMER_H

#include <stdint.h>

struct namer {
    void *data;
    /* The function's name, or NULL where there is none. Memory of the namer. */
    const char *(*function)(void *data, uint32_t location);
};

#endif
