/* Which recorded processes ran a program that has a malloc of its own, linked in and not
 * exported: the recorder sees nothing of the program's own calls, and cannot know it. The
 * executable's symbols tell, while it is there. (An exported one the recorder finds itself.) */
#ifndef MALLOSCOPE_COMMANDS_OWN_HEAPS_H
#define MALLOSCOPE_COMMANDS_OWN_HEAPS_H

#include "analyze/log/log.h"

struct own_heaps {
    size_t processes, programs;
    char *program; /* path of the first; NULL: there is none */
};

/* Looks once at each executable of the log's processes, and appends a record for each such
 * process to the log at fd. 0 or -errno. */
int own_heaps_note(const struct log *log, int fd, struct own_heaps *ret_heaps);
void own_heaps_release(struct own_heaps *heaps);
#define _cleanup_own_heaps_ __attribute__((cleanup(own_heaps_release)))

#endif
