/* Lines move when others are added or removed above them, and move together. What was on them mostly stays what it was.
 * So places with the same figures are the same, wherever they are. The others of a site, in the order of their lines, are paired
 * with the baseline's as a diff pairs lines: those with the same figures first of all, then those that have the same numbers once
 * all have moved by as much. What is left has been added or is gone. But where a site's lines have the same numbers as before
 * they have not moved, unless figures are to change by more that way. */
#include "analyze/check/places.h"

#include "analyze/check/align.h"
#include "analyze/check/pairing.h"

#include <string.h>

#define DISTANCE_MOST 1000
#define PLACES_MOST 1000 /* each is compared with each */
#define SCORE_LIKENESS ((int64_t)1 << 20) /* distances only decide between what is as good */
#define SCORE_FILE (256 * SCORE_LIKENESS)

struct comparison {
    const struct measured_place **now;
    const struct baseline_place **before;
    const char *file; /* of those of the baseline that tell none */
    bool with_peak;   /* when that is says nothing of a line, unless it is asked for */
    size_t frame;     /* whose lines are compared */
    int64_t moved;    /* by so many, downwards */
};

static int by_lines_now(const void *left, const void *right)
{
    const struct measured_place *a = *(const struct measured_place *const *)left, *b = *(const struct measured_place *const *)right;
    int files = strcmp(a->source, b->source);

    return files ? files : strverscmp(a->lines, b->lines);
}

static int by_lines_before(const void *left, const void *right)
{
    const struct baseline_place *a = *(const struct baseline_place *const *)left, *b = *(const struct baseline_place *const *)right;
    int files = strcmp(a->source ? a->source : "", b->source ? b->source : "");

    return files ? files : strverscmp(a->lines, b->lines);
}

/* The baseline's tell only as much of it as they need to. */
static bool is_file(const char *source, const char *known)
{
    size_t bytes = strlen(source), end = strlen(known);

    return end <= bytes && strcmp(source + bytes - end, known) == 0 && (end == bytes || source[bytes - end - 1] == '/');
}

/* 0: unknown, also where there is no such frame. */
static int64_t line_at(const char *lines, size_t frame)
{
    for (; frame && *lines; frame--) {
        lines += strcspn(lines, " ");
        lines += *lines == ' ';
    }
    return strtoll(lines, NULL, 10);
}

static int64_t line_now(const struct comparison *c, size_t number)
{
    return line_at(c->now[number]->lines, c->frame);
}

static int64_t line_before(const struct comparison *c, size_t number)
{
    return line_at(c->before[number]->lines, c->frame);
}

static int64_t distance_of(const struct comparison *c, const struct baseline_place *before, const struct measured_place *now)
{
    int64_t distance = llabs(line_at(now->lines, c->frame) - line_at(before->lines, c->frame) - c->moved);
    const char *a = strchr(now->lines, ' '), *b = strchr(before->lines, ' ');

    distance = 2 * distance + ((a && b) ? strcmp(a, b) != 0 : a || b);
    return distance < DISTANCE_MOST ? distance : DISTANCE_MOST;
}

static bool is_same(const struct comparison *c, const uint64_t *a, const uint64_t *b)
{
    bool is = true;

    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++)
        is &= a[kind] == b[kind] || (kind == VERDICT_PEAK && !c->with_peak);
    return is;
}

static int64_t likeness(const struct comparison *c, const uint64_t *before, const uint64_t *now)
{
    uint64_t a[VERDICT_KINDS], b[VERDICT_KINDS];

    memcpy(a, before, sizeof a);
    memcpy(b, now, sizeof b);
    if (!c->with_peak)
        a[VERDICT_PEAK] = b[VERDICT_PEAK] = 0;
    return pairing_likeness(a, b);
}

static int64_t score(const void *data, size_t old, size_t new)
{
    const struct comparison *c = data;
    const struct baseline_place *before = c->before[old];
    const struct measured_place *now = c->now[new];
    int64_t score = before->is_whole ? likeness(c, before->values, now->last)
                    : before->values[VERDICT_ALLOCATIONS] == now->last[VERDICT_ALLOCATIONS] ? PAIRING_SAME : 256;

    score *= SCORE_LIKENESS;
    if (c->file && is_file(now->source, before->source ? before->source : c->file))
        score += SCORE_FILE;
    return score - distance_of(c, before, now);
}

