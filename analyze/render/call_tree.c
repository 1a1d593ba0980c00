#include "analyze/render/call_tree.h"

#include "analyze/hash.h"
#include "analyze/render/identity.h"
#include "analyze/render/text.h"
#include "analyze/hash_table.h"

#include <inttypes.h>
#include <string.h>

struct builder {
    struct facts *facts;
    const struct namer *namer;
    struct call_tree *tree;
    struct hash_table frame_table, node_table; /* nodes by parent and frame */
    struct place {
        uint32_t frame, line;
    } *path; /* of the stack at hand, innermost first */
    size_t path_count, path_capacity;
    bool by_line;
};

/* --- frames --------------------------------------------------------------------- */

static uint32_t file_of(const struct call_tree *t, uint32_t location)
{
    return t->code->locations[location].file;
}

static struct identity identity_of(const struct call_frame *f)
{
    return (struct identity){ f->function, f->signature, f->source };
}

/* Of what frames_are_same() looks at. */
static uint64_t hash_frame(const struct builder *b, const struct call_frame *frame)
{
    if (!frame->function)
        return hash_add(0, frame->location);
    struct identity identity = identity_of(frame);
    uint64_t hash = identity_hash(hash_add(0, file_of(b->tree, frame->location)), &identity);
    return b->by_line ? hash_add_text(hash_add(hash, frame->line), frame->source) : hash_add(hash, frame->is_inlined);
}

static bool texts_are_same(const char *x, const char *y)
{
    return x == y || (x && y && strcmp(x, y) == 0);
}

static bool places_are_same(const struct builder *b, const struct call_frame *x, const struct call_frame *y)
{
    struct identity mine = identity_of(x), other = identity_of(y);

    if (b->by_line)
        return x->line == y->line && texts_are_same(x->source, y->source) && identity_is_named_alike(&mine, &other);
    return x->is_inlined == y->is_inlined && identity_is_same(&mine, &other);
}

static bool frames_are_same(const struct builder *b, const struct call_frame *x, const struct call_frame *y)
{
    if (!x->function || !y->function)
        return !x->function && !y->function && x->location == y->location;
    return file_of(b->tree, x->location) == file_of(b->tree, y->location) && places_are_same(b, x, y);
}

/* Of all that are one frame, whichever comes first in the log, the first by location stands for it. */
static void take_place(struct call_frame *known, const struct call_frame *frame)
{
    if (frame->location < known->location)
        *known = *frame;
}

static uint32_t frame_number(struct builder *b, const struct call_frame *frame)
{
    struct call_tree *t = b->tree;
    uint64_t hash = hash_frame(b, frame);
    struct hash_search s = hash_table_search(&b->frame_table, hash);

    while (hash_table_next(&b->frame_table, &s))
        if (frames_are_same(b, &t->frames[s.number], frame)) {
            take_place(&t->frames[s.number], frame);
            return s.number;
        }
    t->frames = grow(t->frames, &t->frame_capacity, t->frame_count + 1, sizeof *t->frames);
    t->frames[t->frame_count] = *frame;
    hash_table_add(&b->frame_table, hash, (uint32_t)t->frame_count);
    return (uint32_t)t->frame_count++;
}

/* The first frame with the name of this one, or with its signature as well; frames are asked for in their order. */
static struct call_frame *first_namesake(struct call_tree *t, struct hash_table *names, uint32_t frame, bool signature)
{
    const struct call_frame *f = &t->frames[frame];
    uint64_t hash = hash_add_text(hash_add(0, file_of(t, f->location)), f->function);
    hash = signature ? hash_add_text(hash, f->signature) : hash;
    struct hash_search s = hash_table_search(names, hash);

    while (hash_table_next(names, &s)) {
        struct call_frame *first = &t->frames[s.number];
        if (file_of(t, first->location) == file_of(t, f->location) && strcmp(first->function, f->function) == 0 &&
            (!signature || texts_are_same(first->signature, f->signature)))
            return first;
    }
    hash_table_add(names, hash, frame);
    return &t->frames[frame];
}

/* What has the name of another of its module tells itself apart: all of them do, by way of the first. */
static void find_namesakes(struct call_tree *t, bool by_line)
{
    _cleanup_free_ struct call_frame **by_name = alloc_zeroed(t->frame_count, sizeof(void *));
    _cleanup_free_ struct call_frame **by_signature = alloc_zeroed(t->frame_count, sizeof(void *));
    struct hash_table names = { 0 }, signatures = { 0 };

    for (uint32_t i = 0; i < t->frame_count; i++) {
        struct call_frame *f = &t->frames[i];
        if (!f->function)
            continue;
        by_name[i] = first_namesake(t, &names, i, false);
        by_signature[i] = first_namesake(t, &signatures, i, true);
        struct identity mine = identity_of(f), its = identity_of(by_signature[i]);
        by_name[i]->is_overload |= !texts_are_same(by_name[i]->signature, f->signature);
        by_signature[i]->is_twin |= !by_line && !identity_is_same(&mine, &its); /* else its line tells its file, too */
    }
    for (uint32_t i = 0; i < t->frame_count; i++)
        if (by_name[i]) {
            t->frames[i].is_overload = by_name[i]->is_overload;
            t->frames[i].is_twin = by_signature[i]->is_twin;
        }
    hash_table_release(&names);
    hash_table_release(&signatures);
}

