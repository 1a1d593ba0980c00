/* Sites, or stacks, -> rows -> lines. Stacks of the same names are one row, whatever
 * process or address they are of: each location has a number that all of the same names
 * share, and stacks are compared by these. */
#include "analyze/render/sites_table.h"

#include "analyze/render/frames.h"
#include "analyze/render/coverage.h"
#include "analyze/render/overloads.h"
#include "analyze/render/part.h"
#include "analyze/render/text.h"
#include "analyze/render/top_sites.h"
#include "analyze/render/trust.h"

#include <inttypes.h>
#include <string.h>

struct row {
    uint32_t site, leaf; /* leaf: whose stack is shown */
    uint32_t stacks;
    struct stack_costs sum;
};

struct table {
    struct facts *facts;
    const struct sites *sites;
    const struct namer *namer;
    const struct sites_view *view;
    struct overloads overloads;
    char **texts;       /* by location: its functions, outer to inner */
    uint32_t *names;    /* by location: a number that is the same where the texts are */
    struct row *rows;
    size_t count;
};

/* --- names ------------------------------------------------------------------------- */

/* What would part frames or columns. */
static void make_plain(char *text)
{
    for (char *at = text_make_safe(text); (at = strchr(at, ';'));)
        *at = ':';
}

static const char *name_of(const struct table *t, uint32_t location, const struct symbols_frame *frame)
{
    const char *name = overloads_name(&t->overloads, t->facts->told.code.locations[location].file, frame);
    return name ? name : "?";
}

static char *location_text(struct table *t, uint32_t location)
{
    const struct symbols_frame *frames;
    size_t count = location ? t->namer->frames(t->namer->data, location, &frames) : 0, bytes = 1, used = 0;
    const struct frame unknown = { .location = location };

    if (!count) {
        const char *name = frames_name(&t->facts->told.code, &unknown);
        char *text = copy_text(name, strlen(name));
        make_plain(text);
        return text;
    }
    for (size_t i = 0; i < count; i++)
        bytes += strlen(name_of(t, location, &frames[i])) + 1;
    char *text = alloc_zeroed(bytes, 1);
    for (size_t i = count; i-- > 0;) {
        char *name = text + used;
        used += (size_t)sprintf(name, "%s", name_of(t, location, &frames[i]));
        make_plain(name);
        if (i)
            text[used++] = ';';
    }
    return text;
}

static int by_text(const void *left, const void *right, void *data)
{
    const struct table *t = data;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    int texts = strcmp(t->texts[a], t->texts[b]);
    uint32_t mine = t->facts->told.code.locations[a].file, other = t->facts->told.code.locations[b].file;
    return texts ? texts : mine < other ? -1 : mine > other;
}

static void name_locations(struct table *t)
{
    code_locate_all(&t->facts->told.code);
    size_t count = t->facts->told.code.location_count;
    _cleanup_free_ uint32_t *order = alloc_zeroed(count + 1, sizeof *order);

    t->texts = alloc_zeroed(count + 1, sizeof *t->texts);
    t->names = alloc_zeroed(count + 1, sizeof *t->names);
    for (uint32_t i = 1; i < count; i++) {
        const struct symbols_frame *frames;
        size_t depth = t->namer->frames(t->namer->data, i, &frames);
        for (size_t k = 0; k < depth; k++)
            overloads_add(&t->overloads, t->facts->told.code.locations[i].file, &frames[k]);
    }
    for (uint32_t i = 0; i < count; i++) {
        t->texts[i] = location_text(t, i);
        order[i] = i;
    }
    qsort_r(order, count, sizeof *order, by_text, t);
    for (size_t i = 0; i < count; i++)
        t->names[order[i]] = i && by_text(&order[i - 1], &order[i], t) == 0 ? t->names[order[i - 1]] : (uint32_t)i;
}

static uint32_t location_of(const struct table *t, uint32_t node)
{
    const struct stacks *s = &t->facts->told.stacks;
    return stack_is_root(s, node) ? 0 : code_location(&t->facts->told.code, s->nodes[node].pc);
}

static void print_stack(const struct table *t, FILE *to, uint32_t leaf)
{
    const struct stacks *s = &t->facts->told.stacks;
    uint32_t node = s->leaves[leaf].node;
    _cleanup_free_ uint32_t *path = NULL;
    size_t count = 0, capacity = 0;

    do {
        path = grow(path, &capacity, count + 1, sizeof *path);
        path[count++] = location_of(t, node);
        node = s->nodes[node].parent;
    } while (!stack_is_root(s, node));
    while (count-- > 0)
        fprintf(to, "%s%s", t->texts[path[count]], count ? ";" : "");
}

/* --- rows -------------------------------------------------------------------------- */

