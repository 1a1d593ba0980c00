/* analyze/model/blocks against a plain array: random puts and takes of blocks of all
 * kinds, those that fit into a small place and those that do not. */
#include "analyze/model/blocks.h"

#include "tests/unit/check.h"
#include "tests/unit/random.h"

#include <string.h>

#define ADDRESSES 20000 /* at most 1 << 15 */
#define ROUNDS 400000

static uint64_t spacing; /* bytes between most addresses */

static struct block known[ADDRESSES]; /* address 0: not live */
static size_t known_count;

static uint64_t address_of(size_t which)
{
    switch (which % 8) {
    case 0:
        return 8 * which + 8; /* the lowest */
    case 1:
        return 0x7fff00000000 + which; /* no multiple of 8 but for some */
    case 2:
        return 0xff00000000000000 + 16 * which; /* tagged, or a kernel's */
    default:
        return 0x55d000000000 + spacing * which;
    }
}

static struct block random_block(size_t which)
{
    struct block block = { .address = address_of(which), .size = random_below(5000), .number = random_below(1 << 20),
                           .born_us = random_below(1 << 30), .leaf = (uint32_t)(random_below(1u << 15) << 15 | which), /* see() finds it by that */
                           .grown = (uint8_t)random_below(BLOCK_GROWN_MAX + 1) };

    if (random_below(20) == 0)
        block.size = (1ull << 32) - 2 + random_below(4);
    if (random_below(50) == 0)
        block.number = (1ull << 40) - 2 + random_below(4);
    if (random_below(50) == 0)
        block.born_us = (1ull << 40) - 2 + random_below(4);
    return block;
}

static bool equal(const struct block *a, const struct block *b)
{
    return a->address == b->address && a->size == b->size && a->number == b->number && a->born_us == b->born_us && a->leaf == b->leaf &&
           a->grown == b->grown;
}

struct seen {
    size_t count, wrong;
    bool which[ADDRESSES];
};

static void see(void *data, const struct block *block)
{
    struct seen *seen = data;

    seen->count++;
    size_t which = block->leaf & 0x7fff;
    bool right = which < ADDRESSES && equal(&known[which], block) && !seen->which[which];
    seen->wrong += !right;
    if (right)
        seen->which[which] = true;
}

static void look_at_all(const struct blocks *blocks)
{
    static struct seen seen;

    seen = (struct seen){ 0 };
    blocks_each(blocks, see, &seen);
    CHECK(seen.count == known_count && seen.wrong == 0);
}

static bool put(struct blocks *blocks, size_t which)
{
    struct block block = random_block(which), old;
    bool was_known = known[which].address != 0, replaced = blocks_put(blocks, &block, &old);
    bool right = replaced == was_known && (!replaced || equal(&old, &known[which]));

    known_count += !was_known;
    known[which] = block;
    return right;
}

static bool take(struct blocks *blocks, size_t which)
{
    struct block block;
    bool was_known = known[which].address != 0;
    bool right = blocks_has(blocks, address_of(which)) == was_known;

    if (blocks_prefetch(blocks, address_of(which)))
        blocks_prefetch_place(blocks, address_of(which));
    right &= blocks_take(blocks, address_of(which), &block) == was_known && (!was_known || equal(&block, &known[which]));
    known_count -= was_known;
    known[which] = (struct block){ 0 };
    return right;
}

/* Close together, or so far from one another that they are all spread out at some time. */
static void test(uint64_t bytes)
{
    struct blocks blocks = { 0 };
    struct block none;
    bool right = true;

    spacing = bytes;
    CHECK(!blocks_take(&blocks, 0, &none) && !blocks_take(&blocks, 8, &none) && !blocks_has(&blocks, 8));
    for (int round = 0; round < ROUNDS && right; round++) {
        unsigned puts = round / 50000 % 2 ? 4 : 8; /* of 10: it grows, and shrinks */
        size_t which = random_below(ADDRESSES);
        right = random_below(10) < puts ? put(&blocks, which) : take(&blocks, which);
        if (round % 20000 == 0)
            look_at_all(&blocks);
    }
    CHECK(right && blocks.is_spread == (bytes > 256));
    for (size_t i = 0; i < ADDRESSES; i++)
        right &= take(&blocks, i);
    CHECK(right && known_count == 0);
    look_at_all(&blocks);
    size_t searched = 0;
    for (size_t i = 0; i < ADDRESSES; i++)
        searched += blocks_prefetch(&blocks, address_of(i));
    blocks_release(&blocks);
    for (size_t i = 0; i < ADDRESSES; i++) /* it is too late, and no harm */
        blocks_prefetch_place(&blocks, address_of(i));
    CHECK(searched > 100);
}

int main(void)
{
    test(16);
    test(48);
    test(4096);
    return check_summary();
}
