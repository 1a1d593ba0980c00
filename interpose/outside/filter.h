/* What a seccomp filter would say to the recorder's system calls. Outside only. */
#ifndef MALLOSCOPE_OUTSIDE_FILTER_H
#define MALLOSCOPE_OUTSIDE_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

enum filter_verdict {
    FILTER_KILLS,     /* some system call of ours could be deadly, or it cannot be told */
    FILTER_REFUSES,   /* one fails that recording needs */
    FILTER_LETS_LIVE, /* those that recording needs pass, whatever their arguments, and the others may fail */
};

enum filter_verdict filter_judge(const struct sock_fprog *filter);

/* Whether this system call passes, whatever its arguments. */
bool filter_allows(const struct sock_fprog *filter, int call);

#endif
