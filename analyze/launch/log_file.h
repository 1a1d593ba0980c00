/* Making the session's log before the program runs, so that all that can go
 * wrong is said then. */
#ifndef MALLOSCOPE_LAUNCH_LOG_FILE_H
#define MALLOSCOPE_LAUNCH_LOG_FILE_H

#include "analyze/util.h"

#include <sys/types.h>

#define ANOTHER_PLACE "name another place with -o" /* in messages, at their end */

struct log_file {
    char *path; /* absolute */
    int fd;
    uint8_t session[16];
    bool packed;
};

/* Makes the log that a template names (format/output_name.h), mode 0600, with
 * its header, and where it is to be packed its spool. An existing file is replaced only
 * where force is set, and no session runs that is recorded into it. 0 or -errno with a message; then nothing is left behind. */
int log_file_make(const char *pattern, const char *program, pid_t pid, bool force, bool packed,
                  struct log_file *ret_file, struct failure *ret_failure);
void log_file_release(struct log_file *file);

/* Whether a session still writes there. */
bool log_file_is_in_use(const char *path);

/* Whether its path still leads to it. */
bool log_file_is_there(const struct log_file *file);

/* Whether it still begins as a log of this session: it does not once somebody has emptied or
 * overwritten it. */
bool log_file_is_whole(const struct log_file *file);

/* Writes its header again, before what has been appended since. To be called when the program
 * has ended. 0 or -errno; -EBUSY: a process that outlives it still appends. */
int log_file_restore(const struct log_file *file);

/* Takes back a log that nothing was recorded into. */
void log_file_discard(struct log_file *file);

/* "NAME=VALUE" for the environment of the session's programs. To be freed. first: the
 * pid of the first one, by which the recorder knows where not to record; 0: all are. */
char *log_file_session(const struct log_file *file, pid_t first);

/* Appends what the launcher knows at the start: command line, host, version; flags: rec_session_flags. */
int log_file_begin(struct log_file *file, char **command, pid_t first, unsigned flags);

#endif
