/* Figures are on the left, so that they can be compared, the tree is on the right:
 *
 *   12.3 MiB  100.0  main  src/main.c:40
 *    8.0 MiB   65.0  ├ read  src/read.c:12 → grow  src/buffer.c:7
 *    4.3 MiB   35.0  └ (itself)
 *
 * Where that leaves too little room for names, deeper frames are not indented further, but
 * have a number: +1 is called by the frame above that has none, +2 by the +1 above it. */
#include "analyze/render/coverage.h"
#include "analyze/render/frame_text.h"
#include "analyze/render/part.h"
#include "analyze/render/text.h"
#include "analyze/render/tree.h"
#include "analyze/render/trust.h"

#include <math.h>
#include <string.h>

#define FIGURES_COLUMNS 22
#define NESTING_MAX 2000 /* levels that are shown: a log can have more than fit on the C stack */
#define NAME_LEAST 30 /* columns that are left for names however deep it goes */

struct printer {
    const struct call_tree *tree;
    const struct tree_view *view;
    const char *about; /* before estimates */
    uint64_t least;
    int columns;       /* right of the figures */
    const char *branch, *last_branch, *goes_on, *ends, *arrow, *stem;
    size_t nesting;
    size_t beyond;     /* levels that were not indented */
    char *levels;      /* what goes on from the levels above, in the row at hand */
    size_t levels_capacity;
};

/* What is below a node, a row for each. */
struct below {
    size_t shown, hidden;
    uint64_t hidden_cost;
    bool itself, more;
};

uint64_t tree_least(const struct call_tree *t, const struct tree_view *view)
{
    double least = ceil(view->min_share * (double)call_node_total(t, 0, view->cost));
    return least < 1 ? 1 : (uint64_t)least;
}

static uint64_t total_of(const struct printer *p, uint32_t node)
{
    return call_node_total(p->tree, node, p->view->cost);
}

static struct below look_below(const struct printer *p, uint32_t node, size_t depth)
{
    struct below b = { 0 };
    bool beyond_top = false;

    if (depth >= p->view->depth)
        return b;
    for (uint32_t child = p->tree->nodes[node].child; child; child = p->tree->nodes[child].next) {
        uint64_t total = total_of(p, child);
        if (total >= p->least && b.shown < p->view->top) {
            b.shown++;
            continue;
        }
        beyond_top |= total >= p->least;
        b.hidden += total != 0;
        b.hidden_cost += total;
    }
    b.itself = node && b.shown && call_node_self(p->tree, node, p->view->cost) >= p->least;
    b.more = beyond_top || (b.hidden_cost >= p->least && b.shown);
    return b;
}

/* The last of the frames that have all of node's cost, each the only child of the one before. */
static uint32_t end_of_chain(const struct printer *p, uint32_t node, size_t *depth)
{
    for (uint32_t child; *depth < p->view->depth; node = child, ++*depth) {
        child = p->tree->nodes[node].child;
        if (!child || total_of(p, child) != total_of(p, node))
            break;
    }
    return node;
}

static void print_figures(const struct printer *p, uint64_t cost)
{
    const char *number = cost_is_bytes(p->view->cost) ? text_bytes(cost) : text_count(cost);
    int room = 13 - (int)strlen(number) - (*p->about != 0);

    printf("%*s%s%s  %5s  ", room > 0 ? room : 0, "", p->about, number, text_share(cost, total_of(p, 0)));
}

static void print_special(const struct printer *p, uint64_t cost, const char *mark, const char *text)
{
    print_figures(p, cost);
    printf("%s%s%s\n", p->levels, mark, text);
}

/* From node to last, on as few lines as have room for them: only these two with where they are. */
static void print_names(const struct printer *p, uint32_t node, uint32_t last, const char *mark, const char *under, bool has_below)
{
    int room = p->columns - text_width(p->levels) - text_width(mark), left = room;

    print_figures(p, total_of(p, node));
    printf("%s%s", p->levels, mark);
    for (bool first = true;; first = false, node = p->tree->nodes[node].child) {
        int most = first ? room : room - text_width(p->arrow) - 2;
        _cleanup_free_ char *text = first || node == last ? frame_text(p->tree, node, p->tree->nodes[node].parent, most)
                                                          : frame_name(p->tree, node, most);
        int width = text_width(text) + (first ? 0 : text_width(p->arrow));
        if (!first && width > left) {
            printf("\n%*s%s%s%s", FIGURES_COLUMNS, "", p->levels, under, has_below ? p->stem : " ");
            left = room - 1;
        }
        printf("%s%s", first ? "" : p->arrow, text);
        left -= width;
        if (node == last)
            break;
    }
    putchar('\n');
}