/* Its own number, where there is none before it. */
static uint32_t first_copy(struct call_tree *t, struct hash_table *table, uint32_t frame)
{
    const struct call_frame *f = &t->frames[frame];
    uint64_t hash = hash_add_text(hash_add_text(hash_add_text(0, f->function), f->signature), f->source);
    struct hash_search s = hash_table_search(table, hash);

    while (hash_table_next(table, &s)) {
        const struct call_frame *first = &t->frames[s.number];
        if (strcmp(first->function, f->function) == 0 && strcmp(first->source, f->source) == 0 && texts_are_same(first->signature, f->signature))
            return s.number;
    }
    hash_table_add(table, hash, frame);
    return frame;
}

/* Of two libraries made of one source only the module tells which is which. */
static void find_copies(struct call_tree *t)
{
    _cleanup_free_ uint32_t *first = alloc_zeroed(t->frame_count + 1, sizeof *first);
    struct hash_table table = { 0 };

    for (uint32_t i = 0; i < t->frame_count; i++) {
        const struct call_frame *f = &t->frames[i];
        first[i] = f->function && f->source ? first_copy(t, &table, i) : i;
        t->frames[first[i]].has_copy |= file_of(t, t->frames[first[i]].location) != file_of(t, f->location);
    }
    for (uint32_t i = 0; i < t->frame_count; i++)
        t->frames[i].has_copy = t->frames[first[i]].has_copy;
    hash_table_release(&table);
}

/* The frames of one location, the innermost first. */
static void add_frames(struct builder *b, uint32_t location)
{
    const struct symbols_frame *names;
    size_t count = location ? b->namer->frames(b->namer->data, location, &names) : 0;
    size_t shown = count ? count : 1;

    b->path = grow(b->path, &b->path_capacity, b->path_count + shown, sizeof *b->path);
    for (size_t i = 0; i < shown; i++) {
        struct call_frame frame = { .location = location, .is_inlined = i + 1 < count };
        if (count) {
            frame.function = names[i].function;
            frame.signature = names[i].signature;
            frame.source = names[i].file;
            frame.line = b->by_line ? names[i].line : 0;
        }
        b->path[b->path_count++] = (struct place){ frame_number(b, &frame), count ? names[i].line : 0 };
    }
}

/* --- nodes ---------------------------------------------------------------------- */

static uint32_t child_of(struct builder *b, uint32_t parent, const struct place *at)
{
    struct call_tree *t = b->tree;
    uint64_t hash = hash_add(0, (uint64_t)parent << 32 | at->frame);
    struct hash_search s = hash_table_search(&b->node_table, hash);

    while (hash_table_next(&b->node_table, &s)) {
        struct call_node *node = &t->nodes[s.number];
        if (node->parent != parent || node->frame != at->frame)
            continue;
        if (node->line != at->line)
            node->line = 0;
        return s.number;
    }
    uint32_t number = (uint32_t)t->node_count++;
    t->nodes = grow(t->nodes, &t->node_capacity, t->node_count, sizeof *t->nodes);
    t->nodes[number] = (struct call_node){ .parent = parent, .frame = at->frame, .line = at->line, .next = t->nodes[parent].child };
    t->nodes[parent].child = number;
    hash_table_add(&b->node_table, hash, number);
    return number;
}

/* The node below `node` for the frames of a location, outermost first. */
static uint32_t descend(struct builder *b, uint32_t node, uint32_t location)
{
    b->path_count = 0;
    add_frames(b, location);
    for (size_t i = b->path_count; i-- > 0;)
        node = child_of(b, node, &b->path[i]);
    return node;
}

/* --- callers first ----------------------------------------------------------------- */

/* Whether a wanted stack goes through each node of the stacks' own tree. */
static bool *mark_nodes(const struct stacks *s, const bool *wanted)
{
    bool *marked = alloc_zeroed(s->node_count, sizeof *marked);

    for (uint32_t leaf = 0; leaf < s->leaf_count; leaf++)
        marked[s->leaves[leaf].node] |= wanted[leaf];
    for (uint32_t node = (uint32_t)s->node_count; node-- > 1;) /* parents come before their children */
        marked[s->nodes[node].parent] |= marked[node];
    return marked;
}

