/* What `hist` and `plot sizes` show, and its end: the sizes of all allocations, or of those of a part of the log.
 *
 *     struct sizes_reading r;
 *     int refused = sizes_reading_open(&wanted, log_name, "hist", &r);
 *     if (refused)
 *         return refused;
 *     ... r.table, r.counted, r.trust ...
 *     return sizes_reading_close(&r);
 */
#ifndef MALLOSCOPE_COMMANDS_SIZES_READING_H
#define MALLOSCOPE_COMMANDS_SIZES_READING_H

#include "analyze/commands/reading.h"
#include "analyze/render/coverage.h"
#include "analyze/render/trust.h"

struct sizes_reading {
    struct reading part; /* its facts are NULL where the whole log was counted */
    struct sizes_counted counted;
    struct size_table table;
    struct coverage coverage;
    struct trust trust;
};

/* 0, or the exit code after a message. *ret_reading must stay where it is. */
int sizes_reading_open(const struct reading_options *options, const char *path, const char *command, struct sizes_reading *ret_reading);

/* As reading_close(). */
int sizes_reading_close(struct sizes_reading *r);

/* For whoever shows nothing. */
void sizes_reading_release(struct sizes_reading *r);

#endif