static void print_node(struct printer *p, uint32_t node, size_t depth, const char *mark, const char *under);

static void print_below(struct printer *p, uint32_t node, size_t depth, const struct below *b)
{
    size_t left = b->shown + b->itself + b->more;
    uint32_t child = p->tree->nodes[node].child;

    _cleanup_free_ char *number = format_text("+%zu ", p->beyond);
    const char *branch = p->beyond ? number : node ? p->branch : "", *last = p->beyond ? number : node ? p->last_branch : "";
    const char *goes_on = p->beyond || !node ? "" : p->goes_on, *ends = p->beyond || !node ? "" : p->ends;

    for (size_t i = 0; i < b->shown; i++, child = p->tree->nodes[child].next) {
        bool is_last = --left == 0;
        print_node(p, child, depth + 1, is_last ? last : branch, is_last ? ends : goes_on);
    }
    if (b->itself)
        print_special(p, call_node_self(p->tree, node, p->view->cost), b->more ? branch : last,
                      p->view->inverted ? "(no caller)" : "(itself)");
    if (b->more) {
        _cleanup_free_ char *text = format_text("... %zu more", b->hidden);
        print_special(p, b->hidden_cost, last, text);
    }
}

static void open_level(struct printer *p, size_t used, const char *under)
{
    p->levels = grow(p->levels, &p->levels_capacity, used + strlen(under) + 1, 1);
    strcpy(p->levels + used, under);
}

static void print_node(struct printer *p, uint32_t node, size_t depth, const char *mark, const char *under)
{
    size_t used = strlen(p->levels);
    uint32_t last = end_of_chain(p, node, &depth);
    struct below b = look_below(p, last, depth);

    print_names(p, node, last, mark, under, b.shown || b.more);
    size_t beyond = p->beyond;
    if (beyond || text_width(p->levels) + 2 * text_width(p->goes_on) + NAME_LEAST > p->columns)
        p->beyond++;
    else
        open_level(p, used, under);
    if (p->nesting++ < NESTING_MAX)
        print_below(p, last, depth, &b);
    else if (b.shown)
        print_special(p, total_of(p, last), "", "... and deeper");
    p->nesting--;
    p->levels[used] = 0;
    p->beyond = beyond;
}

const char *tree_amount(enum cost cost, uint64_t all)
{
    static char text[80];

    if (cost_is_bytes(cost))
        snprintf(text, sizeof text, "%s %s", text_bytes(all), cost == COST_PEAK ? "at the peak" : cost_name(cost));
    else
        snprintf(text, sizeof text, "%s", text_counted(all, cost == COST_TEMPORARY ? "temporary allocation" : "allocation"));
    return text;
}

static void print_heading(const struct printer *p, const struct facts *f)
{
    const struct coverage coverage = { &f->settings, f->recorded, f->told.was_paused };
    const char *cost = cost_name(p->view->cost);
    uint64_t all = total_of(p, 0);

    if (part_print(stdout, f) + coverage_print(stdout, &coverage, ""))
        putchar('\n');
    _cleanup_free_ char *least = p->view->min_share > 0
                                     ? format_text("; without frames of less than %g %%", p->view->min_share * 100)
                                     : copy_text("", 0);
    text_print_wrapped("", "%s%s, from %s, %s%s\n\n%13s  %5s\n", p->about, tree_amount(p->view->cost, all),
           text_counted(p->tree->stack_count, "stack"),
           p->view->inverted ? "call sites first" : "callers first", least, cost, "%");
}

void tree_print(const struct call_tree *t, const struct log *log, const struct facts *f, const struct tree_view *view)
{
    bool utf8 = text_is_utf8();
    struct printer p = {
        .tree = t, .view = view, .about = text_about(f->settings.sample_bytes), .least = tree_least(t, view),
        .columns = text_columns() - FIGURES_COLUMNS, .branch = utf8 ? "├ " : "|-", .last_branch = utf8 ? "└ " : "`-",
        .goes_on = utf8 ? "│ " : "| ", .ends = "  ", .arrow = utf8 ? " → " : " > ", .stem = utf8 ? "│" : "|",
    };
    struct trust trust;

    p.levels = grow(NULL, &p.levels_capacity, 1, 1);
    print_heading(&p, f);
    struct below b = look_below(&p, 0, 0);
    print_below(&p, 0, 0, &b);
    free(p.levels);
    trust_of_facts(log, f, &trust);
    trust_print(stdout, &trust);
}
