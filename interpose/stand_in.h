/* What every function needs that stands in for another. */
#ifndef MALLOSCOPE_STAND_IN_H
#define MALLOSCOPE_STAND_IN_H

#include "interpose/inside/arch.h"
#include "interpose/inside/walk.h"
#include "interpose/outside/own_calls.h"

#include <dlfcn.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* Who calls the function that this stands in. */
#define CALLER __builtin_return_address(0)
#define HERE (&(struct walk_start){ (uint64_t)CALLER, ARCH_CALLER_SP, *(const uint64_t *)__builtin_frame_address(0) })

/* return f(...), without a frame of ours below the real function's. */
#if defined(__has_attribute) && __has_attribute(musttail)
#define JUMP __attribute__((musttail)) return
#else
#define JUMP return /* gcc makes it a jump where optimizing; test_allocators.py looks */
#endif

/* Puts the address of the next function of this name after ours into a pointer to one;
 * where there is none, the pointer stays as it is, and dlerror() would say so until the
 * next success: those that may be missing come first. */
static inline void stand_in_find(const char *name, void *pointer)
{
    own_calls_bind();
    void *found = dlsym(RTLD_NEXT, name);
    if (found)
        memcpy(pointer, &found, sizeof found);
}

#endif
