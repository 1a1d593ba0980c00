/* CPU ticks to nanoseconds, from the calibration pairs in the chunk headers.
 * The counter is invariant, so one straight line serves the whole session. */
#ifndef MALLOSCOPE_LOG_CALIBRATE_H
#define MALLOSCOPE_LOG_CALIBRATE_H

#include "analyze/log/log.h"

/* Sets ns_per_tick, base_ticks, base_ns and first_ns. */
void calibrate(struct log *log);

/* A calibration pair of this machine, now. */
void clock_now(uint64_t *ret_ticks, uint64_t *ret_ns);

#endif