/* Both are trees from the outermost frame in, so each node of the one has its place in the other. */
static void add_callers_first(struct builder *b, const bool *wanted)
{
    struct stacks *s = &b->facts->told.stacks;
    _cleanup_free_ uint32_t *places = alloc_zeroed(s->node_count, sizeof *places);
    _cleanup_free_ bool *marked = mark_nodes(s, wanted);

    for (uint32_t node = 1; node < s->node_count; node++)
        if (marked[node] && !stack_is_root(s, node))
            places[node] = descend(b, places[s->nodes[node].parent],
                                   code_location(&b->facts->told.code, s->nodes[node].pc));
    for (uint32_t leaf = 0; leaf < s->leaf_count; leaf++) {
        uint32_t node = s->leaves[leaf].node;
        if (!wanted[leaf])
            continue;
        b->tree->node_of_leaf[leaf] = stack_is_root(s, node) ? descend(b, 0, 0) : places[node];
    }
}

/* --- call sites first -------------------------------------------------------------- */

static uint32_t add_inverted(struct builder *b, uint32_t leaf)
{
    const struct stacks *s = &b->facts->told.stacks;
    uint32_t at = s->leaves[leaf].node, node = 0;

    b->path_count = 0;
    if (stack_is_root(s, at))
        add_frames(b, 0);
    for (; !stack_is_root(s, at); at = s->nodes[at].parent)
        add_frames(b, code_location(&b->facts->told.code, s->nodes[at].pc));
    for (size_t i = 0; i < b->path_count; i++)
        node = child_of(b, node, &b->path[i]);
    return node;
}

/* --- costs ------------------------------------------------------------------------- */

static void sum_up(struct call_tree *t, const struct facts *f, enum cost cost)
{
    uint64_t *totals = t->totals[cost] = alloc_zeroed(t->node_count, sizeof *totals);

    for (uint32_t leaf = 0; leaf < f->told.stacks.leaf_count; leaf++)
        if (t->node_of_leaf[leaf])
            totals[t->node_of_leaf[leaf]] += cost_of(&f->costs.of[leaf], cost);
    for (uint32_t node = (uint32_t)t->node_count; node-- > 1;)
        totals[t->nodes[node].parent] += totals[node];
}

uint64_t call_node_total(const struct call_tree *t, uint32_t node, enum cost cost)
{
    return round_units(t->totals[cost][node], t->unit);
}

uint64_t call_node_self(const struct call_tree *t, uint32_t node, enum cost cost)
{
    uint64_t self = t->totals[cost][node];

    for (uint32_t child = t->nodes[node].child; child; child = t->nodes[child].next)
        self -= t->totals[cost][child];
    return round_units(self, t->unit);
}

/* --- stacks ------------------------------------------------------------------------ */

/* Some of one of these; bits, 0: whatever it has. */
static bool has_cost(const struct stack_costs *of, unsigned costs)
{
    bool found = !costs;

    for (enum cost cost = 0; cost < COST_COUNT && !found; cost++)
        found = costs & CALL_TREE_COST(cost) && cost_of(of, cost);
    return found;
}

/* One with leaves of several functions is one. */
static size_t count_stacks(const struct facts *f, const bool *wanted, unsigned costs)
{
    const struct stacks *s = &f->told.stacks;
    size_t count = 0;

    for (uint32_t first = 0; first < s->leaf_count; first++) {
        bool found = false;
        for (uint32_t leaf = stack_leaf_is_first(s, first) ? first : LEAF_NONE; leaf != LEAF_NONE; leaf = s->leaves[leaf].next)
            found |= wanted[leaf] && has_cost(&f->costs.of[leaf], costs);
        count += found;
    }
    return count;
}

void call_tree_make(struct facts *facts, const struct namer *namer, const struct call_tree_options *options,
                    struct call_tree *ret_tree)
{
    struct call_tree tree = { .code = &facts->told.code, .node_count = 1, .unit = facts->settings.unit };
    struct builder b = { .facts = facts, .namer = namer, .tree = &tree };
    size_t leaf_count = facts->told.stacks.leaf_count;
    _cleanup_free_ bool *wanted = alloc_zeroed(leaf_count, sizeof *wanted);

