/* Two sessions -> what changed. How it is shown is in compare_print.c. */
#include "analyze/render/compare.h"

#include "analyze/model/session.h"
#include "analyze/render/part.h"
#include "analyze/render/text.h"
#include "analyze/render/trust.h"

#include <string.h>

void compare_init(struct comparison *c, const struct by_name_options *options)
{
    *c = (struct comparison){ 0 };
    by_name_init(&c->table, options);
}

void compare_release(struct comparison *c)
{
    for (size_t i = 0; i < BY_NAME_SIDES; i++) {
        free(c->logs[i].name);
        free(c->logs[i].command);
        free(c->logs[i].trust);
        json_decref(c->logs[i].trust_json);
        json_decref(c->logs[i].part_json);
    }
    free(c->rows);
    by_name_release(&c->table);
}

static void take_totals(struct compared_log *l, const struct facts *f)
{
    const struct facts_part *part = &f->part;

    l->totals[COST_ALLOCATIONS] = f->allocations;
    l->totals[COST_ALLOCATED] = f->allocated_bytes;
    l->totals[COST_PEAK] = f->peak_bytes;
    l->totals[COST_LEAKED] = f->leaked_bytes;
    l->totals[COST_TEMPORARY] = f->temporary;
    l->carried = f->carried;
    l->carried_bytes = f->carried_bytes;
    l->seconds = (double)f->duration_ns / 1e9;
    l->sample_bytes = f->settings.sample_bytes;
    l->min_size = f->settings.min_size;
    l->was_paused = f->told.was_paused;
    l->interrupted = f->interrupted;
    l->is_part = part->from_ns || part->to_ns || part->thread_count;
    l->temporary_known = settings_all_recorded(&f->settings);
}

void compare_add(struct comparison *c, const struct log *log, const struct by_name_source *source)
{
    struct compared_log *l = &c->logs[source->side];
    struct session session;
    struct trust trust;
    size_t bytes;

    by_name_add(&c->table, source);
    take_totals(l, source->facts);
    session_read(log, &session);
    l->name = copy_text(log->path, strlen(log->path));
    l->command = session.command;
    session.command = NULL;
    session_release(&session);
    trust_of_facts(log, source->facts, &trust);
    l->is_whole = log_events_are_whole(log) && !trust.lost_events && !source->facts->bad_chunks && !trust.trimmed.incomplete;
    l->is_trimmed = trust.trimmed.is;
    l->runs = trust.running;
    l->trust_json = trust_json(&trust);
    l->part_json = part_json(source->facts);
    FILE *to = open_memstream(&l->trust, &bytes);
    if (to) {
        trust_print_short(to, &trust);
        fclose(to);
    }
}

bool compare_is_known(const struct comparison *c, enum cost cost)
{
    return cost != COST_TEMPORARY || (c->logs[COMPARE_BEFORE].temporary_known && c->logs[COMPARE_AFTER].temporary_known);
}

static enum compare_change change_of(const struct comparison *c, const struct by_name_row *row)
{
    if (!row->logs[COMPARE_AFTER])
        return COMPARE_ONLY_BEFORE;
    if (!row->logs[COMPARE_BEFORE])
        return COMPARE_ONLY_AFTER;
    for (enum cost cost = 0; cost < COST_COUNT; cost++)
        if (compare_is_known(c, cost) && compare_difference(row, cost))
            return COMPARE_CHANGED;
    return COMPARE_UNCHANGED;
}

struct order {
    const struct by_name *table;
    enum cost cost;
};

static uint64_t size_of(int64_t difference)
{
    return difference < 0 ? 0 - (uint64_t)difference : (uint64_t)difference;
}

static int by_change(const void *left, const void *right, void *data)
{
    const struct order *order = data;
    const struct by_name_row *a = ((const struct compared_row *)left)->row, *b = ((const struct compared_row *)right)->row;
    const enum cost costs[] = { order->cost, COST_ALLOCATED, COST_ALLOCATIONS, COST_LEAKED, COST_PEAK, COST_TEMPORARY };

    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        uint64_t x = size_of(compare_difference(a, costs[i])), y = size_of(compare_difference(b, costs[i]));
        if (x != y)
            return x > y ? -1 : 1;
    }
    return by_name_order(order->table, a, b);
}

void compare_sort(struct comparison *c, enum cost cost, bool all)
{
    struct order order = { &c->table, cost };

    free(c->rows);
    c->rows = alloc_zeroed(c->table.row_count, sizeof *c->rows);
    c->row_count = 0;
    memset(c->counts, 0, sizeof c->counts);
    for (size_t i = 0; i < c->table.row_count; i++) {
        enum compare_change change = change_of(c, &c->table.rows[i]);
        c->counts[change]++;
        if (change != COMPARE_UNCHANGED || all)
            c->rows[c->row_count++] = (struct compared_row){ &c->table.rows[i], change };
    }
    if (c->row_count)
        qsort_r(c->rows, c->row_count, sizeof *c->rows, by_change, &order);
}

static bool has_unnamed_rows(const struct comparison *c)
{
    for (size_t i = 0; i < c->row_count; i++) {
        const struct by_name_row *row = c->rows[i].row;
        bool is_of_one = c->rows[i].change == COMPARE_ONLY_BEFORE || c->rows[i].change == COMPARE_ONLY_AFTER;
        for (size_t k = 0; is_of_one && k < by_name_key_count(&c->table, row); k++)
            if (!c->table.frames[row->frames[k]].is_named)
                return true;
    }
    return false;
}

void compare_warnings(const struct comparison *c, void (*use)(void *data, const char *sentence), void *data)
{
    const struct compared_log *a = &c->logs[COMPARE_BEFORE], *b = &c->logs[COMPARE_AFTER];

    if (a->sample_bytes != b->sample_bytes)
        use(data, "they were sampled differently: differences may be chance");
    else if (a->sample_bytes)
        use(data, "both are samples: small differences are chance");
    if (a->min_size != b->min_size)
        use(data, "small allocations were left out of them differently");
    if (a->was_paused || b->was_paused)
        use(data, "recording was paused for some time");
    if (*a->command && *b->command && strcmp(a->command, b->command) != 0) {
        _cleanup_free_ char *text = format_text("other commands were recorded: %.200s; %.200s", a->command, b->command);
        use(data, text);
    }
    if (a->interrupted || b->interrupted)
        use(data, "reading was interrupted: not all of them was compared");
    if (a->is_trimmed != b->is_trimmed)
        use(data, a->is_trimmed ? "the first log is a part of a longer one" : "the second log is a part of a longer one");
    if (a->runs || b->runs)
        use(data, a->runs && b->runs ? "both programs still ran when their logs were read"
                  : a->runs          ? "the first program still ran when its log was read"
                                     : "the second program still ran when its log was read");
    if (!a->is_whole || !b->is_whole)
        use(data, !a->is_whole && !b->is_whole ? "both logs are incomplete"
                  : a->is_whole                ? "the second log is incomplete"
                                               : "the first log is incomplete");
    if (c->table.renamed) {
        _cleanup_free_ char *text = format_text("%.200s and %.200s are taken for one program", c->table.program, c->table.renamed);
        use(data, text);
    }
    if (has_unnamed_rows(c))
        use(data, "some functions have no names, and are found again only where their module was not built anew");
}
