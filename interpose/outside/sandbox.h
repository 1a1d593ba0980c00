/* A program that forbids itself system calls (seccomp) or the clock (PR_SET_TSC) would
 * be killed by the recorder's. So before a filter that does not allow all of ours is
 * installed, by whatever thread, the process lays in a stock of slots and memory, and
 * from then on makes no system call of ours: recording goes on until the stock is used
 * up; children that it forks are counted as lost. Outside only. */
#ifndef MALLOSCOPE_OUTSIDE_SANDBOX_H
#define MALLOSCOPE_OUTSIDE_SANDBOX_H

#include <linux/filter.h>
#include <stdbool.h>

/* Looks up the functions behind those of interpose/sandbox.c. */
void sandbox_resolve(void);

/* Before a filter is installed; NULL: strict mode. False: nothing changes, because the
 * filter allows what we need, or because it has all changed before. */
bool sandbox_enter(const struct sock_fprog *filter);

/* Whether system calls of ours could be deadly, and not only fail. */
bool sandbox_kills(void);

/* The filter was refused. */
void sandbox_leave(void);

/* The calling thread may not read the clock any more: its events are lost, as are those
 * of threads and children that it makes. */
void sandbox_give_up_clock(void);
void sandbox_take_up_clock(void);
bool sandbox_may_read_clock(void);

#endif
