/* Opening the log and the live file beside it. Outside only. */
#ifndef MALLOSCOPE_OUTSIDE_LOG_FILE_H
#define MALLOSCOPE_OUTSIDE_LOG_FILE_H

#include "format/record.h"
#include "interpose/outside/config.h"

/* Opens the session's log into session.log and session.id: the one that record
 * has made, or a new one that is never an existing file. 0 or -errno. */
int log_file_open(const struct config *config);

/* To be called once the live file is there, which tells that this process runs: looks
 * whether the spool, opened before or by a parent, is about to be removed all the same,
 * and if so opens the log in its place. 0 or -errno. */
int log_file_confirm(void);

/* Makes this process's live file and maps its header, into session.live.
 * *ret_start becomes REC_START_EXEC where an earlier program of this process
 * has left one. A forked child that can have none becomes a guest in its parent's:
 * process->guest_start. 0 or -errno. */
int log_file_make_live(enum rec_start *ret_start);

/* The inode number of this process's pid namespace, and field 22 of its stat; 0: unknown. */
uint64_t log_file_pid_namespace(void);
uint64_t log_file_process_began(void);

/* Whether an earlier program of this process has been recorded into the log at path. */
bool log_file_has_earlier(const char *path, const uint8_t id[16]);

#endif
