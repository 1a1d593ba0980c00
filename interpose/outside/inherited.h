/* A seccomp filter that was there before the program: what it does to a system call nobody
 * can ask. Outside only. */
#ifndef MALLOSCOPE_OUTSIDE_INHERITED_H
#define MALLOSCOPE_OUTSIDE_INHERITED_H

#include <stdint.h>

/* To be called before anything else, and again in a forked child: finds out whether there is
 * one that must be feared, and if so sets sys_careful and what is known instead of asked. */
void inherited_find(void);

/* The parent's pid as /proc has it, which may be that of another pid namespace; 0: it has none there. */
uint32_t inherited_parent_pid(void);

#endif
