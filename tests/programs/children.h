/* For programs that have children: what these do, and how they end. */
#ifndef MALLOSCOPE_TESTS_CHILDREN_H
#define MALLOSCOPE_TESTS_CHILDREN_H

#include "truth.h"

#include <sys/wait.h>

/* Told, and of sizes by which the caller is known. */
static UNUSED void some_calls(size_t size)
{
    void *p = t_malloc(size), *q = t_calloc(2, size);

    p = t_realloc(p, size * 3);
    t_free(p);
    t_free(q);
    t_malloc(size + 1); /* never freed */
}

static UNUSED int await_child(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* Waits for a child, and prints how it ended. */
static UNUSED void wait_for(pid_t child, const char *what)
{
    say("%s: status %#x\n", what, await_child(child));
}

#endif
