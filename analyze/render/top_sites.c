/* Sites -> lists. A page is all that a person reads: so a site's stack is the one with the
 * most of the cost that its list is about, folded (render/frames.h) and cut after some
 * frames, and what is the same in two lists is shown once. */
#include "analyze/render/top_sites.h"

#include "analyze/render/frames.h"
#include "analyze/render/long_json.h"
#include "analyze/render/place.h"
#include "analyze/render/short_names.h"
#include "analyze/render/text.h"

#include <string.h>

#define DEFAULT_LIST 5       /* sites in each of several lists; */
#define DEFAULT_SORTED 10    /* in the only one, and in JSON */
#define DEFAULT_DEPTH 4      /* frames of a stack */
#define THROUGH_SHOWN 50     /* characters */

static const char *const titles[COST_COUNT] = {
    [COST_ALLOCATIONS] = "allocations", [COST_ALLOCATED] = "bytes", [COST_PEAK] = "bytes at the peak",
    [COST_LEAKED] = "bytes still allocated", [COST_TEMPORARY] = "temporary allocations",
};

struct lister {
    struct facts *facts;
    const struct sites *sites;
    const struct namer *namer;
    const struct report_view *view;
    struct overloads overloads; /* among the sites */
    size_t *shown; /* by site: the number under which it has been; 0: it has not */
    size_t shown_count;
    const uint32_t *orders[COST_COUNT]; /* of lists before; NULL: there was none */
    size_t counts[COST_COUNT];
    bool was_same; /* the last list, as one before it */
};

static void stack_of(const struct lister *l, const struct site *site, enum cost cost, struct frames *ret_frames)
{
    frames_of(l->facts, l->namer, l->facts->told.stacks.leaves[site->heaviest[cost]].node, ret_frames);
    frames_fold(&l->facts->told.code, ret_frames);
    overloads_mark(&l->overloads, &l->facts->told.code, ret_frames);
}

/* --- text ------------------------------------------------------------------------- */

static void print_costs(const struct lister *l, const struct site_costs *c, enum cost cost)
{
    const struct facts *f = l->facts;
    const char *about = text_about(f->settings.sample_bytes);
    const char *temporary = settings_all_recorded(&f->settings) ? text_count(c->temporary) : "-";

    switch (cost) {
    case COST_ALLOCATIONS:
        printf("%s%s (%s %%), %s%s (%s %%)", about, text_counted(c->allocations, "allocation"),
               text_share(c->allocations, f->allocations), about, text_bytes(c->bytes), text_share(c->bytes, f->allocated_bytes));
        break;
    case COST_ALLOCATED:
        printf("%s%s (%s %%) in %s%s (%s %%)", about, text_bytes(c->bytes), text_share(c->bytes, f->allocated_bytes),
               about, text_counted(c->allocations, "allocation"), text_share(c->allocations, f->allocations));
        break;
    case COST_PEAK:
        printf("%s%s (%s %%) in %s%s; of %s%s\n", about, text_bytes(c->peak_bytes), text_share(c->peak_bytes, f->peak_bytes), about,
               text_counted(c->peak_blocks, "block"), about, text_counted(c->allocations, "allocation"));
        return;
    case COST_LEAKED:
        printf("%s%s (%s %%) in %s%s; of %s%s\n", about, text_bytes(c->leaked_bytes), text_share(c->leaked_bytes, f->leaked_bytes), about,
               text_counted(c->leaked_blocks, "block"), about, text_counted(c->allocations, "allocation"));
        return;
    default:
        printf("%s temporary (%s %%) of %s, %s\n", temporary, text_share(c->temporary, f->temporary),
               text_counted(c->allocations, "allocation"), text_bytes(c->bytes));
        return;
    }
    printf("; %s temporary\n", temporary);
}

/* What lies between the site and the allocator, as far as one wants to know: what the site called. */
static void print_own(const struct code *code, const struct frames *frames, int columns)
{
    const struct frame *own = &frames->of[frames->site];
    if (!frames->site) {
        frames_print(code, own, columns);
        return;
    }
    _cleanup_free_ char *through = names_cut(names_short(frames_name(code, &frames->of[frames->site - 1])), THROUGH_SHOWN);
    frames_print(code, own, columns);
    bool fits = frames_columns(code, own) + 10 + (int)strlen(through) <= columns;
    fputs(fits ? "  through " : "\n      through ", stdout);
    text_print_safe(through, strlen(through));
}

static void print_turns(const struct frame *frame)
{
    if (frame->turns > 1 && frame->period == 1)
        printf("  recursive %s%u", text_is_utf8() ? "×" : "x", frame->turns);
    else if (frame->turns > 1)
        printf("  these %u recursive %s%u", frame->period, text_is_utf8() ? "×" : "x", frame->turns);
}

