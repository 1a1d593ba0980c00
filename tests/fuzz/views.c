/* The commands' ways from facts to text, without their options. What they print goes into memory, where it is looked at. */
#include "tests/fuzz/views.h"

#include "analyze/render/call_sites.h"
#include "analyze/render/compare.h"
#include "analyze/render/contents.h"
#include "analyze/render/coverage.h"
#include "analyze/render/filter.h"
#include "analyze/render/flame.h"
#include "analyze/render/leaks.h"
#include "analyze/render/merged.h"
#include "analyze/render/report.h"
#include "analyze/render/rows.h"
#include "analyze/render/sites_table.h"
#include "analyze/render/sizes_report.h"
#include "analyze/render/tree.h"
#include "analyze/render/trust.h"

#include <string.h>

struct seen {
    const struct log *log;
    struct facts *facts;
    const struct namer *namer;
};

/* What is printed between begin() and one of the ends. */
static struct {
    FILE *before;
    char *text;
    size_t bytes;
} shown;

static void demand(bool condition, const char *what, const char *text)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz: not so: %s:\n%.300s\n", what, text);
    abort();
}

static void begin(void)
{
    shown.before = stdout;
    stdout = open_memstream(&shown.text, &shown.bytes);
}

static void end(void)
{
    fclose(stdout);
    stdout = shown.before;
}

static void end_text(const char *allowed)
{
    end();
    for (size_t i = 0; i < shown.bytes; i++) {
        unsigned char byte = (unsigned char)shown.text[i];
        demand((byte >= 32 && byte != 127) || (byte && strchr(allowed, byte)), "text has no control characters", shown.text + i);
    }
    free(shown.text);
}

