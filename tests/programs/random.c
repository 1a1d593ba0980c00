/* random SEED OPERATIONS [no-pvalloc]: a random mix of everything, with sizes spread evenly
 * over the powers of two. The blocks' content is checked on the way. */
#define TRUTH_BUFFERED
#include "truth.h"

#define BLOCKS 2048

struct block {
    unsigned char *at;
    size_t size;
};

static struct block blocks[BLOCKS];
static uint64_t state;
static unsigned spoilt;
static bool has_pvalloc;

static uint64_t any(uint64_t below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (state * 0x2545f4914f6cdd1dull >> 20) % below;
}

static size_t any_size(void)
{
    uint64_t top = any(1000) == 0 ? 22 : any(13);
    return (size_t)any((2ull << top)); /* 0 is one of them */
}

static unsigned char mark(const struct block *b)
{
    return (unsigned char)((uintptr_t)(b - blocks) * 7 + 1);
}

static void fill(struct block *b, unsigned char *at, size_t size)
{
    b->at = at;
    b->size = size;
    if (size) {
        at[0] = at[size / 2] = at[size - 1] = mark(b);
    }
}

static void expect(const struct block *b)
{
    spoilt += b->size && (b->at[0] != mark(b) || b->at[b->size / 2] != mark(b) || b->at[b->size - 1] != mark(b));
}

static void fresh(struct block *b)
{
    size_t size = any_size(), alignment = (size_t)8 << any(10);
    void *at = NULL;

    switch (any(9)) {
    default: at = t_malloc(size); break;
    case 1: at = t_calloc(1, size); break;
    case 2: at = t_realloc(NULL, size); break;
    case 3: at = t_reallocarray(NULL, size / 8, 8); size = size / 8 * 8; break;
    case 4: t_posix_memalign(&at, alignment, size); break;
    case 5: at = t_aligned_alloc(alignment, size); break;
    case 6: at = t_memalign(alignment, size); break;
    case 7: at = any(20) ? t_malloc(size) : t_valloc(size); break;
    case 8: at = any(20) || !has_pvalloc ? t_calloc(size, 1) : t_pvalloc(size); break;
    }
    fill(b, at, size);
}

static void change(struct block *b)
{
    size_t size = any_size();

    expect(b);
    if (any(50) == 0) {
        unsigned char *failed = t_realloc(b->at, SIZE_MAX / 2 + 1 + size);
        if (failed)
            spoilt++;
        return;
    }
    size_t kept = b->size < size ? b->size : size;
    unsigned char first = mark(b), *at = any(2) ? t_realloc(b->at, size) : t_reallocarray(b->at, 1, size);
    spoilt += kept && at[0] != first;
    fill(b, at, size);
}

int main(int argc, char **argv)
{
    unsigned long operations = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;

    has_pvalloc = argc < 4;
    state = argc > 1 ? strtoul(argv[1], NULL, 10) | 1 : 1;
    for (unsigned long i = 0; i < operations; i++) {
        struct block *b = &blocks[any(BLOCKS)];
        if (!b->at) {
            fresh(b);
        } else if (any(3) == 0) {
            change(b);
        } else {
            expect(b);
            t_free(b->at);
            *b = (struct block){ 0 };
        }
    }
    for (struct block *b = blocks; b < blocks + BLOCKS; b += 2) /* half of them leak */
        t_free(b->at);
    truth_flush();
    say("%u blocks spoilt\n", spoilt);
    return spoilt != 0;
}