/* --- lines that have not changed --------------------------------------------------------------------- */

static const char *file_of(const struct comparison *c, const struct baseline_place *before)
{
    return before->source ? before->source : c->file ? c->file : "";
}

static bool is_unchanged(const struct comparison *c, const struct baseline_place *before, const struct measured_place *now)
{
    if (!is_file(now->source, file_of(c, before)))
        return false;
    return before->is_whole ? is_same(c, before->values, now->last)
                            : before->values[VERDICT_ALLOCATIONS] == now->last[VERDICT_ALLOCATIONS];
}

static bool is_like(const struct comparison *c, const struct baseline_place *a, const struct baseline_place *b)
{
    return a->is_whole == b->is_whole && is_same(c, a->values, b->values) && strcmp(file_of(c, a), file_of(c, b)) == 0;
}

/* What is taken out comes behind the others, which keep their order. */
static size_t move_behind(const void **places, const bool *is_out, size_t count)
{
    _cleanup_free_ const void **out = alloc_zeroed(count + 1, sizeof *out);
    size_t kept = 0, out_count = 0;

    for (size_t i = 0; i < count; i++)
        if (is_out[i])
            out[out_count++] = places[i];
        else
            places[kept++] = places[i];
    memcpy(places + kept, out, out_count * sizeof *out);
    return kept;
}

/* Those of which there are as many as there were have not changed, in whichever order they have come to be. The counts become those of
 * the others. */
static void take_out_unchanged(struct comparison *c, size_t *now_count, size_t *before_count)
{
    _cleanup_free_ bool *now_out = alloc_zeroed(*now_count + 1, sizeof *now_out), *before_out = alloc_zeroed(*before_count + 1, sizeof *before_out);

    if (*before_count > PLACES_MOST || *now_count > PLACES_MOST)
        return;
    for (size_t i = 0; i < *before_count; i++) {
        const struct baseline_place *one = c->before[i];
        size_t as_before = 0, as_now = 0;
        for (size_t k = 0; k < *before_count && !before_out[i]; k++)
            as_before += is_like(c, one, c->before[k]);
        for (size_t k = 0; k < *now_count && as_before; k++)
            as_now += !now_out[k] && is_unchanged(c, one, c->now[k]);
        if (!as_before || as_before != as_now)
            continue;
        for (size_t k = 0; k < *before_count; k++)
            before_out[k] |= is_like(c, one, c->before[k]);
        for (size_t k = 0; k < *now_count; k++)
            now_out[k] |= is_unchanged(c, one, c->now[k]);
    }
    *now_count = move_behind((const void **)c->now, now_out, *now_count);
    *before_count = move_behind((const void **)c->before, before_out, *before_count);
}

/* All may have moved by as much as the first, or as the last. */
static void pair(struct comparison *c, size_t now_count, size_t before_count, size_t *ret_pairs)
{
    if (!now_count || !before_count) {
        for (size_t i = 0; i < now_count; i++)
            ret_pairs[i] = ALIGN_NONE;
        return;
    }
    const int64_t moves[] = { 0, line_now(c, 0) - line_before(c, 0), line_now(c, now_count - 1) - line_before(c, before_count - 1) };
    _cleanup_free_ size_t *pairs = alloc_zeroed(now_count, sizeof *pairs);
    int64_t best = -1;

    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        c->moved = moves[i];
        int64_t sum = align(before_count, now_count, score, c, pairs);
        if (sum > best) {
            best = sum;
            memcpy(ret_pairs, pairs, now_count * sizeof *pairs);
        }
    }
}

/* --- what has changed --------------------------------------------------------------------------- */

/* The first frame whose lines tell the places of one side apart: of those further in all are on one line, or on an unknown one. */
static size_t telling_frame(const struct measured_site *site, const struct baseline_site *baseline)
{
    for (size_t frame = 0; frame < site->places[0].frame_count; frame++) {
        for (size_t i = 1; i < site->place_count; i++)
            if (line_at(site->places[i].lines, frame) != line_at(site->places[0].lines, frame))
                return frame;
        for (size_t i = 1; i < baseline->place_count; i++)
            if (line_at(baseline->places[i].lines, frame) != line_at(baseline->places[0].lines, frame))
                return frame;
    }
    return 0;
}

