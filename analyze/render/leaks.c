/* Stacks with blocks that were never freed -> sites, less what is suppressed. */
#include "analyze/render/leaks.h"

struct collector {
    struct facts *facts;
    struct filter *filter;
    struct suppressions *rules;
    struct leaks *leaks;
    uint32_t *first[2]; /* by frame; [own]: 1 + the first rule for it, RULE_NONE; 0: not looked for yet */
};

#define RULE_NONE UINT32_MAX

static bool has_leak(void *data, uint32_t leaf)
{
    const struct collector *c = data;
    return (c->facts->costs.of[leaf].leaked_blocks || leak_list_at(&c->facts->left, leaf).blocks) && filter_wants(c->filter, leaf);
}

static uint8_t function_of(const struct collector *c, uint32_t leaf)
{
    return c->facts->told.stacks.leaves[leaf].function;
}

static const char *module_of(const struct collector *c, const struct call_frame *frame)
{
    const char *path = call_frame_module_path(&c->leaks->tree, (uint32_t)(frame - c->leaks->tree.frames));
    return *path ? path : frame->location ? "<unknown module>" : NULL;
}

static struct suppressible suppressible_of(const struct collector *c, uint32_t frame)
{
    const struct call_frame *f = &c->leaks->tree.frames[frame];
    return (struct suppressible){
        module_of(c, f), f->signature && !symbols_is_numbered(f->function, f->signature) ? f->signature : f->function, f->source };
}

static struct suppression *rule_of(struct collector *c, uint32_t frame, bool own)
{
    uint32_t *known = &c->first[own][frame];

    if (!*known) {
        const struct suppressible texts = suppressible_of(c, frame);
        const struct suppression *rule = suppressions_find(c->rules, &texts, own);
        *known = rule ? (uint32_t)(rule - c->rules->rules) + 1 : RULE_NONE;
    }
    return *known == RULE_NONE ? NULL : &c->rules->rules[*known - 1];
}

/* For each node the rule that suppresses stacks which end there, or NULL. A caller's answer is its callee's where
 * that has no rule; it depends on whether all frames so far are the libraries' own, none of them hidden. */
static struct suppression **find_rules(struct collector *c)
{
    const struct call_tree *t = &c->leaks->tree;
    struct suppression **found[2]; /* [own so far][node] */
    bool *are_own = alloc_zeroed(t->frame_count, sizeof *are_own);

    for (uint32_t frame = 0; frame < t->frame_count; frame++) {
        const struct suppressible texts = suppressible_of(c, frame);
        are_own[frame] = suppressions_is_own(&texts);
    }
    for (int own = 0; own < 2; own++) {
        found[own] = alloc_zeroed(t->node_count, sizeof *found[own]);
        c->first[own] = alloc_zeroed(t->frame_count, sizeof *c->first[own]);
    }
    for (uint32_t node = 1; node < t->node_count; node++) {
        uint32_t frame = t->nodes[node].frame, caller = t->nodes[node].parent;
        bool is_own = are_own[frame], goes_on = is_own;
        if (is_own && caller) {
            const struct suppressible callee = suppressible_of(c, frame), texts = suppressible_of(c, t->nodes[caller].frame);
            goes_on = !suppressions_hides_caller(&callee, &texts);
        }
        for (int own = 0; own < 2; own++) {
            struct suppression *rule = rule_of(c, frame, own && is_own);
            found[own][node] = rule ? rule : found[own && goes_on][caller];
        }
    }
    for (uint32_t node = 1; node < t->node_count; node++) { /* what jumped to malloc() itself */
        const struct suppressible texts = suppressible_of(c, t->nodes[node].frame);
        if (suppressions_hides_caller(NULL, &texts))
            found[1][node] = found[0][node];
    }
    free(are_own);
    free(found[0]);
    free(c->first[0]);
    free(c->first[1]);
    return found[1];
}

/* The rule for stacks that end at a node. There LeakSanitizer has a frame of its own, in the place of the C++
 * library's operators new, which call malloc. rules: of find_rules(). */
static struct suppression *rule_of_site(struct collector *c, uint32_t node, uint8_t function, struct suppression **rules)
{
    const struct call_tree *t = &c->leaks->tree;
    const char *interceptor = suppressions_interceptor(function);

    for (; node; node = t->nodes[node].parent) {
        const struct call_frame *f = &t->frames[t->nodes[node].frame];
        if (!suppressions_is_operator_new(f->signature, call_frame_module_path(t, t->nodes[node].frame)))
            break;
        interceptor = f->signature;
    }
    struct suppression *rule = suppressions_find(c->rules, &(struct suppressible){ .function = interceptor }, true);
    return rule ? rule : rules[node];
}

