/* Of a site that allocates more, or less, than its baseline: the line that does. */
#ifndef MALLOSCOPE_CHECK_PLACES_H
#define MALLOSCOPE_CHECK_PLACES_H

#include "analyze/check/baseline.h"

/* baseline: NULL: there is nothing to compare with, and the place from which most comes is meant. NULL: a line that is
 * gone; ret_gone is what the baseline has of it, else NULL. */
const struct measured_place *places_find(const struct measured_site *site, const struct baseline_site *baseline, enum verdict_kind kind, bool is_less,
                                         const struct baseline_place **ret_gone);

#endif
