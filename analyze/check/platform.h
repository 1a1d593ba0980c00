/* Which platform's baseline is meant: what a program allocates depends on the C library, on the architecture and, by
 * what is inlined and left out, on the compiler. */
#ifndef MALLOSCOPE_CHECK_PLATFORM_H
#define MALLOSCOPE_CHECK_PLATFORM_H

#include "analyze/model/code.h"

/* "glibc", "musl", or "libc" where it is not known. */
const char *platform_libc_of_loader(const char *path); /* NULL: it is not known */
const char *platform_libc_of_code(const struct code *code);

/* "linux/x86_64/glibc", "linux/x86_64/glibc/gcc-13" with a compiler; of this machine. To be freed. */
char *platform_name(const char *libc, const char *compiler);

/* "glibc 2.36" where it is this program's own and says so; else as it is. To be freed. */
char *platform_libc_version(const char *libc);

#endif
