/* In this order: sites whose names are the same but for such numbers, by their figures and in the numbers' order; then, of those
 * that are left, those of which one side has fewer of the callers; those that differ only in how deep a recursion was; then
 * a new one and a gone one that come to the same figures, or that differ in one function alone: by its name,
 * which nobody else has had or has, or by its being there. */
#include "analyze/check/pairing.h"

#include "analyze/check/align.h"
#include "analyze/check/edit.h"
#include "analyze/check/numbered.h"
#include "analyze/check/recursion.h"
#include "analyze/hash.h"

#include <string.h>

#define RENAMED_MOST 1000 /* sites; each is compared with each */
#define MANY_ALLOCATIONS 10 /* that two functions come to by chance is unlikely */

/* One side's site. */
struct side {
    const struct measured_site *measured;
    const struct baseline_site *baseline;
    const char *key;
    char *generic; /* without what compilers have numbered */
    uint64_t values[VERDICT_KINDS];
    bool is_paired;
};

struct sides {
    struct side *of;
    size_t count;
    struct hash_table functions; /* whose names some frame has */
    char **names;
    size_t name_count, name_capacity;
};

/* --- what they are ------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *name, size_t bytes)
{
    _cleanup_free_ char *text = copy_text(name, bytes);
    return hash_add_text(0, text);
}

static bool has_name(const struct sides *s, const char *name, size_t bytes)
{
    struct hash_search search = hash_table_search(&s->functions, hash_of(name, bytes));

    while (hash_table_next(&s->functions, &search))
        if (strlen(s->names[search.number]) == bytes && memcmp(s->names[search.number], name, bytes) == 0)
            return true;
    return false;
}

static void add_names(struct sides *s, const char *key)
{
    for (const char *at = key, *end; (end = strchr(at, '\n')); at = end + 1) {
        size_t bytes = (size_t)(end - at);
        if (has_name(s, at, bytes))
            continue;
        s->names = grow(s->names, &s->name_capacity, s->name_count + 1, sizeof *s->names);
        s->names[s->name_count] = copy_text(at, bytes);
        hash_table_add(&s->functions, hash_of(at, bytes), (uint32_t)s->name_count++);
    }
}

static int by_generic(const void *left, const void *right)
{
    const struct side *a = left, *b = right;
    int order = strcmp(a->generic, b->generic);

    return order ? order : strverscmp(a->key, b->key);
}

static void finish(struct sides *s)
{
    for (size_t i = 0; i < s->count; i++) {
        s->of[i].generic = numbered_without(s->of[i].key);
        add_names(s, s->of[i].key);
    }
    if (s->count)
        qsort(s->of, s->count, sizeof *s->of, by_generic);
}

static void take_measured(struct sides *s, const struct measured *m)
{
    s->of = alloc_zeroed(m->site_count + 1, sizeof *s->of);
    for (; s->count < m->site_count; s->count++) {
        struct side *side = &s->of[s->count];
        uint64_t most;
        side->measured = &m->sites[s->count];
        side->key = side->measured->key;
        for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++)
            measured_range(m, side->measured, kind, &side->values[kind], &most);
    }
    finish(s);
}

static void take_baseline(struct sides *s, const struct baseline *b)
{
    s->of = alloc_zeroed(b->site_count + 1, sizeof *s->of);
    for (; s->count < b->site_count; s->count++) {
        struct side *side = &s->of[s->count];
        side->baseline = &b->sites[s->count];
        side->key = side->baseline->key;
        memcpy(side->values, side->baseline->values, sizeof side->values);
    }
    finish(s);
}

static void release(struct sides *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->of[i].generic);
    for (size_t i = 0; i < s->name_count; i++)
        free(s->names[i]);
    free(s->of);
    free(s->names);
    hash_table_release(&s->functions);
}

/* --- pairs ---------------------------------------------------------------------------------------- */

int64_t pairing_likeness(const uint64_t before[VERDICT_KINDS], const uint64_t now[VERDICT_KINDS])
{
    bool is_same = before[VERDICT_ALLOCATIONS] == now[VERDICT_ALLOCATIONS] && before[VERDICT_BYTES] == now[VERDICT_BYTES];
    int64_t likeness = is_same ? PAIRING_SAME : 256;

    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++) {
        uint64_t less = before[kind] < now[kind] ? before[kind] : now[kind], more = before[kind] < now[kind] ? now[kind] : before[kind];
        likeness += more ? (int64_t)(64 * ((double)less / (double)more)) : 64;
    }
    return likeness;
}

static void add(struct pairing *p, struct side *before, struct side *now)
{
    p->of = grow(p->of, &p->capacity, p->count + 1, sizeof *p->of);
    p->of[p->count++] = (struct paired_site){ .measured = now ? now->measured : NULL, .baseline = before ? before->baseline : NULL };
    if (before)
        before->is_paired = true;
    if (now)
        now->is_paired = true;
}

struct group {
    struct side *before, *now;
};

static int64_t score(const void *data, size_t old, size_t new)
{
    const struct group *g = data;
    const struct side *before = &g->before[old], *now = &g->now[new];

    return 2 * pairing_likeness(before->values, now->values) + (strcmp(before->key, now->key) == 0);
}

