/* LOG.spool: where the processes of a session append their chunks while LOG is
 * packed, and what takes them from there into LOG.
 *
 * One taker at a time has the spool's lock; it goes with its process, however that
 * dies. A chunk is first in LOG, then counted as consumed, then given back to the
 * file system: an interruption anywhere leaves it there twice, not nowhere.
 * Functions return 0 or -errno and never print. */
#ifndef MALLOSCOPE_LOG_SPOOL_H
#define MALLOSCOPE_LOG_SPOOL_H

#include "format/layout.h"

#include <stdbool.h>
#include <stddef.h>

#define SPOOL_ENDING ".spool"

char *spool_path(const char *log_path);

/* Makes an empty spool, mode 0600; -EEXIST where there is one. */
int spool_make(const char *log_path, const uint8_t session[16]);

/* A descriptor of the session's spool and its header, or -errno; -ENOENT where
 * none is this session's. */
int spool_open(const char *log_path, const uint8_t session[16], int flags, struct rec_spool_header *ret_header);

/* Whose spool lies beside this name, whatever the log there is: 0; -EBUSY where somebody is at
 * work on it; -ENOENT; -EINVAL where it is no spool. */
int spool_owner(const char *log_path, uint8_t ret_session[16]);

/* What is in it now: from where it is not in the log, and its end. To be asked under a lock. */
int spool_extent(int fd, uint64_t *ret_consumed, uint64_t *ret_end);

/* What moves chunks. */
struct taker;

/* -EBUSY: another one is at work. limit_bytes: that the log may have, of which the processes,
 * and whoever takes over later, are told; 0: none, or as they have been told. */
int taker_make(const char *log_path, uint64_t limit_bytes, struct taker **ret_taker);

void taker_free(struct taker *t);

/* Moves what is whole in the spool. all: also what is not, at the end, because
 * nobody writes any more. *ret_bytes: so many were moved; call again where it is not 0. */
int taker_move(struct taker *t, bool all, uint64_t *ret_bytes);

/* Tells processes that begin whether the spool is about to be removed. */
int taker_set_closed(struct taker *t, uint32_t closed);

/* Whether the disk has little room left. */
bool taker_room_is_short(const struct taker *t);

/* Empties and removes the spool of a session of which no process runs. 0 also where
 * there is none, somebody else is at it, or it must stay because a process runs. */
int spool_adopt(const char *log_path);

/* Removes the spool of a log that is about to go. */
void spool_discard(const char *log_path);

#endif
