/* A program that forbids itself system calls (seccomp) or the clock (PR_SET_TSC) would
 * be killed by the recorder's. So before a filter that does not allow all of ours is
 * installed, by whatever thread, the process lays in a stock of slots and memory, and
 * from then on makes no system call of ours: recording goes on until the stock is used
 * up; children that it forks are counted as lost. Outside only. */
#ifndef MALLOSCOPE_OUTSIDE_SANDBOX_H
#define MALLOSCOPE_OUTSIDE_SANDBOX_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

struct context;

/* What was before, and is again if the kernel refuses. All 0: nothing changes. */
struct sandbox_change {
    bool enters, strict, is_child; /* is_child: a vfork child, to whom alone it applies */
    bool forbidden, kills, may_map;
    int state;
    uint32_t stop_errno;
};

/* Before a filter is installed, or strict mode; a filter that is NULL is a question only,
 * whether the kernel knows such. Nothing changes where it allows what we need. */
void sandbox_enter(struct sandbox_change *ret_change, bool strict, const struct sock_fprog *filter);
void sandbox_entered(const struct sandbox_change *change, bool accepted);

/* Whether system calls of ours could be deadly, and not only fail. */
bool sandbox_kills(void);

/* A vfork child that has forbidden itself system calls. Its memory is its parent's, which
 * has not: so it is known by the thread, whose parent waits. */
struct sandbox_child {
    uint32_t pid; /* 0: there is none */
    bool kills, may_ask; /* may_ask: its pid */
    struct context *context; /* for what is to be logged of it; NULL: there is none */
};

/* Of the calling thread; NULL: it is in none such. To forget: before it becomes another program. */
struct sandbox_child *sandbox_child(void);
void sandbox_forget_child(struct sandbox_child *ret_child);
void sandbox_remember_child(const struct sandbox_child *child);

/* The calling thread may not read the counter any more, and so neither the C library's clocks:
 * it asks the kernel instead. Where that is forbidden its events are lost, as are those of
 * threads and children that it makes. */
void sandbox_give_up_clock(void);
void sandbox_take_up_clock(void);
bool sandbox_may_read_clock(void);

/* Whether this is a vfork child, in its parent's memory. Asks for the pid: not where sys_forbidden. */
bool sandbox_is_vfork_child(void);

#endif
