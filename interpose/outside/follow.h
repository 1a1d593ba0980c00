/* What a program that this one executes gets as its environment, so that it is
 * recorded, too (`--follow=exec`), or is not. A statically linked program gets it only
 * for what it starts in its turn (`--follow=all`): nobody looks at that before it gets our
 * library, and another C library's program, say, would not survive it. What recording needs there was kept
 * when this program began: it may clear its environment, or give its own.
 *
 * After follow_prepare any place, also signal handlers and vfork children:
 * async-signal-safe, without locks or allocation, little stack. */
#ifndef MALLOSCOPE_OUTSIDE_FOLLOW_H
#define MALLOSCOPE_OUTSIDE_FOLLOW_H

#include "format/record.h"
#include "interpose/outside/config.h"

/* Keeps what this program was started with. environment: as environ. */
void follow_prepare(char *const *environment, const struct config *config);

/* Whether exec is any of our business: no, where nothing is known of a session
 * and --follow says nothing. */
bool follow_concerns_exec(void);

/* Whether new programs are to be recorded, too. */
bool follow_wants_exec(void);

/* Whether LD_PRELOAD has a sanitizer's runtime: with our library before it, it ends the
 * program; with ours behind, ours would hear of nothing. */
bool follow_preloads_sanitizer(char *const *environment);

/* What the program's file alone says, and what it is given and where: a sanitizer's
 * runtime that the environment preloads, a library or a log that it could not open, in
 * another root directory or as another user. */
enum rec_untraced follow_judge(enum rec_untraced of_file, char *const *environment);

/* Whether a program that was judged so gets our variables. */
bool follow_gives_on(enum rec_untraced reason);

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
