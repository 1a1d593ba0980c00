/* analyze/model/pairs.h against what a look at all steps says: what it marks is so, and nearly all that is so is marked. */
#include "analyze/model/pairs.h"

#include "tests/unit/check.h"
#include "tests/unit/random.h"

#include <stdlib.h>
#include <string.h>

#define BATCHES 200

static struct step steps[BATCHES][BATCH_STEPS];
static size_t counts[BATCHES];

/* Streams in rows of some length, few addresses or many; a step at times that is neither allocation nor free. */
static void make(size_t addresses, size_t row)
{
    struct pairs *p = calloc(1, sizeof *p);
    uint32_t stream = 0;

    for (size_t b = 0; b < BATCHES; b++) {
        counts[b] = 1 + random_below(random_below(4) ? 50 : BATCH_STEPS);
        pairs_begin_batch(p);
        for (size_t i = 0; i < counts[b]; i++) {
            stream = random_below(row) ? stream : (uint32_t)random_below(3);
            steps[b][i] = (struct step){ .address = random_below(addresses) * 16, .stream = stream, .is_new = true, .is_brief = true,
                                         .type = random_below(50) ? (uint8_t)random_below(2) : (uint8_t)random_below(STEP_PROCESS_ENDS + 1) };
            pairs_take(p, steps[b], i);
        }
    }
    free(p);
}

static bool breaks(const struct step *s, const struct step *row)
{
    return s->type > STEP_FREE || s->stream != row->stream;
}

/* The step before of this address, in the row and, if so wanted, in the batch. NULL: there is none. */
static const struct step *before(size_t b, size_t i, bool in_batch)
{
    const struct step *s = &steps[b][i];

    for (;;) {
        if (i == 0) {
            if (in_batch || b == 0)
                return NULL;
            i = counts[--b];
        }
        const struct step *other = &steps[b][--i];
        if (breaks(other, s))
            return NULL;
        if (other->address == s->address)
            return other;
    }
}

static void compare(const char *what)
{
    size_t marked = 0, possible = 0;
    bool right = true;

    for (size_t b = 0; b < BATCHES; b++) {
        static bool brief[BATCH_STEPS];
        memset(brief, 0, sizeof brief);
        for (size_t i = 0; i < counts[b]; i++) {
            const struct step *s = &steps[b][i], *in_batch = before(b, i, true), *last = before(b, i, false);
            bool pairs = s->type == STEP_FREE && in_batch && in_batch->type == STEP_ALLOC;
            bool is_new = s->type == STEP_ALLOC && last && last->type == STEP_FREE;
            possible += pairs + is_new;
            marked += (s->pair != STEP_NO_PAIR) + s->is_new;
            right = right && (s->pair == STEP_NO_PAIR || (pairs && &steps[b][s->pair] == in_batch)) && (!s->is_new || is_new);
            if (s->pair != STEP_NO_PAIR)
                brief[s->pair] = true;
        }
        for (size_t i = 0; i < counts[b]; i++)
            right = right && steps[b][i].is_brief == brief[i];
    }
    if (!CHECK(right))
        printf("%s\n", what);
    if (!CHECK(marked * 10 >= possible * 9 && possible > 100))
        printf("%s: %zu of %zu\n", what, marked, possible);
}

int main(void)
{
    static const size_t addresses[] = { 3, 40, 300 }, rows[] = { 2, 20, 100000 };

    for (size_t a = 0; a < 3; a++)
        for (size_t r = 0; r < 3; r++) {
            char what[64];
            snprintf(what, sizeof what, "%zu addresses, rows of %zu", addresses[a], rows[r]);
            make(addresses[a], rows[r]);
            compare(what);
        }
    return check_summary();
}