static void pair_group(struct pairing *p, struct group *g, size_t before_count, size_t now_count)
{
    _cleanup_free_ size_t *pairs = alloc_zeroed(now_count, sizeof *pairs);

    align(before_count, now_count, score, g, pairs);
    for (size_t i = 0; i < now_count; i++)
        if (pairs[i] != ALIGN_NONE)
            add(p, &g->before[pairs[i]], &g->now[i]);
}

static size_t group_end(const struct sides *s, size_t from)
{
    size_t end = from;

    while (end < s->count && strcmp(s->of[end].generic, s->of[from].generic) == 0)
        end++;
    return end;
}

static void pair_by_names(struct pairing *p, struct sides *before, struct sides *now)
{
    for (size_t i = 0, k = 0; i < before->count && k < now->count;) {
        int order = strcmp(before->of[i].generic, now->of[k].generic);
        size_t i_end = order <= 0 ? group_end(before, i) : i, k_end = order >= 0 ? group_end(now, k) : k;
        if (!order)
            pair_group(p, &(struct group){ &before->of[i], &now->of[k] }, i_end - i, k_end - k);
        i = i_end;
        k = k_end;
    }
}

/* --- recursion --------------------------------------------------------------------------------------- */

static size_t unpaired(const struct sides *s, struct side **ret)
{
    size_t count = 0;

    for (size_t i = 0; i < s->count; i++)
        if (!s->of[i].is_paired)
            ret[count++] = &s->of[i];
    return count;
}

/* Those with the same figures first. */
static void pair_recursive(struct pairing *p, struct sides *before, struct sides *now)
{
    _cleanup_free_ struct side **gone = alloc_zeroed(before->count + 1, sizeof *gone), **new = alloc_zeroed(now->count + 1, sizeof *new);
    size_t gone_count = unpaired(before, gone), new_count = unpaired(now, new);

    if (gone_count > RENAMED_MOST || new_count > RENAMED_MOST)
        return;
    for (int64_t least = PAIRING_SAME; least; least = least > 1 ? 1 : 0)
        for (size_t i = 0; i < gone_count; i++) {
            struct side *best = NULL;
            int64_t best_likeness = least - 1;
            for (size_t k = 0; k < new_count && !gone[i]->is_paired; k++) {
                if (new[k]->is_paired || !recursion_is_same(gone[i]->key, new[k]->key))
                    continue;
                int64_t likeness = pairing_likeness(gone[i]->values, new[k]->values);
                if (likeness > best_likeness) {
                    best = new[k];
                    best_likeness = likeness;
                }
            }
            if (best)
                add(p, gone[i], best);
        }
}

/* --- fewer callers ----------------------------------------------------------------------------------- */

/* All of them as one, whose places and names are theirs. */
static struct measured_site *merged(struct side *const *sides, size_t count, const char *key)
{
    struct measured_site *all = alloc_zeroed(1, sizeof *all);

    *all = *sides[0]->measured;
    all->key = copy_text(key, strlen(key));
    all->passed = NULL;
    all->passed_count = 0;
    all->frame_count = 0;
    for (const char *at = key; (at = strchr(at, '\n')); at++)
        all->frame_count++;
    all->places = NULL;
    all->place_count = all->place_capacity = all->run_capacity = 0;
    all->runs = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct measured_site *one = sides[i]->measured;
        all->places = grow(all->places, &all->place_capacity, all->place_count + one->place_count, sizeof *all->places);
        memcpy(all->places + all->place_count, one->places, one->place_count * sizeof *one->places);
        all->place_count += one->place_count;
        all->runs = grow(all->runs, &all->run_capacity, one->run_capacity, sizeof *all->runs);
        for (size_t run = 0; run < one->run_capacity; run++)
            for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++)
                all->runs[run][kind] += one->runs[run][kind];
    }
    return all;
}

/* They are in the order of generic. */
static size_t first_from(struct side *const *sides, size_t count, const char *generic)
{
    size_t from = 0;

    while (from < count) {
        size_t middle = from + (count - from) / 2;
        if (strcmp(sides[middle]->generic, generic) < 0)
            from = middle + 1;
        else
            count = middle;
    }
    return from;
}

/* Baselines that were made when a site ended after so many frames, whosever they were. */
static void pair_coarser(struct pairing *p, struct sides *before, struct sides *now)
{
    _cleanup_free_ struct side **gone = alloc_zeroed(before->count + 1, sizeof *gone), **new = alloc_zeroed(now->count + 1, sizeof *new);
    _cleanup_free_ struct side **like = alloc_zeroed(now->count + 1, sizeof *like);
    size_t gone_count = unpaired(before, gone), new_count = unpaired(now, new);

    for (size_t i = 0; i < gone_count; i++) {
        const char *generic = gone[i]->generic;
        size_t like_count = 0, bytes = strlen(generic);
        if (edit_frames_of(generic) != MEASURED_DEPTH)
            continue;
        for (size_t k = first_from(new, new_count, generic); k < new_count && strncmp(new[k]->generic, generic, bytes) == 0; k++)
            if (!new[k]->is_paired)
                like[like_count++] = new[k];
        if (!like_count)
            continue;
        add(p, gone[i], like[0]);
        struct paired_site *pair = &p->of[p->count - 1];
        pair->is_coarser = true;
        if (like_count > 1)
            pair->measured = pair->merged = merged(like, like_count, gone[i]->key);
        for (size_t k = 1; k < like_count; k++)
            like[k]->is_paired = true;
    }
}

