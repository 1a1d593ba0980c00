/* The library's own code, by its addresses. May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_OWN_CODE_H
#define MALLOSCOPE_INSIDE_OWN_CODE_H

#include <stdbool.h>
#include <stdint.h>

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char etext[] __attribute__((visibility("hidden")));

static inline bool own_code_has(uint64_t pc)
{
    return pc - (uint64_t)__ehdr_start < (uint64_t)etext - (uint64_t)__ehdr_start;
}

#endif