struct changes {
    struct places_change *of;
    size_t count;
    uint64_t allocations, bytes; /* by how much they have changed, in all, up or down */
};

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static uint64_t sum_of(uint64_t a, uint64_t b) /* edited baselines may have any numbers */
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* One of the two may be NULL. */
static void add_change(struct changes *to, const struct measured_place *now, const struct baseline_place *before, enum verdict_kind kind)
{
    static const uint64_t none[VERDICT_KINDS];
    const uint64_t *was = before ? before->values : none, *is = now ? now->last : none;

    to->of[to->count++] = (struct places_change){ now, before, was[kind], is[kind] };
    to->allocations = sum_of(to->allocations, apart(was[VERDICT_ALLOCATIONS], is[VERDICT_ALLOCATIONS]));
    if (!before || before->is_whole)
        to->bytes = sum_of(to->bytes, apart(was[VERDICT_BYTES], is[VERDICT_BYTES]));
}

static void add_pairs(struct changes *to, const struct comparison *c, const size_t *pairs, size_t now_count, size_t before_count, enum verdict_kind kind)
{
    _cleanup_free_ bool *is_there = alloc_zeroed(before_count + 1, sizeof *is_there);

    for (size_t i = 0; i < now_count; i++) {
        if (pairs[i] != ALIGN_NONE)
            is_there[pairs[i]] = true;
        add_change(to, c->now[i], pairs[i] == ALIGN_NONE ? NULL : c->before[pairs[i]], kind);
    }
    for (size_t i = 0; i < before_count; i++)
        if (!is_there[i])
            add_change(to, NULL, c->before[i], kind);
}

/* Each with what has its numbers; false: not all have one. Both are in the order of their lines. */
static bool pair_by_lines(const struct comparison *c, size_t count, size_t before_count, size_t *ret_pairs)
{
    for (size_t i = 0; i < count; i++) {
        ret_pairs[i] = i;
        if (count != before_count || strcmp(c->now[i]->lines, c->before[i]->lines) != 0 || !is_file(c->now[i]->source, file_of(c, c->before[i])))
            return false;
    }
    return true;
}

/* As if what has the same figures were the same. Those that have not changed come first; gone ones last. */
static void find_moved(struct changes *to, struct comparison *c, size_t now_count, size_t before_count, size_t *pairs, enum verdict_kind kind)
{
    const size_t all_now = now_count;

    take_out_unchanged(c, &now_count, &before_count);
    pair(c, now_count, before_count, pairs);
    for (size_t i = now_count; i < all_now; i++)
        to->of[to->count++] = (struct places_change){ c->now[i], NULL, c->now[i]->last[kind], c->now[i]->last[kind] };
    add_pairs(to, c, pairs, now_count, before_count, kind);
}

static size_t find_changes(struct comparison *c, const struct measured_site *site, const struct baseline_site *baseline, enum verdict_kind kind,
                           struct places_change *ret)
{
    const size_t now_count = site->place_count, before_count = baseline->place_count;
    _cleanup_free_ size_t *pairs = alloc_zeroed(now_count, sizeof *pairs);
    _cleanup_free_ struct places_change *of_moved = alloc_zeroed(now_count + before_count, sizeof *of_moved);
    struct changes moved = { .of = of_moved }, same = { .of = ret };

    for (size_t i = 0; i < now_count; i++)
        c->now[i] = &site->places[i];
    for (size_t i = 0; i < before_count; i++)
        c->before[i] = &baseline->places[i];
    qsort(c->now, now_count, sizeof(void *), by_lines_now);
    qsort(c->before, before_count, sizeof(void *), by_lines_before);
    c->frame = telling_frame(site, baseline);
    const bool may_be_same = pair_by_lines(c, now_count, before_count, pairs);
    if (may_be_same)
        add_pairs(&same, c, pairs, now_count, before_count, kind);
    find_moved(&moved, c, now_count, before_count, pairs, kind);
    if (may_be_same && (same.allocations < moved.allocations || (same.allocations == moved.allocations && same.bytes <= moved.bytes)))
        return same.count;
    memcpy(ret, of_moved, moved.count * sizeof *ret);
    return moved.count;
}