/* --- other names ------------------------------------------------------------------------------------ */

/* Of a function that is called between others now, or no longer: one that nobody else has had or has is likely to be all there is. */
static bool is_close(uint64_t was, uint64_t is, bool is_alone)
{
    uint64_t apart = was < is ? is - was : was - is;

    return is_alone ? was && is >= was / 2 && is / 2 <= was : was >= MANY_ALLOCATIONS && apart <= was / 10;
}

/* How sure it is that they are one; 0: it is not. By thousands; then by the frames, and then by the names. */
static size_t renamed(const struct sides *all_before, const struct sides *all_now, const struct side *before, const struct side *now)
{
    const char *a, *b;
    size_t a_bytes, b_bytes, equal;
    bool is_one = edit_is_substitution(before->key, now->key, &a, &a_bytes, &b, &b_bytes, &equal);
    bool is_same = memcmp(before->values, now->values, sizeof now->values) == 0;
    uint64_t was = before->values[VERDICT_ALLOCATIONS], is = now->values[VERDICT_ALLOCATIONS];

    if (is_one && !has_name(all_now, a, a_bytes) && !has_name(all_before, b, b_bytes)) {
        size_t alike = 100 * equal + edit_names_alike(a, a_bytes, b, b_bytes);
        if (is_same)
            return 3000 + alike;
        return was && is >= was / 2 && is / 2 <= was ? 1000 + alike : 0;
    }
    if (is_same && was >= MANY_ALLOCATIONS)
        return 2000 + 100 * equal;
    if (edit_is_insertion(now->key, before->key, &a, &a_bytes, &equal))
        return is_close(was, is, !has_name(all_before, a, a_bytes)) ? 1000 + 100 * equal : 0;
    if (edit_is_insertion(before->key, now->key, &a, &a_bytes, &equal))
        return is_close(was, is, !has_name(all_now, a, a_bytes)) ? 1000 + 100 * equal : 0;
    return 0;
}

static void add_renamed(struct pairing *p, struct side *before, struct side *now)
{
    const char *a, *b;
    size_t a_bytes, b_bytes, equal;

    bool is_one = edit_is_substitution(before->key, now->key, &a, &a_bytes, &b, &b_bytes, &equal);
    add(p, before, now);
    p->of[p->count - 1].was = is_one ? copy_text(a, a_bytes) : NULL;
    p->of[p->count - 1].is = is_one ? copy_text(b, b_bytes) : NULL;
}

/* The surest first. */
static void pair_renamed(struct pairing *p, struct sides *before, struct sides *now)
{
    _cleanup_free_ struct side **gone = alloc_zeroed(before->count + 1, sizeof *gone), **new = alloc_zeroed(now->count + 1, sizeof *new);
    size_t gone_count = unpaired(before, gone), new_count = unpaired(now, new);

    if (gone_count > RENAMED_MOST || new_count > RENAMED_MOST) /* another program, or built in another way */
        return;
    for (size_t least = 3000; least; least -= 1000)
        for (size_t i = 0; i < gone_count; i++) {
            struct side *best = NULL;
            size_t best_sure = least - 1;
            for (size_t k = 0; k < new_count && !gone[i]->is_paired; k++) {
                size_t sure = new[k]->is_paired ? 0 : renamed(before, now, gone[i], new[k]);
                if (sure > best_sure) {
                    best = new[k];
                    best_sure = sure;
                }
            }
            if (best)
                add_renamed(p, gone[i], best);
        }
}

void pairing_make(struct pairing *p, const struct measured *m, const struct baseline *b)
{
    struct sides before = { 0 }, now = { 0 };

    *p = (struct pairing){ 0 };
    if (!b) {
        for (size_t i = 0; i < m->site_count; i++)
            add(p, NULL, &(struct side){ .measured = &m->sites[i] });
        return;
    }
    take_baseline(&before, b);
    take_measured(&now, m);
    pair_by_names(p, &before, &now);
    pair_coarser(p, &before, &now);
    pair_recursive(p, &before, &now);
    pair_renamed(p, &before, &now);
    for (size_t i = 0; i < now.count; i++)
        if (!now.of[i].is_paired)
            add(p, NULL, &now.of[i]);
    for (size_t i = 0; i < before.count; i++)
        if (!before.of[i].is_paired)
            add(p, &before.of[i], NULL);
    release(&before);
    release(&now);
}

void pairing_release(struct pairing *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->of[i].merged) {
            free(p->of[i].merged->key);
            free(p->of[i].merged->places);
            free(p->of[i].merged->runs);
            free(p->of[i].merged);
        }
        free(p->of[i].was);
        free(p->of[i].is);
    }
    free(p->of);
    *p = (struct pairing){ 0 };
}
