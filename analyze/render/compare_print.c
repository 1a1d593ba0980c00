/* A comparison -> text and JSON. */
#include "analyze/render/compare.h"

#include "analyze/render/long_json.h"
#include "analyze/render/text.h"

#include <string.h>

static const char *const change_names[COMPARE_CHANGES] = {
    [COMPARE_UNCHANGED] = "unchanged", [COMPARE_CHANGED] = "changed", [COMPARE_ONLY_BEFORE] = "only_before", [COMPARE_ONLY_AFTER] = "only_after" };

/* --- text ---------------------------------------------------------------------------- */

static const char *amount(enum cost cost, uint64_t value)
{
    return cost_is_bytes(cost) ? text_bytes(value) : text_count(value);
}

static const char *change(enum cost cost, uint64_t before, uint64_t after)
{
    static char texts[8][80];
    static unsigned at;
    char *text = texts[at++ % 8];

    if (before == after)
        return "=";
    snprintf(text, sizeof texts[0], "%c%s", after > before ? '+' : '-',
             amount(cost, after > before ? after - before : before - after));
    return text;
}

static const char *change_share(uint64_t before, uint64_t after)
{
    static char text[32];
    double share = before ? ((double)after - (double)before) / (double)before * 100 : 0;

    if (!before || before == after)
        return "";
    if (share > -0.05 && share < 0.05)
        return "  <0.1 %";
    snprintf(text, sizeof text, "  %+.*f %%", share < 999.5 ? 1 : 0, share);
    return text;
}

static void print_carried(const char *side, const struct compared_log *l)
{
    if (l->carried)
        text_print_wrapped("  ", "%s: %s of these, %s, %s of blocks from before this part of a log\n", side, text_counted(l->carried, "allocation"),
                           text_bytes(l->carried_bytes), l->carried == 1 ? "is" : "are");
}

static json_t *carried_json(const struct compared_log *l)
{
    return l->carried ? json_pack("{s:o, s:o}", "allocations", text_json_number(l->carried), "bytes", text_json_number(l->carried_bytes))
                      : json_null();
}

static void print_totals(const struct comparison *c)
{
    static const char *const names[COST_COUNT] = { "allocations", "allocated", "peak", "still allocated", "temporary" };
    const struct compared_log *a = &c->logs[COMPARE_BEFORE], *b = &c->logs[COMPARE_AFTER];
    const char *about = text_about(a->sample_bytes || b->sample_bytes);

    printf("Before: ");
    text_print_safe(a->name, strlen(a->name));
    printf("\nAfter:  ");
    text_print_safe(b->name, strlen(b->name));
    printf("\n\n%-16s %15s %15s %15s\n", "", "before", "after", "change");
    for (enum cost cost = 0; cost < COST_COUNT; cost++)
        if (compare_is_known(c, cost))
            printf("%-16s %15s %15s %15s%s\n", names[cost], amount(cost, a->totals[cost]), amount(cost, b->totals[cost]),
                   change(cost, a->totals[cost], b->totals[cost]), change_share(a->totals[cost], b->totals[cost]));
    printf("%-16s %13.3f s %13.3f s\n", "duration", a->seconds, b->seconds);
    print_carried("Before", a);
    print_carried("After", b);
    if (*about)
        printf("All figures are estimates, from samples.\n");
}

/* Bytes and allocations where they have changed, the cost that rows are sorted by; and where none of these has
 * changed, what else has. */
static void print_changes(const struct comparison *c, const struct compared_row *r, enum cost sorted)
{
    static const char *const names[COST_COUNT] = { "", "", " at the peak", " still allocated", " temporary" };
    static const enum cost order[] = { COST_ALLOCATED, COST_ALLOCATIONS, COST_PEAK, COST_LEAKED, COST_TEMPORARY };
    const uint64_t *before = r->row->costs[COMPARE_BEFORE], *after = r->row->costs[COMPARE_AFTER];
    bool is_first = true, others = r->change == COMPARE_CHANGED && before[COST_ALLOCATED] == after[COST_ALLOCATED] &&
                                   before[COST_ALLOCATIONS] == after[COST_ALLOCATIONS] && before[sorted] == after[sorted];

    for (size_t i = 0; i < COST_COUNT; i++) {
        enum cost cost = order[i];
        bool is_wanted = cost == COST_ALLOCATED || cost == COST_ALLOCATIONS || cost == sorted || others;
        if (!is_wanted || !compare_is_known(c, cost) || before[cost] == after[cost])
            continue;
        uint64_t size = after[cost] > before[cost] ? after[cost] - before[cost] : before[cost] - after[cost];
        printf("%s%s%s%s%s", is_first ? "" : ", ", change(cost, before[cost], after[cost]), cost == COST_ALLOCATIONS ? " " : names[cost],
               cost == COST_ALLOCATIONS ? text_noun(size, "allocation") : "",
               r->change == COMPARE_CHANGED && cost == COST_ALLOCATED ? change_share(before[cost], after[cost]) : "");
        is_first = false;
    }
}

/* "x", or "x → y". */
static void print_both(FILE *to, const char *words, enum cost cost, const struct by_name_row *row, const char *ending)
{
    uint64_t before = row->costs[COMPARE_BEFORE][cost], after = row->costs[COMPARE_AFTER][cost];

    fprintf(to, "%s%s", words, amount(cost, before));
    if (before != after)
        fprintf(to, " %s %s", text_is_utf8() ? "→" : "->", amount(cost, after));
    fputs(ending, to);
}

