/* Hashes with a key that each run draws anew. What is in a log or a debug file was chosen by others: were the
 * hash known to them, they could have it all meet in one place of a table, and reading would take the square
 * of its length. Without the key nobody can.
 *
 * So neither a hash nor the order of a table's places may show in what is said: two runs say the same.
 * To be called from anywhere, by all threads. */
#ifndef MALLOSCOPE_ANALYZE_HASH_H
#define MALLOSCOPE_ANALYZE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Random, from before main() on. Hidden, as it is read for each event. */
extern uint64_t hash_key[2] __attribute__((visibility("hidden")));

/* The hash of some numbers in a row: begun with 0, continued with what came of the one before. A
 * table may go by any of its bits. */
static inline uint64_t hash_add(uint64_t hash, uint64_t number)
{
    uint64_t both = hash ^ number;
    unsigned __int128 product = (unsigned __int128)(both ^ hash_key[0]) * (both + hash_key[1]);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hash_add_bytes(uint64_t hash, const void *data, size_t bytes);
uint64_t hash_add_text(uint64_t hash, const char *text); /* NULL is none, and not "" */

#endif
