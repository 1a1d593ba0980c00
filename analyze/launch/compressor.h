/* A thread that packs the log while the program runs: it takes chunks from the
 * spool (log/spool.h), in this process and at low priority, so that the program
 * waits for nothing. Receives no signal. */
#ifndef MALLOSCOPE_LAUNCH_COMPRESSOR_H
#define MALLOSCOPE_LAUNCH_COMPRESSOR_H

#include <stdint.h>

struct compressor;

/* limit_bytes: of the log; 0: none. 0 or -errno. */
int compressor_start(const char *log_path, uint64_t limit_bytes, struct compressor **ret_compressor);

/* Waits until what the spool has is packed, and ends it. 0, or what has kept it from
 * packing: then the rest is in the spool. NULL is none. */
int compressor_stop(struct compressor *c);

#endif