static size_t compare(const struct measured_site *site, const struct baseline_site *baseline, enum verdict_kind kind, struct places_change *ret)
{
    _cleanup_free_ const struct measured_place **now = alloc_zeroed(site->place_count, sizeof *now);
    _cleanup_free_ const struct baseline_place **before = alloc_zeroed(baseline->place_count, sizeof *before);

    return find_changes(&(struct comparison){ .now = now, .before = before, .file = baseline->file, .with_peak = kind == VERDICT_PEAK }, site, baseline, kind, ret);
}

struct guilty {
    const struct measured_place *place;
    int64_t more;
    uint64_t value;
    bool any;
};

static void accuse(struct guilty *g, const struct measured_place *place, int64_t more, uint64_t value)
{
    if (!g->any || more > g->more || (more == g->more && value > g->value))
        *g = (struct guilty){ place, more, value, true };
}

static const struct measured_place *compared(const struct measured_site *site, const struct baseline_site *baseline, enum verdict_kind kind,
                                             bool is_less, const struct baseline_place **ret_gone)
{
    _cleanup_free_ struct places_change *changes = alloc_zeroed(site->place_count + baseline->place_count, sizeof *changes);
    enum verdict_kind known = kind;
    struct guilty g = { 0 };

    for (size_t i = 0; i < baseline->place_count; i++)
        if (!baseline->places[i].is_whole)
            known = VERDICT_ALLOCATIONS;
    size_t count = compare(site, baseline, known, changes);
    for (size_t i = 0; i < count; i++) {
        const struct places_change *change = &changes[i];
        int64_t more = (int64_t)(is_less ? change->was - change->is : change->is - change->was);
        if (change->now) {
            accuse(&g, change->now, more, change->now->last[kind]);
        } else if (is_less) {
            accuse(&g, NULL, more, 0);
            if (!*ret_gone || change->was > (*ret_gone)->values[known])
                *ret_gone = change->before;
        }
    }
    *ret_gone = g.place ? NULL : *ret_gone;
    return g.place;
}

const struct measured_place *places_find(const struct measured_site *site, const struct baseline_site *baseline, enum verdict_kind kind, bool is_less,
                                         const struct baseline_place **ret_gone)
{
    struct guilty g = { 0 };

    *ret_gone = NULL;
    if (site->place_count == 1 && !is_less)
        return &site->places[0];
    if (baseline && baseline->place_count)
        return compared(site, baseline, kind, is_less, ret_gone);
    for (size_t i = 0; i < site->place_count; i++)
        accuse(&g, &site->places[i], 0, site->places[i].last[kind]);
    return g.place;
}

static size_t line_count(const char *lines)
{
    size_t count = 1;

    for (; *lines; lines++)
        count += *lines == ' ';
    return count;
}

/* Debug information that only one side has parts what is one place on the other. */
static bool is_known_alike(const struct measured_site *site, const struct baseline_site *baseline)
{
    const size_t before_count = line_count(baseline->places[0].lines);

    for (size_t frame = 0; frame < site->frame_count && frame < before_count; frame++) {
        bool now = false, before = false;
        for (size_t i = 0; i < site->place_count; i++)
            now |= line_at(site->places[i].lines, frame) != 0;
        for (size_t i = 0; i < baseline->place_count; i++)
            before |= line_at(baseline->places[i].lines, frame) != 0;
        if (now != before)
            return false;
    }
    return true;
}

size_t places_changes(const struct measured_site *site, const struct baseline_site *baseline, enum verdict_kind kind, struct places_change **ret)
{
    for (size_t i = 0; baseline && i < baseline->place_count; i++)
        if (!baseline->places[i].is_whole && kind != VERDICT_ALLOCATIONS)
            return 0;
    for (size_t i = 0; i < site->place_count; i++)
        if (site->places[i].differs[kind])
            return 0;
    if (baseline && (!baseline->place_count || !is_known_alike(site, baseline)))
        return 0;
    *ret = alloc_zeroed(site->place_count + (baseline ? baseline->place_count : 0), sizeof **ret);
    if (baseline)
        return compare(site, baseline, kind, *ret);
    for (size_t i = 0; i < site->place_count; i++)
        (*ret)[i] = (struct places_change){ &site->places[i], NULL, 0, site->places[i].last[kind] };
    return site->place_count;
}
