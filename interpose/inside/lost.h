/* Calls that are not logged, for their thread has no context: recording has stopped, or cannot begin there. They are
 * counted as the events that a log would have: none for what has failed, two for a realloc, and what is selected
 * (select.h) only. Calls that are no events anyway (the allocator's own, or of a thread that is busy with another) are
 * told from them here. pc: the hook's caller. Inside a traced malloc; errno is kept. */
#ifndef MALLOSCOPE_INSIDE_LOST_H
#define MALLOSCOPE_INSIDE_LOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* After the real call. block NULL: it has failed. */
void lost_alloc(const void *block, size_t size, uint64_t pc);

/* Before the real call. True: it has counted. */
bool lost_free(const void *block, uint64_t pc);

/* A realloc has failed, and its block is as it was; counted: what lost_free has said. */
void lost_free_undone(const void *block, uint64_t pc, bool counted);

#endif
