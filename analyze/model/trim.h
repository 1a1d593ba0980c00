/* A part of a log as a log of its own. Of the time before the part it has the allocations
 * of blocks that still lived when the part begins, with their stamps, so that what lives is
 * right from the first moment on and frees find their blocks; of all its time before the
 * end it has what is no allocation and no free (processes, threads, code, marks), but of
 * processes that had ended before the part only what they were, which threads they had, and when they ended. */
#ifndef MALLOSCOPE_MODEL_TRIM_H
#define MALLOSCOPE_MODEL_TRIM_H

#include "analyze/log/log.h"

struct trim_options {
    uint64_t from_ns, to_ns; /* since the session's start; to_ns 0: to the end */
    int (*put)(void *data, const struct rec_chunk_header *chunk, size_t bytes); /* a whole, sealed chunk; 0 or -errno */
    void *put_data;
    bool (*goes_on)(void *data, double progress);
    void *goes_on_data;
    uint64_t *end_ns; /* NULL, or where to say when the log ends, or that it goes on after the part */
};

/* 0, what put() said, or -EINTR: goes_on() said no. *ret_bad_chunks: as reader_bad_chunks(). */
int trim_log(const struct log *log, const struct trim_options *options, uint64_t *ret_bad_chunks, uint64_t *ret_offset);

#endif
