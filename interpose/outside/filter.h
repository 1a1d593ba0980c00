/* What a seccomp filter would say to the recorder's system calls. Outside only. */
#ifndef MALLOSCOPE_OUTSIDE_FILTER_H
#define MALLOSCOPE_OUTSIDE_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

/* Whether we can live under it, whatever the arguments of our calls: those that recording
 * needs pass, and the others do no worse than fail. Not, where that cannot be told. */
bool filter_allows_us(const struct sock_fprog *filter);

#endif
