/* How each process was recorded, as its process-start record says: read ahead of
 * the events, whose meaning depends on it.
 *
 * Under sampling, an allocation of s bytes is recorded with the probability
 * p = 1 - exp(-(s + 1) / sample_bytes) and stands for 1/p of its like: that is its
 * weight. Sums of weights estimate without bias what was allocated; their variance
 * is estimated by the sum of w * (w - 1), times the square of what is summed. */
#ifndef MALLOSCOPE_MODEL_SETTINGS_H
#define MALLOSCOPE_MODEL_SETTINGS_H

#include "analyze/log/log.h"

struct process_settings {
    bool found; /* its process-start record was; else these are the session's */
    uint64_t sample_bytes, min_size; /* 0: every allocation is recorded */
    bool starts_paused;
    bool has_own_heap; /* has been counted */
    bool is_exec;      /* a new program in a process that was recorded before */
    uint64_t start_ns, pid_namespace, began; /* start_ns: CLOCK_MONOTONIC of the record */
    char *allocator; /* path of the module that has the real malloc; NULL: not known */
};

struct settings {
    struct process_settings *of; /* by process, as the log's */
    size_t count;
    uint64_t sample_bytes, min_size; /* the largest; 0: in no process */
    bool sampling_differs, min_size_differs; /* between processes */
    bool starts_paused; /* a process at least */
    uint64_t own_mallocs; /* processes with a malloc that the recorder does not see: calls of it are not there */
    /* Weights and sums of them are whole numbers of 1/unit: that is exact enough
     * (1/8192 of one allocation) and does not depend on the order of summing. 1
     * where nothing is sampled; else sums of bytes are good up to 4 PiB. */
    uint64_t unit;
};

/* Of the processes that are not left out (log_select). */
void settings_read(const struct log *log, struct settings *ret_settings);
void settings_release(struct settings *s);

/* 1 where the process is not sampled. */
double settings_weight(const struct settings *s, uint32_t process, uint64_t size);
uint64_t settings_sampled_units(const struct settings *s, uint32_t process, uint64_t size);

/* The standard error for this variance, to the nearest number. */
uint64_t settings_error(double variance);

/* No allocation was left out, but while recording was paused. Else it is not known
 * which one a thread made last before a free. */
static inline bool settings_all_recorded(const struct settings *s)
{
    return !s->sample_bytes && !s->min_size;
}

/* The weight in units. */
static inline uint64_t settings_units(const struct settings *s, uint32_t process, uint64_t size)
{
    return s->of[process].sample_bytes ? settings_sampled_units(s, process, size) : s->unit;
}

/* A sum in units, as a number of allocations or bytes. */
static inline uint64_t settings_rounded(const struct settings *s, uint64_t sum)
{
    return round_units(sum, s->unit);
}

#endif
