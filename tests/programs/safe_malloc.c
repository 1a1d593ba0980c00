/* An allocator that signal handlers may use at any instruction, to be preloaded: in tests the real one's
 * locks must not be what fails.
 *
 * Lock-free: blocks come from a large reserved region by one atomic addition, and freed ones go to a list of
 * their power of two, whose head counts its changes, so that a head that was away and came back is noticed.
 * A thread that is interrupted, or is not there any more in a forked child, leaves every list whole. */
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *pvalloc(size_t size);

#define UNIT 16ull             /* places are counted in it: 32 bits are 64 GiB */
#define REGION_BYTES (1ull << 36)
#define LARGEST (1ull << 34)

/* Before each block. Of an aligned one there are two: at its room's begin, and just before what the
 * program gets. */
struct header {
    uint64_t bytes;        /* asked for */
    uint32_t place;        /* of the header at the room's begin */
    _Atomic uint32_t next; /* of a freed block: the place of the next one in its list; 0 none */
};

static _Atomic(char *) region;
static _Atomic uint64_t used = UNIT;    /* place 0 is none */
static _Atomic uint64_t lists[64]; /* by logarithm: changes << 32 | place */

static char *get_region(void)
{
    char *is = atomic_load_explicit(&region, memory_order_acquire);

    if (is)
        return is;
    char *mine = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mine == MAP_FAILED)
        return NULL;
    if (atomic_compare_exchange_strong(&region, &is, mine))
        return mine;
    munmap(mine, REGION_BYTES); /* another thread was faster */
    return is;
}

static struct header *header_at(uint32_t place)
{
    return (struct header *)(atomic_load_explicit(&region, memory_order_relaxed) + place * UNIT);
}

static struct header *header_of(void *block)
{
    return (struct header *)block - 1;
}

/* Room is of 2^logarithm bytes behind the header. */
static unsigned logarithm_of(uint64_t bytes)
{
    return bytes <= UNIT ? 4 : 64 - (unsigned)__builtin_clzll(bytes - 1);
}

static uint32_t pop(unsigned logarithm)
{
    uint64_t head = atomic_load(&lists[logarithm]), next;

    do {
        if (!(uint32_t)head)
            return 0;
        /* Another may have taken it, and its memory be in use: then the head has changed. */
        next = ((head >> 32) + 1) << 32 | atomic_load(&header_at((uint32_t)head)->next);
    } while (!atomic_compare_exchange_weak(&lists[logarithm], &head, next));
    return (uint32_t)head;
}

static void push(unsigned logarithm, uint32_t place)
{
    uint64_t head = atomic_load(&lists[logarithm]);

    do
        atomic_store(&header_at(place)->next, (uint32_t)head);
    while (!atomic_compare_exchange_weak(&lists[logarithm], &head, ((head >> 32) + 1) << 32 | place));
}

static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

static void *allocate(size_t bytes)
{
    unsigned logarithm = logarithm_of(bytes);

    if (bytes > LARGEST || !get_region())
        return out_of_memory();
    uint32_t place = pop(logarithm);
    if (!place) {
        uint64_t whole = sizeof(struct header) + (1ull << logarithm), at = atomic_fetch_add(&used, whole);
        if (at + whole > REGION_BYTES)
            return out_of_memory();
        place = (uint32_t)(at / UNIT);
    }
    struct header *h = header_at(place);
    h->bytes = bytes;
    h->place = place;
    return h + 1;
}

static void *allocate_aligned(size_t alignment, size_t bytes)
{
    if (alignment > LARGEST || bytes > LARGEST)
        return out_of_memory();
    if (alignment <= UNIT)
        return allocate(bytes);
    char *room = allocate(bytes + alignment);
    if (!room)
        return NULL;
    char *block = (char *)(((uintptr_t)room + alignment - 1) & ~(alignment - 1));
    if (block != room) {
        header_of(block)->bytes = bytes;
        header_of(block)->place = header_of(room)->place;
    }
    return block;
}

void *malloc(size_t size)
{
    return allocate(size);
}

void free(void *block)
{
    if (!block)
        return;
    uint32_t place = header_of(block)->place;
    push(logarithm_of(header_at(place)->bytes), place);
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return out_of_memory();
    void *block = allocate(bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

void *realloc(void *old, size_t size)
{
    if (old && !size) {
        free(old);
        return NULL;
    }
    void *block = allocate(size);
    if (block && old) {
        size_t had = header_of(old)->bytes;
        memcpy(block, old, had < size ? had : size);
        free(old);
    }
    return block;
}

void *reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;

    return __builtin_mul_overflow(count, size, &bytes) ? out_of_memory() : realloc(old, bytes);
}

void *memalign(size_t alignment, size_t size)
{
    size_t power = UNIT;

    while (power < alignment && power < LARGEST)
        power *= 2;
    return allocate_aligned(power, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    int saved_errno = errno;

    if (alignment % sizeof(void *) || !alignment || alignment & (alignment - 1))
        return EINVAL;
    void *block = allocate_aligned(alignment, size);
    errno = saved_errno;
    if (!block)
        return ENOMEM;
    *ret = block;
    return 0;
}

void *valloc(size_t size)
{
    return allocate_aligned((size_t)getpagesize(), size);
}

void *pvalloc(size_t size)
{
    size_t page = (size_t)getpagesize();

    return size > LARGEST ? out_of_memory() : allocate_aligned(page, (size + page - 1) & ~(page - 1));
}

size_t malloc_usable_size(void *block)
{
    return block ? header_of(block)->bytes : 0;
}