static void end_json(void)
{
    end();
    json_t *root = json_loadb(shown.text, shown.bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    demand(root != NULL, "JSON is JSON", shown.text);
    json_decref(root);
    free(shown.text);
}

static void drop(json_t *root)
{
    char *text = json_dumps(root, 0);
    demand(text != NULL, "all values can be written", "");
    free(text);
    json_decref(root);
}

static void show_report(const struct seen *s, bool as_json)
{
    struct report_view view = { .log_name = "l\nog", .threshold = 100, .top = REPORT_TOP_DEFAULT };
    struct filter filter = { 0 };
    struct failure failure;
    struct sites sites;

    filter_init(&filter, "getpw|y[.]c", &failure);
    for (unsigned i = 0; i < 4; i++) {
        view.has_sort = i > 1;
        view.sort = i == 2 ? COST_PEAK : COST_TEMPORARY;
        view.top = i > 1 ? 3 : REPORT_TOP_DEFAULT;
        view.depth = i * 2;
        view.has_threads = i & 1;
        view.merges_threads = i == 3;
        view.filter = (struct call_sites_filter){ .stacks = i == 2 ? &filter : NULL, .text = "getpw", .module = i == 3 ? "libc.so.6" : NULL };
        call_sites_collect(s->facts, s->namer, &view.filter, &sites);
        if (as_json) {
            begin();
            report_print_json(s->log, s->facts, &sites, s->namer, &view);
            end_json();
        } else {
            begin();
            report_print(s->log, s->facts, &sites, s->namer, &view);
            report_print_summary(stdout, s->log, s->facts, &view);
            end_text("\n");
        }
        sites_release(&sites);
    }
    filter_release(&filter);
}

static void show_leaks(const struct seen *s)
{
    struct leaks_view view = { .log_name = "log", .top = 10, .depth = 20 };
    struct suppressions rules = { 0 };
    struct filter filter = { 0 };
    struct failure failure;
    struct leaks leaks;

    filter_init(&filter, "a|b|c", &failure);
    suppressions_add_builtin(&rules);
    for (int i = 0; i < 2; i++) {
        leaks_collect(s->facts, s->namer, &filter, &rules, &leaks);
        begin();
        leaks_print(&leaks, &rules, s->log, s->facts, &view);
        end_text("\n");
        begin();
        leaks_print_tsv(&leaks, &view);
        end_text("\n\t");
        begin();
        leaks_print_json(&leaks, &rules, s->log, s->facts, &view);
        end_json();
        leaks_release(&leaks);
        view = (struct leaks_view){ .log_name = "log", .top = 1, .depth = 1 };
        filter_release(&filter);
    }
    suppressions_release(&rules);
}

static void show_tree(const struct seen *s)
{
    struct flame_pruned pruned;
    struct call_tree tree;

    for (unsigned i = 0; i < 2 * COST_COUNT; i++) {
        const struct tree_view view = { .cost = i / 2, .inverted = i & 1, .min_share = i * 0.005, .depth = i == 3 ? 2 : SIZE_MAX,
                                        .top = i == 5 ? 1 : SIZE_MAX };
        call_tree_make(s->facts, s->namer, &(struct call_tree_options){ .costs = CALL_TREE_COSTS, .inverted = view.inverted }, &tree);
        call_tree_sort(&tree, view.cost);
        begin();
        tree_print_json(&tree, s->log, s->facts, &view);
        end_json();
        call_tree_release(&tree);
        call_tree_make(s->facts, s->namer, &(struct call_tree_options){ .costs = CALL_TREE_COST(view.cost), .inverted = view.inverted }, &tree);
        call_tree_sort(&tree, view.cost);
        begin();
        tree_print(&tree, s->log, s->facts, &view);
        end_text("\n");
        begin();
        flame_write_folded(stdout, &tree, &view, &pruned);
        end_text("\n");
        begin();
        flame_write_svg(stdout, &tree, &view, &(struct flame_picture){ "title", "note" }, &pruned);
        end_text("\n");
        call_tree_release(&tree);
    }
}

static void show_timeline(const struct seen *s)
{
    static const size_t most_rows[] = { 1, 66, TIMELINE_BUCKETS };

    for (size_t i = 0; i < sizeof most_rows / sizeof *most_rows; i++) {
        struct timeline_rows rows;
        uint64_t allocations = 0, most = 0;
        timeline_rows_make(s->facts, most_rows[i], &rows);
        for (size_t k = 0; k < rows.count; k++) {
            allocations += rows.of[k].allocations;
            most = rows.of[k].most_live > most ? rows.of[k].most_live : most;
        }
        demand(rows.count <= most_rows[i], "rows are at most so many", "");
        demand(allocations == s->facts->allocations && most == s->facts->peak_bytes, "rows are exact", "");
        begin();
        timeline_print(s->log, s->facts, &rows);
        end_text("\n");
        begin();
        timeline_print_tsv(&rows);
        end_text("\n\t");
        drop(timeline_json(s->log, s->facts, &rows));
        timeline_rows_release(&rows);
    }
}

static void show_sites(const struct seen *s)
{
    for (unsigned i = 0; i < 4; i++) {
        const struct sites_view view = { .stacks = i & 1, .sort = i };
        struct sites sites;
        call_sites_collect(s->facts, s->namer, NULL, &sites);
        begin();
        if (i < 2)
            sites_print_tsv(s->facts, &sites, s->namer, &view);
        else
            sites_print_json(s->log, s->facts, &sites, s->namer, &view);
        if (i < 2)
            end_text("\n\t");
        else
            end_json();
        sites_release(&sites);
    }
}

static void show_contents(const struct seen *s)
{
    struct sizes_counted counted;
    struct size_table table;
    struct contents contents;
    struct trust trust;

    contents_read(s->log, NULL, NULL, &contents);
    begin();
    contents_print(s->log, &contents);
    end_text("\n");
    drop(contents_json(s->log, &contents));
    contents_release(&contents);
    count_sizes(s->log, NULL, NULL, &counted);
    sizes_table(&counted.sizes, &table);
    trust_of_sizes(s->log, &counted, &trust);
    for (unsigned i = 0; i < 4; i++) {
        const struct sizes_view view = { .threshold = 100, .linear = i & 1 ? 8 : 0, .by_bytes = i & 2, .is_estimate = i == 3 };
        begin();
        if (table.count)
            sizes_print_histogram(&table, &view);
        sizes_print_split(&table, &view);
        sizes_print_tsv(&table, &view);
        trust_print(stdout, &trust);
        trust_print_short(stdout, &trust);
        end_text("\n\t");
        drop(sizes_json(&table, &view));
    }
    drop(trust_json(&trust));
    size_table_release(&table);
    sizes_counted_release(&counted);
}

/* The log beside itself; a filter leaves out some of it the second time. */
static void show_two(const struct seen *s)
{
    for (unsigned i = 0; i < 3; i++) {
        const struct by_name_options options = { .stacks = i == 1, .lines = i == 2 };
        const struct compare_view view = { .cost = i, .top = 20 };
        struct filter filter = { 0 };
        struct failure failure;
        struct comparison compared;
        struct merged merged;
        compare_init(&compared, &options);
        merged_init(&merged, &options);
        for (unsigned side = 0; side < 2; side++) {
            if (side)
                filter_init(&filter, "getpw", &failure);
            filter_use(&filter, s->facts, s->namer);
            struct by_name_source source = { .side = side, .facts = s->facts, .namer = s->namer, .wanted = filter_wants, .wanted_data = &filter };
            compare_add(&compared, s->log, &source);
            source.side = 0;
            merged_add(&merged, s->log, &source);
            filter_release(&filter);
        }
        compare_sort(&compared, view.cost, view.cost == COST_PEAK);
        begin();
        compare_print(&compared, &view);
        merged_print(&merged, &(struct merged_view){ view.cost, view.top });
        end_text("\n");
        begin();
        compare_print_json(&compared, &view);
        end_json();
        begin();
        merged_print_json(&merged, &(struct merged_view){ view.cost, view.top });
        end_json();
        merged_release(&merged);
        compare_release(&compared);
    }
}

void views_show(unsigned which, const struct log *log, struct facts *facts, const struct namer *namer)
{
    const struct seen s = { log, facts, namer };

    switch (which) {
    case 0:
        show_report(&s, false);
        return;
    case 1:
        show_report(&s, true);
        return;
    case 2:
        show_leaks(&s);
        return;
    case 3:
        show_tree(&s);
        return;
    case 4:
        show_timeline(&s);
        return;
    case 5:
        show_sites(&s);
        return;
    default:
        show_contents(&s);
        show_two(&s);
    }
}
