/* The live files beside a log: what processes had in their buffers when they
 * ended, or have there now. */
#ifndef MALLOSCOPE_LOG_LIVE_H
#define MALLOSCOPE_LOG_LIVE_H

#include "analyze/log/log.h"

/* Whether a live file's process still runs, on this machine. */
bool live_is_running(const struct rec_live_header *header);

/* Whether a process of this log's session runs. */
bool live_any_running(const char *log_path);

/* Appends to the log what the spool and the live files of ended processes hold, and removes
 * those files: afterwards the log is one file that is complete in itself. Live
 * files of running processes stay. An interruption at any point loses nothing:
 * the reader drops what is there twice. 0 or -errno; then files stay as well. */
int live_adopt(const char *log_path);

/* Removes the live files of ended processes of a log that is about to go. */
void live_discard(const char *log_path);

/* The same, and its spool, for a log that has gone: what nobody can read any more. */
void live_discard_session(const char *log_path, const uint8_t session[16]);

#endif