/* Sites first, then the names of the frames, the innermost first. */
static int by_stack(const void *left, const void *right, void *data)
{
    const struct table *t = data;
    const struct row *x = left, *y = right;
    const struct stacks *s = &t->facts->told.stacks;
    uint32_t a = s->leaves[x->leaf].node, b = s->leaves[y->leaf].node;

    if (x->site != y->site)
        return x->site < y->site ? -1 : 1;
    for (; !stack_is_root(s, a) && !stack_is_root(s, b); a = s->nodes[a].parent, b = s->nodes[b].parent) {
        uint32_t mine = t->names[location_of(t, a)], other = t->names[location_of(t, b)];
        if (mine != other)
            return mine < other ? -1 : 1;
    }
    return stack_is_root(s, b) - stack_is_root(s, a);
}

static void make_stack_rows(struct table *t)
{
    size_t leaves = t->facts->told.stacks.leaf_count, kept = 0;

    t->rows = alloc_zeroed(leaves + 1, sizeof *t->rows);
    for (uint32_t leaf = 0; leaf < leaves; leaf++) {
        struct row row = { .leaf = leaf, .stacks = 1 };
        if (!stack_leaf_is_first(&t->facts->told.stacks, leaf))
            continue;
        row.site = sites_of_stack(t->sites, t->facts, leaf, &row.sum);
        if (row.site != SITE_NONE)
            t->rows[t->count++] = row;
    }
    qsort_r(t->rows, t->count, sizeof *t->rows, by_stack, t);
    for (size_t i = 0; i < t->count; i++) {
        if (kept && by_stack(&t->rows[kept - 1], &t->rows[i], t) == 0) {
            stack_costs_add(&t->rows[kept - 1].sum, &t->rows[i].sum);
            t->rows[kept - 1].stacks++;
        } else {
            t->rows[kept++] = t->rows[i];
        }
    }
    t->count = kept;
}

static void make_site_rows(struct table *t)
{
    t->rows = alloc_zeroed(t->sites->count + 1, sizeof *t->rows);
    for (uint32_t i = 0; i < t->sites->count; i++) {
        const struct site *site = &t->sites->sites[i];
        t->rows[t->count++] = (struct row){ i, site->heaviest[COST_ALLOCATED], site->stacks, site->sum };
    }
}

static int by_cost(const void *left, const void *right, void *data)
{
    const struct table *t = data;
    const struct row *a = left, *b = right;
    const enum cost costs[] = { t->view->sort, COST_ALLOCATED, COST_ALLOCATIONS };

    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        uint64_t mine = cost_of(&a->sum, costs[i]), other = cost_of(&b->sum, costs[i]);
        if (mine != other)
            return mine > other ? -1 : 1;
    }
    const uint32_t mine = t->sites->sites[a->site].location, other = t->sites->sites[b->site].location;
    return mine != other ? (mine < other ? -1 : 1) : by_stack(left, right, data);
}

static void make_table(struct table *t)
{
    name_locations(t);
    if (t->view->stacks)
        make_stack_rows(t);
    else
        make_site_rows(t);
    qsort_r(t->rows, t->count, sizeof *t->rows, by_cost, t);
}

static void release_table(struct table *t)
{
    for (size_t i = 0; i < t->facts->told.code.location_count; i++)
        free(t->texts[i]);
    free(t->texts);
    free(t->names);
    overloads_release(&t->overloads);
    free(t->rows);
}

/* --- lines ------------------------------------------------------------------------- */

enum { ALLOCATIONS, BYTES, TEMPORARY, PEAK_BLOCKS, PEAK_BYTES, LEAKED_BLOCKS, LEAKED_BYTES, REGROWN, ROUNDING, SUMS };

static const char *const sum_names[SUMS] = { "allocations", "bytes", "temporary", "peak_blocks", "peak_bytes",
                                             "leaked_blocks", "leaked_bytes", "regrown", "rounding" };

/* Estimates are rounded by their running totals, so that the rows' sums are the totals. */
struct running {
    uint64_t units[SUMS], shown[SUMS];
};

static void next_sums(const struct facts *f, struct running *r, const struct stack_costs *c, uint64_t ret_sums[SUMS])
{
    const uint64_t units[SUMS] = { c->allocations, c->bytes, c->temporary, c->peak_blocks, c->peak_bytes, c->leaked_blocks,
                                   c->leaked_bytes, c->regrown, c->rounding };

    for (size_t i = 0; i < SUMS; i++) {
        r->units[i] += units[i];
        ret_sums[i] = settings_rounded(&f->settings, r->units[i]) - r->shown[i];
        r->shown[i] += ret_sums[i];
    }
}

static void print_plain(const char *text)
{
    _cleanup_free_ char *plain = copy_text(text ? text : "", text ? strlen(text) : 0);

    make_plain(plain);
    fputs(plain, stdout);
}

static void print_name(const struct table *t, const struct row *row)
{
    const struct code *code = &t->facts->told.code;
    struct frames frames;

    frames_of(t->facts, t->namer, t->facts->told.stacks.leaves[row->leaf].node, &frames);
    const struct frame *own = &frames.of[frames.site];
    print_plain(code->files[code->locations[own->location].file].path);
    printf("\t%" PRIu64 "\t", code->locations[own->location].address);
    overloads_mark(&t->overloads, code, &frames);
    print_plain(own->is_overload ? own->signature : own->function);
    putchar('\t');
    print_plain(own->source);
    putchar('\t');
    if (own->line)
        printf("%u", own->line);
    frames_release(&frames);
}

