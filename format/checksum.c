/* XXH64 from its specification: four lanes of 8 bytes for the bulk, then the
 * rest by 8, 4 and 1 bytes, then a final mix. */
#include "format/checksum.h"

#include <string.h>

static const uint64_t prime1 = 0x9E3779B185EBCA87ull, prime2 = 0xC2B2AE3D27D4EB4Full,
                      prime3 = 0x165667B19E3779F9ull, prime4 = 0x85EBCA77C2B2AE63ull,
                      prime5 = 0x27D4EB2F165667C5ull;

static inline uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static inline uint64_t load64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t lane_round(uint64_t lane, uint64_t input)
{
    return rotate(lane + input * prime2, 31) * prime1;
}

uint64_t checksum(const void *data, size_t bytes)
{
    const uint8_t *at = data, *end = at + bytes;
    uint64_t hash = prime5;

    if (bytes >= 32) {
        uint64_t lane[4] = { prime1 + prime2, prime2, 0, 0 - prime1 };
        for (; end - at >= 32; at += 32)
            for (int i = 0; i < 4; i++)
                lane[i] = lane_round(lane[i], load64(at + 8 * i));
        hash = rotate(lane[0], 1) + rotate(lane[1], 7) + rotate(lane[2], 12) + rotate(lane[3], 18);
        for (int i = 0; i < 4; i++)
            hash = (hash ^ lane_round(0, lane[i])) * prime1 + prime4;
    }
    hash += bytes;
    for (; end - at >= 8; at += 8)
        hash = rotate(hash ^ lane_round(0, load64(at)), 27) * prime1 + prime4;
    if (end - at >= 4) {
        uint32_t word;
        memcpy(&word, at, sizeof word);
        hash = rotate(hash ^ word * prime1, 23) * prime2 + prime3;
        at += 4;
    }
    for (; at < end; at++)
        hash = rotate(hash ^ *at * prime5, 11) * prime1;
    hash = (hash ^ hash >> 33) * prime2;
    hash = (hash ^ hash >> 29) * prime3;
    return hash ^ hash >> 32;
}
