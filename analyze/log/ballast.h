/* Room on the log's disk that is held while a session records, so that a full disk
 * is not so full that what has been recorded cannot be packed or merged, which gives more
 * room than it takes. It goes with this process, however that dies. */
#ifndef MALLOSCOPE_LOG_BALLAST_H
#define MALLOSCOPE_LOG_BALLAST_H

#include <stdbool.h>

/* Takes it beside the log; one for a process. 0, also where the file system cannot tell, or
 * -errno: there is no room, -ENOSPC or -EDQUOT. */
int ballast_take(const char *log_path);

/* Gives it back, for a write to fd that has found no room. False: there was none. Any thread. */
bool ballast_drop(int fd);

/* Whether room has run out: it was dropped for an append(). */
bool ballast_is_gone(void);

#endif