static void print_stack(const struct lister *l, const struct site *site, enum cost cost)
{
    const struct code *code = &l->facts->told.code;
    int columns = text_columns();
    size_t depth = l->view->depth ? l->view->depth : DEFAULT_DEPTH;
    struct frames frames;

    stack_of(l, site, cost, &frames);
    size_t end = frames.count - frames.site > depth ? frames.site + depth : frames.count;
    for (size_t i = frames.site; i < end; i++) {
        const struct frame *frame = &frames.of[i];
        int turns = frame->turns > 1 ? frame->period == 1 ? 16 : 22 : 0;
        fputs(i == frames.site ? "      " : text_is_utf8() ? "      ← " : "      < ", stdout);
        if (i == frames.site)
            print_own(code, &frames, columns - 6 - turns);
        else
            frames_print(code, frame, columns - 8 - turns);
        print_turns(frame);
        putchar('\n');
    }
    if (site->stacks > 1)
        printf("      %s %% of it with this stack; %s stacks in all\n",
               text_share(site->heaviest_cost[cost], cost_of(&site->sum, cost)), text_count(site->stacks));
    frames_release(&frames);
}

void top_sites_print_name(struct facts *facts, const struct site *site, const struct namer *namer, const struct overloads *overloads, int columns)
{
    struct frames frames;

    frames_of(facts, namer, facts->told.stacks.leaves[site->heaviest[COST_ALLOCATED]].node, &frames);
    overloads_mark(overloads, &facts->told.code, &frames);
    frames_print(&facts->told.code, &frames.of[frames.site], columns);
    frames_release(&frames);
}

/* On one line: it has been shown, under a number. */
static void print_again(const struct lister *l, enum cost cost, const struct site *site, size_t number)
{
    uint64_t of = site_cost(&site->costs, cost);
    const uint64_t wholes[COST_COUNT] = { l->facts->allocations, l->facts->allocated_bytes, l->facts->peak_bytes,
                                          l->facts->leaked_bytes, l->facts->temporary };
    char where[24], costs[80];

    snprintf(where, sizeof where, "(%zu)", number);
    int used = snprintf(costs, sizeof costs, "%s (%s %%)  ", cost_is_bytes(cost) ? text_bytes(of) : text_count(of),
                        text_share(of, wholes[cost]));
    printf("%5s %s%s", where, text_about(l->facts->settings.sample_bytes), costs);
    top_sites_print_name(l->facts, site, l->namer, &l->overloads, text_columns() - 7 - used);
    putchar('\n');
}

static void print_site(struct lister *l, enum cost cost, uint32_t index)
{
    const struct site *site = &l->sites->sites[index];

    if (l->shown[index]) {
        print_again(l, cost, site, l->shown[index]);
        return;
    }
    l->shown[index] = ++l->shown_count;
    printf("%4zu  ", l->shown_count);
    print_costs(l, &site->costs, cost);
    print_stack(l, site, cost);
}

/* The same as a list before; else NULL. */
static const char *same_list(const struct lister *l, const uint32_t *order, size_t count)
{
    for (enum cost cost = 0; cost < COST_COUNT; cost++)
        if (l->orders[cost] && l->counts[cost] == count && memcmp(l->orders[cost], order, count * sizeof *order) == 0)
            return titles[cost];
    return NULL;
}

static size_t list_length(const struct lister *l, enum cost cost, const uint32_t *order, size_t most)
{
    size_t count = l->sites->count < most ? l->sites->count : most;

    if (cost == COST_TEMPORARY && !settings_all_recorded(&l->facts->settings))
        return 0; /* not known */
    while (count && !site_cost(&l->sites->sites[order[count - 1]].costs, cost))
        count--;
    return count;
}

static void print_list(struct lister *l, enum cost cost)
{
    const struct report_view *view = l->view;
    uint32_t *order = sites_order(l->sites, cost);
    size_t most = view->top != REPORT_TOP_DEFAULT ? view->top : view->has_sort ? DEFAULT_SORTED : DEFAULT_LIST;
    size_t count = list_length(l, cost, order, most);
    const char *same = count ? same_list(l, order, count) : NULL;

    if (same) {
        text_print_wrapped("  ", "%sTop %s by %s: the same as by %s%s\n", l->was_same ? "" : "\n", text_counted(count, "call site"),
               titles[cost], same, count == 1 ? "" : ", in this order");
    } else if (!count && view->has_sort && view->top) {
        printf("\nNo call sites with %s\n", titles[cost]);
    } else if (count) {
        printf("\nTop %s by %s\n", text_counted(count, "call site"), titles[cost]);
        for (size_t i = 0; i < count; i++)
            print_site(l, cost, order[i]);
    }
    l->was_same = same;
    l->orders[cost] = order;
    l->counts[cost] = count;
}

