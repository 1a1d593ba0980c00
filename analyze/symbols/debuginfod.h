/* Files from the servers that DEBUGINFOD_URLS names, by build-id. Only for who asks for it:
 * it takes as long as the network does, and tells the servers what is looked at. */
#ifndef MALLOSCOPE_SYMBOLS_DEBUGINFOD_H
#define MALLOSCOPE_SYMBOLS_DEBUGINFOD_H

#include "analyze/symbols/symbols.h"

enum debuginfod_kind { DEBUGINFOD_DEBUG_FILE, DEBUGINFOD_BINARY };

/* The path of the file in debuginfod's own cache, to be freed; NULL: not to be had, or the
 * options' goes_on has said no; and where nothing is to be had at all *ret_problem says why. */
char *debuginfod_find(const struct symbols_options *options, enum debuginfod_kind kind, const void *build_id, size_t build_id_bytes, const char **ret_problem);

/* What failed at a server, the first time in this process, as a clause; NULL: nothing, or it was told already. A
 * file that none of them has is no failure. One that has let us wait for all the time that it has is the last. */
const char *debuginfod_failure(void);

#endif
