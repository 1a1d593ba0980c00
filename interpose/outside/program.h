/* The file that the program is from. Outside only. */
#ifndef MALLOSCOPE_OUTSIDE_PROGRAM_H
#define MALLOSCOPE_OUTSIDE_PROGRAM_H

#include <stddef.h>

/* Its absolute path. The length, 0: unknown. */
size_t program_path(char *ret_path, size_t bytes);

#endif