void top_sites_print(struct facts *facts, const struct sites *sites, const struct namer *namer, const struct report_view *view)
{
    struct lister l = { .facts = facts, .sites = sites, .namer = namer, .view = view };

    if (!sites->count) {
        printf("\nNo call sites\n");
        return;
    }
    l.shown = alloc_zeroed(sites->count + 1, sizeof *l.shown);
    overloads_add_sites(&l.overloads, sites, &facts->told.code, namer);
    for (enum cost cost = 0; cost < COST_COUNT; cost++)
        if (!view->has_sort || view->sort == cost)
            print_list(&l, cost);
    for (enum cost cost = 0; cost < COST_COUNT; cost++)
        free((void *)l.orders[cost]);
    free(l.shown);
    overloads_release(&l.overloads);
}

/* --- JSON ------------------------------------------------------------------------- */

static void set(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, text_json_number(value));
}

void top_sites_name_json(struct facts *facts, const struct site *site, const struct namer *namer, json_t *object)
{
    const struct code *code = &facts->told.code;
    const struct code_location *place = &code->locations[site->location];
    struct frames frames;

    frames_of(facts, namer, facts->told.stacks.leaves[site->heaviest[COST_ALLOCATED]].node, &frames);
    const struct frame *own = &frames.of[frames.site];
    json_object_set_new(object, "module", text_json(code->files[place->file].path));
    set(object, "offset", place->address);
    json_object_set_new(object, "function", own->function ? text_json(own->function) : json_null());
    json_object_set_new(object, "signature", own->signature ? text_json(own->signature) : json_null());
    json_object_set_new(object, "file", own->source ? text_json(own->source) : json_null());
    json_object_set_new(object, "line", own->line ? json_integer(own->line) : json_null());
    frames_release(&frames);
}

struct listed {
    const struct lister *lister;
    enum cost cost;
    const uint32_t *order;
};

static json_t *site_json(const void *data, size_t number)
{
    const struct listed *listed = data;
    const struct lister *l = listed->lister;
    const struct site *site = &l->sites->sites[listed->order[number]];
    const struct settings *settings = &l->facts->settings;
    const struct stack_costs *sum = &site->sum;
    json_t *object = json_object(), *stack = json_array(), *through = json_array();
    struct frames frames;

    top_sites_name_json(l->facts, site, l->namer, object);
    json_object_set_new(object, "frames", place_json(l->namer, site->location));
    set(object, "allocations", site->costs.allocations);
    set(object, "bytes", site->costs.bytes);
    json_object_set_new(object, "temporary",
                        settings_all_recorded(settings) ? json_integer((json_int_t)site->costs.temporary) : json_null());
    set(object, "peak_blocks", site->costs.peak_blocks);
    set(object, "peak_bytes", site->costs.peak_bytes);
    set(object, "leaked_blocks", site->costs.leaked_blocks);
    set(object, "leaked_bytes", site->costs.leaked_bytes);
    json_object_set_new(object, "mean_lifetime_us",
                        sum->freed ? json_real((double)sum->lifetime_us / (double)sum->freed) : json_null());
    json_object_set_new(object, "mean_lifetime_allocations",
                        sum->freed ? json_real((double)sum->lifetime_allocations / (double)sum->freed) : json_null());
    set(object, "smallest", sum->least);
    set(object, "largest", sum->most);
    set(object, "regrown", settings_rounded(settings, sum->regrown));
    set(object, "rounding", settings_rounded(settings, sum->rounding));
    set(object, "stacks", site->stacks);
    stack_of(l, site, listed->cost, &frames);
    for (size_t i = frames.site; i-- > 0;)
        json_array_append_new(through, text_json(frames_name(&l->facts->told.code, &frames.of[i])));
    for (size_t i = frames.site; i < frames.count; i++) {
        json_t *frame = frames_json(&l->facts->told.code, &frames.of[i]);
        set(frame, "recursive", frames.of[i].turns);
        set(frame, "period", frames.of[i].period);
        json_array_append_new(stack, frame);
    }
    json_object_set_new(object, "through", through);
    json_object_set_new(object, "stack", stack);
    frames_release(&frames);
    return object;
}

void top_sites_print_json(struct facts *facts, const struct sites *sites, const struct namer *namer,
                          const struct report_view *view)
{
    static const char *const names[COST_COUNT] = { "by_allocations", "by_bytes", "by_peak", "by_leaked", "by_temporary" };
    struct lister l = { .facts = facts, .sites = sites, .namer = namer, .view = view };
    size_t most = view->top != REPORT_TOP_DEFAULT ? view->top : DEFAULT_SORTED;

    for (enum cost cost = 0; cost < COST_COUNT; cost++) {
        _cleanup_free_ uint32_t *order = sites_order(sites, cost);
        const struct listed listed = { &l, cost, order };
        if (cost)
            printf(",\n  ");
        long_json_list(&(struct long_list){ names[cost], list_length(&l, cost, order, most), site_json, &listed });
    }
}
