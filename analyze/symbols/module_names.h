/* One module's files -> the frames of its addresses. Reads files that may be damaged
 * through libraries that may not bear it: for a process of its own (worker.h). */
#ifndef MALLOSCOPE_SYMBOLS_MODULE_NAMES_H
#define MALLOSCOPE_SYMBOLS_MODULE_NAMES_H

#include "analyze/symbols/symbols.h"

struct module_names {
    const struct symbols_options *options;
    const char *binary, *debug; /* paths; NULL: none */
    const uint64_t *addresses;  /* in ascending order */
    size_t count;
    bool without_dwarf;         /* only tables of symbols */
};

enum names_outcome {
    NAMES_GOOD,
    NAMES_LACKING, /* a part of the debug information is in files that are not here; ret_lacks tells which, and why */
    NAMES_DAMAGED, /* there is debug information that cannot be read */
};

#define NAMES_LACKS_BYTES 1024

/* add() gets every address in its order, those without a name with no frames; the texts
 * are only lent. */
enum names_outcome module_names_read(const struct module_names *names,
                       void (*add)(void *data, uint64_t address, const struct symbols_frame *frames, size_t count),
                       void *data, char ret_lacks[NAMES_LACKS_BYTES]);

#endif
