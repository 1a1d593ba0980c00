/* callers.c and its library. */
#ifndef CALLERS_H
#define CALLERS_H

#include <stddef.h>

void *xmalloc(size_t size);
void callers_library(int count, size_t size);
void callers_library_end(void);

#endif
