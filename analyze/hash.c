/* A product of two numbers that nobody knows who does not know the key, folded: which inputs have
 * the same upper and lower half together cannot be told then, and what comes out is mixed with
 * what goes in next, so that a row of them is no better known. */
#include "analyze/hash.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

uint64_t hash_key[2];

__attribute__((constructor)) static void draw_key(void)
{
    struct timespec now;

    if (getentropy(hash_key, sizeof hash_key) == 0)
        return;
    clock_gettime(CLOCK_REALTIME, &now); /* a kernel or a filter without it: better than nothing */
    hash_key[0] = (uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec ^ (uintptr_t)&now;
    hash_key[1] = hash_key[0] * 0xd6e8feb86659fd93ull ^ (uintptr_t)&hash_key;
}

uint64_t hash_add_bytes(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *at = data;
    uint64_t word;

    hash = hash_add(hash, bytes);
    for (; bytes >= sizeof word; at += sizeof word, bytes -= sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = hash_add(hash, word);
    }
    if (!bytes)
        return hash;
    word = 0;
    memcpy(&word, at, bytes);
    return hash_add(hash, word);
}

uint64_t hash_add_text(uint64_t hash, const char *text)
{
    return text ? hash_add_bytes(hash, text, strlen(text)) : hash_add(hash, UINT64_MAX);
}
