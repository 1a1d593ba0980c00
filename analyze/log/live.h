/* The live files beside a log: what processes had in their buffers when they
 * ended, or have there now. */
#ifndef MALLOSCOPE_LOG_LIVE_H
#define MALLOSCOPE_LOG_LIVE_H

#include "analyze/log/log.h"

#include <time.h>

/* Whether a live file's process still runs, on this machine. */
bool live_is_running(const struct rec_live_header *header);

/* Whether a process of this log's session runs. */
bool live_any_running(const char *log_path);
bool live_any_running_of(const char *log_path, const uint8_t session[16]);

/* Who still ran when the log was opened, by index among its processes. known: it runs itself; else it did, or one that it has forked does,
 * which has recorded nothing yet. False: nobody. */
bool live_find_running(const struct log *log, uint32_t *ret_process, bool *ret_known);

/* Appends to the log what the spool and the live files of ended processes hold, and removes
 * those files: afterwards the log is one file that is complete in itself. Live
 * files of running processes stay. An interruption at any point loses nothing:
 * the reader drops what is there twice. 0 or -errno; then files stay as well. */
int live_adopt(const char *log_path);

/* Removes the live files of ended processes of a log that is about to go. */
void live_discard(const char *log_path);

/* The same, and its spool, for a log that has gone: what nobody can read any more. */
void live_discard_session(const char *log_path, const uint8_t session[16]);

/* How the names of a log's live files begin, for a message. To be freed. */
char *live_names(const char *log_path);

/* For the files of this folder. */
struct log_slot {
    struct rec_live_slot head;
    struct rec_chunk_header chunk;
    uint8_t payload[];
};

/* Calls use() for the path of every live file of the log, or what has such a name, until it
 * returns another value than 0. */
int live_each(const char *log_path, const uint8_t session[16], int (*use)(void *data, const char *path), void *data);

/* Whether there is such a file, whatever became of what was in it: some process had the library loaded. */
bool live_is_there(const char *log_path, const uint8_t session[16]);

/* A descriptor of a sound live file of this session, or -1. */
int live_open(const char *path, const uint8_t session[16], struct rec_live_header *ret_header, uint64_t *ret_bytes);

/* Whether the file's process or one of its guests still runs, or somebody has it locked. */
bool live_is_used(int fd, const struct rec_live_header *live, uint64_t bytes);
bool live_is_locked(int fd);

/* Whether the process that now has this pid may have made a file at that time: it runs, and
 * did so then. */
bool live_may_be_of(uint32_t pid, const struct timespec *made);

uint64_t live_slot_offset(size_t number);

/* Whether the file ends amid what its process wrote: somebody has cut it short, and what was behind
 * is lost. A slot for which there was no room has nothing. */
bool live_is_cut(int fd, uint64_t bytes);

/* The chunk in a slot as it is at one moment, though its thread goes on: that
 * only appends until it begins another chunk. Of a slot that the file's end cuts, what is
 * there. slot has room for a whole slot.
 * False: there is no chunk. */
bool live_read_slot(int fd, const struct rec_live_header *live, size_t number, struct log_slot *slot);

/* Whether the slot is its file's process's, or a forked child's that is a guest there. */
bool live_is_owned(const struct rec_live_header *live, const struct log_slot *slot);
bool live_is_of_header(const struct rec_live_header *live, const struct rec_chunk_header *chunk);

#endif
