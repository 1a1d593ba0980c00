/* Does recording work here? A small program, this one again, is run with the shim
 * as `record` would run it, and the log is looked at for what it did. */
#ifndef MALLOSCOPE_LAUNCH_HANDSHAKE_H
#define MALLOSCOPE_LAUNCH_HANDSHAKE_H

#include "analyze/launch/log_file.h"

#define HANDSHAKE_BLOCKS 3

struct handshake {
    bool ran;            /* the small program came to its end as it should */
    bool too_slow;
    char said[160];      /* the first line that it, or its loader, printed; mostly "" */
    bool loaded;         /* the shim was in it and made its record of the process */
    bool has_own_malloc; /* this build has one (a sanitizer's), so that no blocks can be expected */
    unsigned blocks;     /* of HANDSHAKE_BLOCKS that are in the log with their stacks and frees */
    bool counter;        /* stamps come from the CPU's counter */
    uint64_t lost_events;
    int lost_reason;     /* errno; 0 */
};

/* file: a fresh log, which stays the caller's. 0 or -errno. */
int handshake_try(const char *shim, const struct log_file *file, struct handshake *ret_handshake);

/* The small program: the status to exit with. */
int handshake_act(void);

#endif
