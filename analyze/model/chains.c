/* A block is known by its number, which realloc changes. So what is known lies in a table by number; numbers only
 * ever rise, so that of the places that a number may have, the one with the lowest is what has not grown for
 * longest. Nothing is done when a block is freed.
 *
 * Most blocks that grow do so once or twice, and each look at the table is a cache miss. So it is left alone
 * until the block itself says that it has grown BLOCK_GROWN_MAX times. */
#include "analyze/model/chains.h"

#define SETS 8192u
#define WAYS 4u

struct chain {
    uint64_t copied_bytes;
    uint32_t steps;
    uint32_t leaf, votes; /* if one stack makes more than half of the steps, it is this one (Boyer and Moore) */
    bool is_counted;
};

/* Of its last block; 0: an empty place. */
static uint64_t *numbers_of(const struct chains *c, uint64_t number)
{
    return &c->numbers[number % SETS * WAYS];
}

void chains_prefetch(const struct chains *c, uint64_t number)
{
    if (c->numbers)
        __builtin_prefetch(numbers_of(c, number));
}

/* False: it is not known. */
static bool take_out(struct chains *c, uint64_t number, struct chain *ret_chain)
{
    uint64_t *numbers = numbers_of(c, number);

    for (size_t i = 0; i < WAYS; i++)
        if (numbers[i] == number) {
            *ret_chain = c->known[numbers + i - c->numbers];
            numbers[i] = 0;
            return true;
        }
    return false;
}

static void put(struct chains *c, uint64_t number, const struct chain *chain)
{
    uint64_t *numbers = numbers_of(c, number), *place = numbers;

    for (size_t i = 1; i < WAYS; i++)
        if (numbers[i] < *place)
            place = &numbers[i];
    *place = number;
    c->known[place - c->numbers] = *chain;
}

static struct chains_stack *stack_of(struct chains *c, uint32_t leaf)
{
    c->number_of = grow(c->number_of, &c->number_capacity, leaf + 1, sizeof *c->number_of);
    if (!c->number_of[leaf]) {
        c->of = grow(c->of, &c->capacity, c->count + 1, sizeof *c->of);
        c->of[c->count++] = (struct chains_stack){ .leaf = leaf };
        c->number_of[leaf] = (uint32_t)c->count;
    }
    return &c->of[c->number_of[leaf] - 1];
}

/* By 1 or -1; size: of its last block. */
static void count(struct chains *c, const struct chain *chain, uint64_t size, uint64_t by)
{
    struct chains_stack *stack = stack_of(c, chain->leaf);

    stack->chains += by;
    stack->steps += by * chain->steps;
    stack->copied_bytes += by * chain->copied_bytes;
    stack->final_bytes += by * size;
}

static void vote(struct chain *chain, uint32_t leaf)
{
    if (chain->leaf == leaf || !chain->votes) {
        chain->leaf = leaf;
        chain->votes++;
    } else {
        chain->votes--;
    }
}

static void step(struct chains *c, struct chain *chain, uint64_t old_size, const struct block *now)
{
    if (chain->is_counted)
        count(c, chain, old_size, -1ull);
    chain->steps++;
    chain->copied_bytes += old_size;
    vote(chain, now->leaf);
    chain->is_counted = chain->copied_bytes / CHAINS_COPIED_LEAST >= now->size;
    if (chain->is_counted)
        count(c, chain, now->size, 1);
}

void chains_take(struct chains *c, const struct block *old, const struct block *now)
{
    struct chain chain = { .steps = old->grown < BLOCK_GROWN_MAX ? old->grown : 0 };

    if (!c->numbers) {
        c->numbers = alloc_zeroed((size_t)SETS * WAYS, sizeof *c->numbers);
        c->known = alloc_zeroed((size_t)SETS * WAYS, sizeof *c->known);
    }
    bool known = old->grown == BLOCK_GROWN_MAX && take_out(c, old->number, &chain);
    if (old->size < now->size)
        step(c, &chain, old->size, now);
    else if (!known)
        return;
    put(c, now->number, &chain);
}

void chains_release(struct chains *c)
{
    free(c->numbers);
    free(c->known);
    free(c->of);
    free(c->number_of);
    *c = (struct chains){ 0 };
}
