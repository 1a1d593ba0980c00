/* analyze/hash.h: each run has its own key, and what was made to collide under hashes that all know (the product
 * with the golden ratio, FNV) does not. And the table that goes by hashes. */
#include "analyze/hash.h"

#include "analyze/hash_table.h"
#include "tests/unit/check.h"

#include <limits.h>
#include <string.h>

#define GOLDEN 0x9e3779b97f4a7c15ull
#define STEP 2971215073ull /* a Fibonacci number: this many times GOLDEN is 2^33 above a multiple of 2^64 */

/* --- hashes ---------------------------------------------------------------------- */

#define BUCKETS 4096 /* and as many numbers; a few in one bucket are chance */
#define MOST 30

struct spread {
    unsigned low[BUCKETS], middle[BUCKETS], high[BUCKETS], most;
};

static void add(struct spread *s, uint64_t hash)
{
    unsigned *counts[] = { &s->low[hash % BUCKETS], &s->middle[(hash >> 32) % BUCKETS], &s->high[hash >> 52] };

    for (size_t i = 0; i < 3; i++)
        if (++*counts[i] > s->most)
            s->most = *counts[i];
}

static bool spreads_numbers(uint64_t first, uint64_t step)
{
    struct spread one = { 0 }, left = { 0 }, right = { 0 };

    for (uint64_t i = 0; i < BUCKETS; i++) {
        add(&one, hash_add(0, first + i * step));
        add(&left, hash_add(hash_add(0, first + i * step), 7));
        add(&right, hash_add(hash_add(0, 7), first + i * step));
    }
    return one.most < MOST && left.most < MOST && right.most < MOST;
}

static uint64_t fnv(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325ull;

    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3ull;
    return hash;
}

static bool spreads_texts(void)
{
    struct spread s = { 0 };
    char text[32];

    for (uint64_t i = 0, found = 0; found < BUCKETS; i++) {
        snprintf(text, sizeof text, "function_%llx", (unsigned long long)i);
        if (fnv(text) * GOLDEN >> 20 & 1023)
            continue;
        add(&s, hash_add_text(0, text));
        found++;
    }
    return s.most < MOST;
}

static void test_hashes(void)
{
    for (unsigned shift = 0; shift < 52; shift++)
        CHECK(spreads_numbers(0, 1ull << shift) && spreads_numbers(0x7f0000000000, 24ull << shift));
    CHECK(spreads_numbers(0, STEP) && spreads_numbers(8, 8 * STEP) && spreads_numbers(0, 0 - STEP));
    CHECK(spreads_texts());
    CHECK(hash_add_text(0, "") != hash_add_text(0, NULL) && hash_add_text(0, "a") != hash_add_bytes(0, "a", 2));
    CHECK(hash_add_text(0, "12345678") != hash_add_bytes(0, "12345678", 9));
    CHECK(hash_add_text(hash_add_text(0, "ab"), "c") != hash_add_text(hash_add_text(0, "a"), "bc"));
}

static void test_key(const char *self)
{
    uint64_t others[2][2] = { { 0 } };

    for (int i = 0; i < 2; i++) {
        char command[PATH_MAX];
        snprintf(command, sizeof command, "'%s' --key", self);
        FILE *output = popen(command, "re");
        CHECK(output && fread(others[i], sizeof others[i], 1, output) == 1);
        CHECK(output && pclose(output) == 0);
    }
    CHECK(others[0][0] != others[1][0] && others[0][1] != others[1][1] && others[0][0] != hash_key[0]);
}

/* --- the table of numbers ---------------------------------------------------------- */

static void test_table(void)
{
    struct hash_table t = { 0 };
    struct hash_search s = hash_table_search(&t, 1);
    bool right = !hash_table_next(&t, &s);

    for (uint32_t i = 0; i < 10000; i++) /* two of each hash, and the same upper half for some more */
        hash_table_add(&t, (uint64_t)(i / 2) * GOLDEN & ~0xffffffffull, i);
    for (uint32_t i = 0; i < 5000; i++) {
        unsigned found = 0;
        s = hash_table_search(&t, i * GOLDEN);
        while (hash_table_next(&t, &s))
            found += s.number / 2 == i;
        right &= found == 2;
    }
    s = hash_table_search(&t, 5000 * GOLDEN);
    while (hash_table_next(&t, &s))
        right &= s.number < 10000;
    CHECK(right);
    hash_table_release(&t);
    CHECK(!t.places && !t.capacity);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return fwrite(hash_key, sizeof hash_key, 1, stdout) != 1;
    test_key(argv[0]);
    test_table();
    hash_key[0] = 0x0123456789abcdefull; /* from here on the same in each run */
    for (unsigned i = 0; i < 8; i++) {
        hash_key[1] = (i + 1) * 0x243f6a8885a308d3ull;
        test_hashes();
    }
    return check_summary();
}