static void add_leaf(struct collector *c, uint32_t leaf, struct leak_site *site)
{
    const struct facts *f = c->facts;
    const struct stack_costs *costs = &f->costs.of[leaf];
    const struct leak_times *times = &f->leak_times[leaf];
    const struct leak_units unended = leak_list_at(&f->unended, leaf), left = leak_list_at(&f->left, leaf);
    const struct leak_units of_ended = f->goes_on ? left : (struct leak_units){ costs->leaked_blocks, costs->leaked_bytes };

    if (!site->blocks || times->first_us < site->first_us)
        site->first_us = times->first_us;
    if (times->age_us > site->age_us)
        site->age_us = times->age_us;
    site->blocks += costs->leaked_blocks + left.blocks;
    site->bytes += costs->leaked_bytes + left.bytes;
    site->unended_blocks += unended.blocks;
    site->unended_bytes += unended.bytes;
    site->at_end_blocks += of_ended.blocks - unended.blocks;
    site->at_end_bytes += of_ended.bytes - unended.bytes;
}

/* By place. */
static int by_node_and_function(const void *left, const void *right, void *data)
{
    const struct collector *c = data;
    const uint32_t leaves[] = { *(const uint32_t *)left, *(const uint32_t *)right }, *node_of_leaf = c->leaks->tree.node_of_leaf;
    uint32_t a = node_of_leaf[leaves[0]], b = node_of_leaf[leaves[1]];
    uint8_t mine = function_of(c, leaves[0]), other = function_of(c, leaves[1]);

    if (a != b)
        return a < b ? -1 : 1;
    return mine < other ? -1 : mine > other;
}

/* All of them, for rules to be applied to. */
static void collect_sites(struct collector *c)
{
    struct leaks *l = c->leaks;
    size_t leaf_count = c->facts->told.stacks.leaf_count, count = 0;
    _cleanup_free_ uint32_t *leaves = alloc_zeroed(leaf_count + 1, sizeof *leaves);

    for (uint32_t leaf = 0; leaf < leaf_count; leaf++)
        if (l->tree.node_of_leaf[leaf])
            leaves[count++] = leaf;
    if (count)
        qsort_r(leaves, count, sizeof *leaves, by_node_and_function, c);
    l->sites = alloc_zeroed(count + 1, sizeof *l->sites);
    for (size_t i = 0; i < count; i++) {
        if (!i || by_node_and_function(&leaves[i - 1], &leaves[i], c) != 0)
            l->sites[l->count++] = (struct leak_site){ .node = l->tree.node_of_leaf[leaves[i]], .function = function_of(c, leaves[i]) };
        add_leaf(c, leaves[i], &l->sites[l->count - 1]);
    }
    for (size_t i = 1; i < l->count; i++)
        if (l->sites[i].node == l->sites[i - 1].node)
            l->sites[i].has_twin = l->sites[i - 1].has_twin = true;
}

static void round_site(struct leak_site *s, const struct settings *settings)
{
    s->blocks = settings_rounded(settings, s->blocks);
    s->bytes = settings_rounded(settings, s->bytes);
    s->unended_blocks = settings_rounded(settings, s->unended_blocks);
    s->unended_bytes = settings_rounded(settings, s->unended_bytes);
    s->at_end_blocks = settings_rounded(settings, s->at_end_blocks);
    s->at_end_bytes = settings_rounded(settings, s->at_end_bytes);
}

/* What leaked comes first: what did not, of a shell that executed the program, say, would hide it. */
static int by_bytes(const void *left, const void *right, void *data)
{
    const struct call_tree *t = data;
    const struct leak_site *a = left, *b = right;
    uint64_t mine = a->blocks - a->unended_blocks, other = b->blocks - b->unended_blocks;
    uint64_t mine_bytes = a->bytes - a->unended_bytes, other_bytes = b->bytes - b->unended_bytes;
    if (!mine != !other)
        return mine ? -1 : 1;
    if (mine_bytes != other_bytes)
        return mine_bytes > other_bytes ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    if (a->blocks != b->blocks)
        return a->blocks > b->blocks ? -1 : 1;
    for (uint32_t x = a->node, y = b->node; x != y; x = t->nodes[x].parent, y = t->nodes[y].parent) {
        int frames = !x || !y ? (x != 0) - (y != 0) : call_frame_compare(t, t->nodes[x].frame, t->nodes[y].frame);
        if (frames)
            return frames;
    }
    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    return a->function < b->function ? -1 : a->function > b->function;
}

/* Sums are of what was counted in units, not of rounded sites. */
static void add_sum(struct leak_sum *sum, uint64_t blocks, uint64_t bytes)
{
    sum->sites += blocks != 0;
    sum->blocks += blocks;
    sum->bytes += bytes;
}

static void round_sum(struct leak_sum *sum, const struct settings *settings)
{
    sum->blocks = settings_rounded(settings, sum->blocks);
    sum->bytes = settings_rounded(settings, sum->bytes);
}

