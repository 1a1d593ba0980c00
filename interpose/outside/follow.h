/* What a program that this one executes gets as its environment, so that it is
 * recorded, too (`--follow=exec`), or is not. What recording needs there was kept
 * when this program began: it may clear its environment, or give its own.
 *
 * After follow_prepare any place, also signal handlers and vfork children:
 * async-signal-safe, without locks or allocation, little stack. */
#ifndef MALLOSCOPE_OUTSIDE_FOLLOW_H
#define MALLOSCOPE_OUTSIDE_FOLLOW_H

#include "interpose/outside/config.h"

/* Keeps what this program was started with. environment: as environ. */
void follow_prepare(char *const *environment, const struct config *config);

/* Whether exec is any of our business: no, where nothing is known of a session
 * and --follow says nothing. */
bool follow_concerns_exec(void);

/* Whether a program that is executed here could open the library and the log: not,
 * in another root directory, or as another user. */
bool follow_can_record(void);

struct follow_environment {
    char *const *variables; /* for the real function */
    void *room;             /* the caller's, of follow_environment_bytes; NULL: what does not fit in here is mapped */
    void *mapped;
    size_t mapped_bytes;
    char *small[128];
};

/* What room is needed: for those that may not map any. */
size_t follow_environment_bytes(char *const *given, bool recorded);

/* given: the program's; NULL is an empty one. Its order is kept, and nothing of it
 * but LD_PRELOAD and MALLOSCOPE_* is touched; where all is right, or it is of
 * another session, variables is given itself. */
void follow_make_environment(struct follow_environment *e, char *const *given, bool recorded);

/* To be called when exec has failed. */
void follow_release_environment(struct follow_environment *e);

#endif
