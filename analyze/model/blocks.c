/* Which of the two tables a block goes into, and the one of whole blocks: open addressing. */
#include "analyze/model/blocks.h"

#include "analyze/hash.h"

static size_t whole_home(const struct blocks *b, uint64_t address)
{
    return (size_t)hash_add(0, address) & (b->whole_capacity - 1);
}

static struct block *find_whole(const struct blocks *b, uint64_t address)
{
    size_t at = whole_home(b, address);

    while (b->whole[at].address && b->whole[at].address != address)
        at = (at + 1) & (b->whole_capacity - 1);
    return &b->whole[at];
}

static void enlarge_whole(struct blocks *b)
{
    struct block *old = b->whole;
    size_t old_capacity = b->whole_capacity;

    b->whole_capacity = old_capacity ? old_capacity * 2 : 64;
    b->whole = alloc_zeroed(b->whole_capacity, sizeof *b->whole);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].address)
            *find_whole(b, old[i].address) = old[i];
    free(old);
}

bool blocks_take_whole(struct blocks *b, uint64_t address, struct block *ret_block)
{
    struct block *place = address && b->whole_used ? find_whole(b, address) : NULL;

    if (!place || !place->address)
        return false;
    *ret_block = *place;
    b->whole_used--;
    size_t hole = (size_t)(place - b->whole), mask = b->whole_capacity - 1;
    for (size_t at = (hole + 1) & mask; b->whole[at].address; at = (at + 1) & mask)
        if (((at - whole_home(b, b->whole[at].address)) & mask) >= ((at - hole) & mask)) {
            b->whole[hole] = b->whole[at];
            hole = at;
        }
    b->whole[hole] = (struct block){ 0 };
    return true;
}

/* --- both -------------------------------------------------------------------- */

void blocks_release(struct blocks *b)
{
    regions_release(&b->regions);
    free(b->whole);
    *b = (struct blocks){ 0 };
}

bool blocks_put_mixed(struct blocks *b, const struct block *block, struct block *ret_old)
{
    bool replaced = blocks_take_whole(b, block->address, ret_old);

    if (regions_fit(block))
        return regions_put(&b->regions, block, ret_old) || replaced;
    replaced |= regions_take(&b->regions, block->address, ret_old);
    if (b->whole_used * 2 >= b->whole_capacity)
        enlarge_whole(b);
    *find_whole(b, block->address) = *block;
    b->whole_used++;
    return replaced;
}

bool blocks_has(const struct blocks *b, uint64_t address)
{
    return regions_have(&b->regions, address) || (b->whole_used && find_whole(b, address)->address);
}

void blocks_each(const struct blocks *b, void (*use)(void *data, const struct block *block), void *data)
{
    regions_each(&b->regions, use, data);
    for (size_t i = 0; i < b->whole_capacity; i++)
        if (b->whole[i].address)
            use(data, &b->whole[i]);
}
