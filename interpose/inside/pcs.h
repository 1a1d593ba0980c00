/* Numbers for code addresses, so that a frame costs two bytes in the log. A
 * number is announced by a record before its first use and is never given to
 * another address; an address may get several.
 *
 * One table for the process, insert-only and lock-free; a small one for each
 * context before it. May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_PCS_H
#define MALLOSCOPE_INSIDE_PCS_H

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

struct context;

struct pc_entry {
    _Atomic uint64_t pc;
    _Atomic uint32_t id; /* 0: not yet */
};

#define PC_LEVELS 10
#define PC_LEVEL0_BITS 13 /* each level is twice the one before */

struct pc_table {
    _Atomic uint32_t last_id;
    struct pc_entry *_Atomic level[PC_LEVELS];
};

#define PC_CACHE_BITS 10

struct pc_cache {
    struct { uint64_t pc; uint32_t id; } entry[1 << PC_CACHE_BITS];
};

static inline void pc_cache_clear(struct pc_cache *cache)
{
    memset(cache, 0, sizeof *cache);
}

/* The number of a return address; may log records. 0: the log is full. */
uint32_t pc_number(struct context *c, uint64_t pc);

/* Forgets the numbers of a range of addresses whose code has gone. */
void pc_table_forget(struct pc_table *table, uint64_t start, uint64_t end);

#endif
