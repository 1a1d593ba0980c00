/* Which numbers our descriptors have. The best are those from the program's limit
 * (RLIMIT_NOFILE) on: the kernel gives them to nobody, not by dup2 either, whoever makes
 * the system call, and a loop up to the limit does not close them. Where the limit cannot
 * be lifted for a moment, or is so high that a table up to it would cost the kernel memory,
 * they are high ones below it. May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_NUMBERS_H
#define MALLOSCOPE_INSIDE_NUMBERS_H

#include <stdatomic.h>
#include <stdbool.h>

#define NUMBERS_HIGH_MAX 960
#define NUMBERS_HIDDEN_MAX 4096 /* a higher limit is not gone beyond */

/* No descriptor of ours is below it. */
extern _Atomic int numbers_lowest;
void numbers_note(int number);

/* Where ours begin if they must be below the limit. */
int numbers_high(void);

/* Whether the kernel gives this number to nobody. */
bool numbers_is_hidden(int number);

/* A duplicate for us. -errno: there is none. */
int numbers_duplicate(int fd);

#endif