static void print_costs(const struct comparison *c, const struct by_name_row *row)
{
    _cleanup_free_ char *text = NULL;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);

    if (!to)
        return;
    print_both(to, "      ", COST_ALLOCATED, row, ", in ");
    print_both(to, "", COST_ALLOCATIONS, row, " ");
    fprintf(to, "%s\n", text_noun(row->costs[COMPARE_AFTER][COST_ALLOCATIONS], "allocation"));
    print_both(to, "      peak ", COST_PEAK, row, "; ");
    print_both(to, "still allocated ", COST_LEAKED, row, compare_is_known(c, COST_TEMPORARY) ? "; " : "\n");
    if (compare_is_known(c, COST_TEMPORARY))
        print_both(to, "temporary ", COST_TEMPORARY, row, "\n");
    fclose(to);
    text_write_wrapped(stdout, text, "      ");
}

static void print_row(const struct comparison *c, const struct compared_row *r, size_t number, const struct compare_view *view)
{
    static const char *const words[COMPARE_CHANGES] = { "as before", "", "  only before", "  only after" };
    const struct by_name_row *row = r->row;

    printf("%4zu  ", number);
    print_changes(c, r, view->cost);
    printf("%s\n      ", words[r->change]);
    by_name_print_frames(&c->table, row, view->depth);
    putchar('\n');
    print_costs(c, row);
}

static void print_warning(void *data, const char *sentence)
{
    bool *is_first = data;

    _cleanup_free_ char *safe = copy_text(sentence, strlen(sentence));
    text_print_wrapped("      ", "%sNote: %s.\n", *is_first ? "\n" : "", text_make_safe(safe));
    *is_first = false;
}

void compare_print(const struct comparison *c, const struct compare_view *view)
{
    bool is_first = true;
    size_t shown = c->row_count < view->top ? c->row_count : view->top;
    const char *what = c->table.options.stacks ? "stack" : "call site";

    print_totals(c);
    compare_warnings(c, print_warning, &is_first);
    printf("\n%s changed, %s only before, %s only after, %s as before.\n", text_counted(c->counts[COMPARE_CHANGED], what), text_count(c->counts[COMPARE_ONLY_BEFORE]),
           text_count(c->counts[COMPARE_ONLY_AFTER]), text_count(c->counts[COMPARE_UNCHANGED]));
    if (shown)
        printf("By change of %s%s:\n\n", cost_name(view->cost), cost_is_bytes(view->cost) ? " bytes" : "");
    for (size_t i = 0; i < shown; i++)
        print_row(c, &c->rows[i], i + 1, view);
    if (shown < c->row_count)
        printf("  ... and %s more (-n)\n", text_count(c->row_count - shown));
    text_print_wrapped("        ", "\nBefore: %sAfter:  %s", c->logs[COMPARE_BEFORE].trust, c->logs[COMPARE_AFTER].trust);
}

/* --- JSON ---------------------------------------------------------------------------- */

static json_t *log_json(const struct compared_log *l)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:f, s:o, s:o, s:O, s:O}", "log", text_json(l->name), "command", text_json(l->command), "totals",
                     by_name_costs_json(l->totals, l->temporary_known), "carried", carried_json(l), "seconds", l->seconds, "sample_bytes", text_json_number(l->sample_bytes),
                     "min_size", text_json_number(l->min_size), "part", l->part_json, "trust", l->trust_json);
}

static json_t *row_json(const void *data, size_t number)
{
    const struct comparison *c = data;
    const struct compared_row *r = &c->rows[number];
    bool known = compare_is_known(c, COST_TEMPORARY);

    return json_pack("{s:s, s:o, s:o, s:o}", "change", change_names[r->change], "frames", by_name_frames_json(&c->table, r->row), "before",
                     by_name_costs_json(r->row->costs[COMPARE_BEFORE], known), "after", by_name_costs_json(r->row->costs[COMPARE_AFTER], known));
}

static void append_warning(void *data, const char *sentence)
{
    json_array_append_new(data, text_json(sentence));
}

void compare_print_json(const struct comparison *c, const struct compare_view *view)
{
    const struct long_list rows = { "rows", c->row_count < view->top ? c->row_count : view->top, row_json, c };
    json_t *warnings = json_array();

    compare_warnings(c, append_warning, warnings);
    json_t *members = json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:{s:I, s:I, s:I, s:I}}", "schema", "malloscope-diff/1", "by",
                                c->table.options.stacks ? "stack" : "site", "cost", cost_name(view->cost), "lines",
                                c->table.options.lines, "before", log_json(&c->logs[COMPARE_BEFORE]), "after",
                                log_json(&c->logs[COMPARE_AFTER]), "warnings", warnings, "counts", "changed",
                                (json_int_t)c->counts[COMPARE_CHANGED], "only_before",
                                (json_int_t)c->counts[COMPARE_ONLY_BEFORE], "only_after",
                                (json_int_t)c->counts[COMPARE_ONLY_AFTER], "unchanged",
                                (json_int_t)c->counts[COMPARE_UNCHANGED]);
    long_json_print(members, &rows);
}
