/* Two sequences of which one has become the other -> which of their elements are the same, as a diff finds it: those that are
 * paired keep their order, and the pairs' scores are the most that there can be. */
#ifndef MALLOSCOPE_CHECK_ALIGN_H
#define MALLOSCOPE_CHECK_ALIGN_H

#include "analyze/util.h"

#define ALIGN_NONE SIZE_MAX

/* Of a pair: 0 or less where it is none. */
typedef int64_t align_score(const void *data, size_t old, size_t new);

/* ret_pairs has new_count elements: the old one's number, or ALIGN_NONE. Returns the sum of the scores. Of sequences too long for a
 * table those are paired that have the same number. */
int64_t align(size_t old_count, size_t new_count, align_score *score, const void *data, size_t *ret_pairs);

#endif
