/* Of a site that allocates more, or less, than its baseline: the lines that do. */
#ifndef MALLOSCOPE_CHECK_PLACES_H
#define MALLOSCOPE_CHECK_PLACES_H

#include "analyze/check/baseline.h"

struct places_change {
    const struct measured_place *now;    /* NULL: the line is gone */
    const struct baseline_place *before; /* NULL: the line is new, or has not changed */
    uint64_t was, is;
};

/* Of each line; baseline NULL: there is nothing to compare with, and each was 0. Returns their number; 0: it is not known of the
 * baseline's, or not as well as of the other, or differs from run to run. To be freed in any case. */
size_t places_changes(const struct measured_site *site, const struct baseline_site *baseline, enum verdict_kind kind, struct places_change **ret);
/* Where that is no help: the line that has changed most.
 * baseline: NULL: there is nothing to compare with, and the place from which most comes is meant. NULL: a line that is
 * gone; ret_gone is what the baseline has of it, else NULL. */
const struct measured_place *places_find(const struct measured_site *site, const struct baseline_site *baseline, enum verdict_kind kind, bool is_less,
                                         const struct baseline_place **ret_gone);

#endif