    b.by_line = options->by_line;
    code_locate_all(&facts->told.code);
    tree.nodes = grow(NULL, &tree.node_capacity, 1, sizeof *tree.nodes);
    tree.node_of_leaf = alloc_zeroed(leaf_count, sizeof *tree.node_of_leaf);
    for (uint32_t leaf = 0; leaf < leaf_count; leaf++)
        wanted[leaf] = facts->costs.of[leaf].allocations && (!options->wanted || options->wanted(options->data, leaf));
    tree.stack_count = count_stacks(facts, wanted, options->costs);
    if (!options->inverted)
        add_callers_first(&b, wanted);
    for (uint32_t leaf = 0; options->inverted && leaf < leaf_count; leaf++)
        tree.node_of_leaf[leaf] = wanted[leaf] ? add_inverted(&b, leaf) : 0;
    find_namesakes(&tree, options->by_line);
    find_copies(&tree);
    hash_table_release(&b.frame_table);
    hash_table_release(&b.node_table);
    free(b.path);
    tree.nodes = shrink(tree.nodes, &tree.node_capacity, tree.node_count, sizeof *tree.nodes);
    for (enum cost cost = 0; cost < COST_COUNT; cost++)
        if (options->costs & CALL_TREE_COST(cost))
            sum_up(&tree, facts, cost);
    if (!options->keep_leaves) {
        free(tree.node_of_leaf);
        tree.node_of_leaf = NULL;
    }
    *ret_tree = tree;
}

void call_tree_release(struct call_tree *t)
{
    free(t->frames);
    free(t->nodes);
    free(t->node_of_leaf);
    for (enum cost cost = 0; cost < COST_COUNT; cost++)
        free(t->totals[cost]);
    *t = (struct call_tree){ 0 };
}

/* --- order and names -------------------------------------------------------------- */

int call_frame_compare(const struct call_tree *t, uint32_t left, uint32_t right)
{
    const struct call_frame *a = &t->frames[left], *b = &t->frames[right];

    if (a->location != b->location)
        return a->location < b->location ? -1 : 1;
    return a->is_inlined != b->is_inlined ? (a->is_inlined ? -1 : 1) : a->line != b->line ? (a->line < b->line ? -1 : 1)
           : a->function && b->function ? strcmp(a->function, b->function) : 0;
}

struct by_cost {
    const struct call_tree *tree;
    enum cost cost;
};

static int by_cost(const void *left, const void *right, void *data)
{
    const struct by_cost *order = data;
    uint32_t x = *(const uint32_t *)left, y = *(const uint32_t *)right;
    const struct call_node *a = &order->tree->nodes[x], *b = &order->tree->nodes[y];
    uint64_t mine = call_node_total(order->tree, x, order->cost), other = call_node_total(order->tree, y, order->cost);
    char a_name[CALL_NAME_BYTES], b_name[CALL_NAME_BYTES];

    if (mine != other)
        return mine > other ? -1 : 1;
    int names = strcmp(call_frame_name(order->tree, a->frame, a_name), call_frame_name(order->tree, b->frame, b_name));
    return names ? names : call_frame_compare(order->tree, a->frame, b->frame);
}

void call_tree_sort(struct call_tree *t, enum cost cost)
{
    struct by_cost order = { t, cost };
    _cleanup_free_ uint32_t *children = NULL;
    size_t capacity = 0;

    for (size_t i = 0; i < t->node_count; i++) {
        size_t count = 0;
        for (uint32_t child = t->nodes[i].child; child; child = t->nodes[child].next) {
            children = grow(children, &capacity, count + 1, sizeof *children);
            children[count++] = child;
        }
        if (count < 2)
            continue;
        qsort_r(children, count, sizeof *children, by_cost, &order);
        t->nodes[i].child = children[0];
        for (size_t k = 0; k < count; k++)
            t->nodes[children[k]].next = k + 1 < count ? children[k + 1] : 0;
    }
}

const char *call_frame_module_path(const struct call_tree *t, uint32_t frame)
{
    return t->code->files[file_of(t, t->frames[frame].location)].path;
}

const char *call_frame_module(const struct call_tree *t, uint32_t frame)
{
    return text_base_name(call_frame_module_path(t, frame));
}

const char *call_frame_name(const struct call_tree *t, uint32_t frame, char buffer[CALL_NAME_BYTES])
{
    const struct call_frame *f = &t->frames[frame];
    const struct code_location *place = &t->code->locations[f->location];

    if (f->function)
        return f->is_overload ? f->signature : f->function;
    if (!f->location)
        return "(no stack)";
    snprintf(buffer, CALL_NAME_BYTES, "%.200s+0x%" PRIx64, place->file ? call_frame_module(t, frame) : "?", place->address);
    return buffer;
}

char *call_frame_text(const struct call_tree *t, uint32_t frame)
{
    const struct call_frame *f = &t->frames[frame];
    char buffer[CALL_NAME_BYTES];
    const char *name = call_frame_name(t, frame, buffer);

    if (!f->function)
        return copy_text(name, strlen(name));
    return identity_text(&(struct identity){ f->function, f->signature, f->source }, f->is_overload, f->is_twin);
}