void sites_print_tsv(struct facts *facts, const struct sites *sites, const struct namer *namer, const struct sites_view *view)
{
    struct table t = { .facts = facts, .sites = sites, .namer = namer, .view = view };
    bool has_temporary = settings_all_recorded(&facts->settings);
    struct running running = { 0 };
    uint64_t sums[SUMS];

    make_table(&t);
    for (size_t i = 0; i < SUMS; i++)
        printf("%s\t", sum_names[i]);
    printf("mean_lifetime_us\tmean_lifetime_allocations\tsmallest\tlargest\tstacks\tmodule\toffset\tfunction\tfile\tline\tstack\n");
    for (size_t k = 0; k < t.count; k++) {
        const struct row *row = &t.rows[k];
        next_sums(facts, &running, &row->sum, sums);
        for (size_t i = 0; i < SUMS; i++) {
            if (i != TEMPORARY || has_temporary)
                printf("%" PRIu64, sums[i]);
            putchar('\t');
        }
        if (row->sum.freed)
            printf("%.1f\t%.1f\t", (double)row->sum.lifetime_us / (double)row->sum.freed,
                   (double)row->sum.lifetime_allocations / (double)row->sum.freed);
        else
            printf("\t\t");
        printf("%" PRIu64 "\t%" PRIu64 "\t%u\t", row->sum.least, row->sum.most, row->stacks);
        print_name(&t, row);
        putchar('\t');
        print_stack(&t, stdout, row->leaf);
        putchar('\n');
    }
    release_table(&t);
}

static json_t *stack_json(const struct table *t, uint32_t leaf)
{
    char *text = NULL;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);

    if (!to)
        return json_array();
    print_stack(t, to, leaf);
    fclose(to);
    json_t *list = json_array();
    for (char *at = text, *next; at; at = next) {
        next = strchr(at, ';');
        if (next)
            *next++ = 0;
        json_array_append_new(list, text_json(at));
    }
    free(text);
    return list;
}

static json_t *row_json(const struct table *t, const struct row *row, const uint64_t sums[SUMS])
{
    json_t *object = json_object();
    bool has_temporary = settings_all_recorded(&t->facts->settings);
    struct frames frames;

    for (size_t i = 0; i < SUMS; i++)
        json_object_set_new(object, sum_names[i],
                            i != TEMPORARY || has_temporary ? json_integer((json_int_t)sums[i]) : json_null());
    json_object_set_new(object, "mean_lifetime_us",
                        row->sum.freed ? json_real((double)row->sum.lifetime_us / (double)row->sum.freed) : json_null());
    json_object_set_new(object, "mean_lifetime_allocations",
                        row->sum.freed ? json_real((double)row->sum.lifetime_allocations / (double)row->sum.freed) : json_null());
    json_object_set_new(object, "smallest", text_json_number(row->sum.least));
    json_object_set_new(object, "largest", text_json_number(row->sum.most));
    json_object_set_new(object, "stacks", json_integer(row->stacks));
    frames_of(t->facts, t->namer, t->facts->told.stacks.leaves[row->leaf].node, &frames);
    json_t *own = frames_json(&t->facts->told.code, &frames.of[frames.site]);
    json_object_del(own, "inlined");
    json_object_update(object, own);
    json_decref(own);
    frames_release(&frames);
    json_object_set_new(object, "stack", stack_json(t, row->leaf));
    return object;
}

static void print_member(const char *before, json_t *value)
{
    fputs(before, stdout);
    json_dumpf(value, stdout, JSON_COMPACT | TEXT_JSON_REALS | JSON_ENCODE_ANY);
    json_decref(value);
}

void sites_print_json(const struct log *log, struct facts *facts, const struct sites *sites, const struct namer *namer,
                      const struct sites_view *view)
{
    struct table t = { .facts = facts, .sites = sites, .namer = namer, .view = view };
    struct running running = { 0 };
    uint64_t sums[SUMS];
    struct trust trust;

    make_table(&t);
    printf("{\n\"schema\": \"malloscope-sites/1\",\n\"rows\": \"%s\",\n\"sampled\": %s,\n\"sites\": [", view->stacks ? "stacks" : "sites",
           facts->settings.sample_bytes ? "true" : "false");
    for (size_t i = 0; i < t.count; i++) {
        next_sums(facts, &running, &t.rows[i].sum, sums);
        json_t *row = row_json(&t, &t.rows[i], sums);
        printf(i ? ",\n" : "\n");
        json_dumpf(row, stdout, JSON_COMPACT | TEXT_JSON_REALS);
        json_decref(row);
    }
    trust_of_facts(log, facts, &trust);
    print_member("\n],\n\"part\": ", part_json(facts));
    print_member(",\n\"trust\": ", trust_json(&trust));
    printf("\n}\n");
    release_table(&t);
}
