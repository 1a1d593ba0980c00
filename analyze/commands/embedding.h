/* Names into the log itself, so that it can be read where the files are not that were
 * recorded: for symbolize and record. */
#ifndef MALLOSCOPE_COMMANDS_EMBEDDING_H
#define MALLOSCOPE_COMMANDS_EMBEDDING_H

#include "analyze/log/log.h"
#include "analyze/symbols/symbols.h"

struct embedding {
    size_t locations, named; /* in the log's code: all, and those with a name now */
    size_t files;            /* that these are in */
    uint64_t bytes;          /* that the log became larger by */
    bool interrupted;        /* not all was looked up */
    uint64_t bad_chunks, bad_offset; /* whose code is not among it: as reader_bad_chunks() */
};

/* Finds out what is not in the log yet (again: or is), and appends it. Says what is wrong;
 * without options, which then have their defaults, not that programs were stripped: nobody has asked for names.
 * 0, or -errno: it cannot be written, and then is as it was. */
int embed_names(const struct log *log, const struct symbols_options *options, bool again, struct embedding *ret_done);

#endif
