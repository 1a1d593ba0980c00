/* The program's next allocator, found with dlsym(RTLD_NEXT): glibc's, or
 * whatever the program links or preloads after us.
 *
 * Every member can be called at any time. Until the lookup is done it is a
 * function of resolve.c, which does the lookup, or serves from the early heap
 * when it is the lookup itself that allocates. */
#ifndef MALLOSCOPE_OUTSIDE_RESOLVE_H
#define MALLOSCOPE_OUTSIDE_RESOLVE_H

#include <stddef.h>

struct real {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*reallocarray)(void *, size_t, size_t);
    void (*free)(void *);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    /* Where the next allocator lacks one of these, plain free. */
    void (*cfree)(void *);
    void (*free_sized)(void *, size_t);
    void (*free_aligned_sized)(void *, size_t, size_t);
};

extern struct real real;

/* Does the lookup now, unless it is done or under way. */
void resolve_real(void);

#endif