size_t leaks_locations(struct facts *f, uint32_t **ret_locations)
{
    const struct stacks *s = &f->told.stacks;
    _cleanup_free_ bool *marked = alloc_zeroed(s->node_count, sizeof *marked);
    size_t count = 0, capacity = 0;

    *ret_locations = NULL;
    for (uint32_t leaf = 0; leaf < s->leaf_count; leaf++)
        marked[s->leaves[leaf].node] |= f->costs.of[leaf].leaked_blocks || leak_list_at(&f->left, leaf).blocks;
    for (uint32_t node = (uint32_t)s->node_count; node-- > 1;) { /* parents come before their children */
        if (!marked[node] || stack_is_root(s, node))
            continue;
        marked[s->nodes[node].parent] = true;
        *ret_locations = grow(*ret_locations, &capacity, count + 1, sizeof **ret_locations);
        (*ret_locations)[count++] = code_location(&f->told.code, s->nodes[node].pc);
    }
    return count;
}

void leaks_collect(struct facts *facts, const struct namer *namer, struct filter *filter,
                   struct suppressions *rules, struct leaks *ret_leaks)
{
    struct leaks leaks = { .endings = endings_find(facts), .at_moment = facts->goes_on };
    struct collector c = { .facts = facts, .filter = filter, .rules = rules, .leaks = &leaks };

    filter_use(filter, facts, namer);
    call_tree_make(facts, namer, &(struct call_tree_options){ .by_line = true, .keep_leaves = true, .wanted = has_leak,
                                                              .data = &c }, &leaks.tree);
    _cleanup_free_ struct suppression **rule_of_node = find_rules(&c);
    collect_sites(&c);
    size_t count = leaks.count;
    leaks.count = 0;
    for (size_t i = 0; i < count; i++) {
        struct leak_site *site = &leaks.sites[i];
        struct suppression *rule = rule_of_site(&c, site->node, site->function, rule_of_node);
        if (rule) {
            rule->sites++;
            rule->blocks += site->blocks;
            rule->bytes += site->bytes;
            add_sum(&leaks.suppressed, site->blocks, site->bytes);
            continue;
        }
        add_sum(&leaks.leaked, site->blocks - site->unended_blocks, site->bytes - site->unended_bytes);
        add_sum(&leaks.unended, site->unended_blocks, site->unended_bytes);
        add_sum(&leaks.alive, site->blocks - site->unended_blocks - site->at_end_blocks,
                site->bytes - site->unended_bytes - site->at_end_bytes);
        add_sum(&leaks.at_end, site->at_end_blocks, site->at_end_bytes);
        round_site(site, &facts->settings);
        leaks.sites[leaks.count++] = *site;
    }
    if (leaks.count)
        qsort_r(leaks.sites, leaks.count, sizeof *leaks.sites, by_bytes, &leaks.tree);
    round_sum(&leaks.leaked, &facts->settings);
    round_sum(&leaks.unended, &facts->settings);
    round_sum(&leaks.alive, &facts->settings);
    round_sum(&leaks.at_end, &facts->settings);
    round_sum(&leaks.suppressed, &facts->settings);
    for (size_t i = 0; i < rules->count; i++) {
        rules->rules[i].blocks = settings_rounded(&facts->settings, rules->rules[i].blocks);
        rules->rules[i].bytes = settings_rounded(&facts->settings, rules->rules[i].bytes);
    }
    *ret_leaks = leaks;
}

bool *leaks_suppressed(struct facts *facts, const struct namer *namer, struct suppressions *rules)
{
    struct leaks leaks = { .count = 0 };
    struct filter all = { 0 };
    struct collector c = { .facts = facts, .filter = &all, .rules = rules, .leaks = &leaks };
    const struct stacks *s = &facts->told.stacks;
    bool *suppressed = alloc_zeroed(s->leaf_count + 1, sizeof *suppressed);

    filter_use(&all, facts, namer);
    call_tree_make(facts, namer, &(struct call_tree_options){ .by_line = true, .keep_leaves = true, .wanted = has_leak,
                                                              .data = &c }, &leaks.tree);
    _cleanup_free_ struct suppression **rule_of_node = find_rules(&c);
    for (uint32_t leaf = 0; leaf < s->leaf_count; leaf++) {
        uint32_t node = leaks.tree.node_of_leaf[leaf];
        suppressed[leaf] = node && rule_of_site(&c, node, function_of(&c, leaf), rule_of_node);
    }
    filter_release(&all);
    leaks_release(&leaks);
    return suppressed;
}

void leaks_release(struct leaks *l)
{
    call_tree_release(&l->tree);
    free(l->sites);
    free(l->endings);
    *l = (struct leaks){ 0 };
}
