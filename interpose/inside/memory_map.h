/* The kernel's list of mappings, asked about one address, through a descriptor that
 * outside/start.c opens. Costs system calls: for rare questions. May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_MEMORY_MAP_H
#define MALLOSCOPE_INSIDE_MEMORY_MAP_H

#include <stdbool.h>
#include <stdint.h>

struct memory_range {
    uint64_t start, end;
    bool readable, executable;
};

/* Room for a piece of the list where the kernel has it as text only: the program's stack may have none. */
struct memory_text {
    char bytes[2048];
};

/* The mapping that address is in. False: none, or the kernel does not tell. */
bool memory_find(struct memory_text *text, uint64_t address, struct memory_range *ret_range);

/* Whether the 8 bytes at address can be read. */
bool memory_can_read(struct memory_text *text, uint64_t address);

/* Whether so many bytes there are code, which can be run and read. */
bool memory_is_code(struct memory_text *text, uint64_t address, uint64_t bytes);

#endif
