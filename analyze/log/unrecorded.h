/* The session's unrecorded file (format/layout.h): made with the log, read whenever somebody takes in what processes
 * have left, removed when the session is over. */
#ifndef MALLOSCOPE_LOG_UNRECORDED_H
#define MALLOSCOPE_LOG_UNRECORDED_H

#include <stdbool.h>
#include <stdint.h>

/* Where memory has no room for it, there is none. It is held as long as this process is there (log/hold.h). */
void unrecorded_make(const uint8_t session[16]);

/* Removes some of those that this user's earlier sessions have left, as `record` was killed and nobody has read the log: of
 * which all is in the log, that no `record` holds, and whose session no process has inherited. */
void unrecorded_sweep(bool (*inherited)(const uint8_t session[16]));

/* Appends to the log what is new in it. 0, also where there is none, or -errno. */
int unrecorded_adopt(int log_fd, const uint8_t session[16]);

/* Appends that so many programs ran of which nothing else is known. 0 or -errno. */
int unrecorded_append_count(int log_fd, uint64_t programs);

void unrecorded_remove(const uint8_t session[16]);

#endif
