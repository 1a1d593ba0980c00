/* Which of the tables a block goes into, and the one of whole blocks: open addressing. */
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

static bool take_whole(struct blocks *b, uint64_t address, struct block *ret_block)
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

/* --- all --------------------------------------------------------------------- */

void blocks_release(struct blocks *b)
{
    regions_release(&b->regions);
    spread_release(&b->spread);
    free(b->whole);
    *b = (struct blocks){ 0 };
}

static void move_block(void *data, const struct block *block)
{
    struct block old;

    spread_put(data, block, &old);
}

/* For good: what a program does changes seldom. */
static void spread_out(struct blocks *b)
{
    regions_each(&b->regions, move_block, &b->spread);
    regions_release(&b->regions);
    b->is_spread = true;
}

static bool take_packed(struct blocks *b, uint64_t address, struct block *ret_block)
{
    if (b->is_spread)
        return regions_fit_address(address) && spread_take(&b->spread, address, ret_block);
    return regions_take(&b->regions, address, ret_block);
}

bool blocks_take_mixed(struct blocks *b, uint64_t address, struct block *ret_block)
{
    return take_packed(b, address, ret_block) || take_whole(b, address, ret_block);
}

bool blocks_put_mixed(struct blocks *b, const struct block *block, struct block *ret_old)
{
    if (b->regions.are_lonely)
        spread_out(b);
    bool replaced = take_whole(b, block->address, ret_old);
    if (regions_fit(block))
        return (b->is_spread ? spread_put(&b->spread, block, ret_old) : regions_put(&b->regions, block, ret_old)) || replaced;
    replaced |= take_packed(b, block->address, ret_old);
    if (b->whole_used * 2 >= b->whole_capacity)
        enlarge_whole(b);
    *find_whole(b, block->address) = *block;
    b->whole_used++;
    return replaced;
}

bool blocks_has(const struct blocks *b, uint64_t address)
{
    bool has = b->is_spread ? regions_fit_address(address) && spread_has(&b->spread, address) : regions_have(&b->regions, address);

    return has || (b->whole_used && find_whole(b, address)->address);
}

void blocks_each(const struct blocks *b, void (*use)(void *data, const struct block *block), void *data)
{
    regions_each(&b->regions, use, data);
    spread_each(&b->spread, use, data);
    for (size_t i = 0; i < b->whole_capacity; i++)
        if (b->whole[i].address)
            use(data, &b->whole[i]);
}
