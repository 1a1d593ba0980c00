/* analyze/model/stacks: differences back to whole stacks. Chunks of several
 * streams in turn, encoded and decoded; the truth is a plain row of numbers. */
#include "analyze/model/stacks.h"
#include "format/encode.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

#include <string.h>

#define STREAMS 3
#define CHUNKS 40
#define EVENTS 14000
#define DEPTH_MAX 30

struct frames {
    uint32_t pc[DEPTH_MAX], depth;
    uint8_t flags;
};

struct stream {
    struct stack_path path;
    struct decoder decoder;
    struct encoder encoder;
    uint8_t payload[1u << 20], *at;
    struct frames now, given[REC_STACK_NUMBERS];
    struct frames wanted[EVENTS];
    size_t wanted_count, found;
};

static struct stacks stacks;
static struct stream streams[STREAMS];

static struct encode_stack next_stack(struct stream *s)
{
    static uint32_t ids[DEPTH_MAX];
    uint32_t numbers = s->encoder.stacks < REC_STACK_NUMBERS ? s->encoder.stacks : REC_STACK_NUMBERS;
    struct encode_stack stack = { .ids = ids };

    if (numbers && !random_below(3)) {
        stack.again = true;
        stack.number = (uint32_t)random_below(numbers);
        s->now = s->given[stack.number];
        return stack;
    }
    uint8_t flags = random_below(8) ? s->now.flags : (uint8_t)random_below(32);
    stack.pops = (uint32_t)random_below(s->now.depth + 1);
    s->now.depth -= stack.pops;
    stack.pushes = (uint32_t)random_below(DEPTH_MAX - s->now.depth + 1);
    for (uint32_t i = 0; i < stack.pushes; i++) /* few, so that stacks meet */
        s->now.pc[s->now.depth++] = ids[i] = 1 + (uint32_t)random_below(3);
    stack.flags = flags;
    stack.flags_changed = flags != s->now.flags;
    s->now.flags = flags;
    return stack;
}

static void make_chunk(struct stream *s, size_t events)
{
    encoder_begin(&s->encoder, 0);
    s->at = s->payload;
    s->now.depth = s->now.flags = 0;
    for (s->wanted_count = 0; s->wanted_count < events; s->wanted_count++) {
        uint32_t number = s->encoder.stacks;
        struct encode_stack stack = next_stack(s);
        s->at = encode_alloc(&s->encoder, s->at, REC_ALLOC_MALLOC, 16, 1, 0, 0, 0, &stack);
        if (s->encoder.stacks != number && number < REC_STACK_NUMBERS)
            s->given[number] = s->now;
        s->wanted[s->wanted_count] = s->now;
    }
    s->found = 0;
    decoder_begin(&s->decoder, s->payload, (size_t)(s->at - s->payload), 0);
}

static bool is_stack(uint32_t node, uint32_t root, const struct frames *wanted)
{
    for (uint32_t depth = wanted->depth; depth-- > 0; node = stacks.nodes[node].parent)
        if (stack_is_root(&stacks, node) || stacks.nodes[node].pc != wanted->pc[depth])
            return false;
    return node == root;
}

/* The same frames have the same node, so a leaf's flags are those of all its stacks. */
static bool follow_next(struct stream *s, size_t chunk)
{
    const struct frames *wanted = &s->wanted[s->found++];
    struct event event;

    if (decoder_next(&s->decoder, &event) != 1)
        return false;
    uint32_t node = stack_path_follow(&s->path, &stacks, chunk, &event);
    uint32_t leaf = stack_path_leaf(&s->path, &stacks, REC_FN_MALLOC);
    return is_stack(node, s->path.root, wanted) && s->path.at.flags == wanted->flags &&
           stacks.leaves[leaf].node == node && (stacks.leaves[leaf].flags & wanted->flags) == wanted->flags;
}

/* Each function has a leaf of its own in one stack, and always the same. */
static void test_functions(void)
{
    static const uint8_t functions[] = { REC_FN_CALLOC, REC_FN_VALLOC, REC_FN_MALLOC, REC_FN_VALLOC, REC_FN_CALLOC, REC_FN_MALLOC };
    const struct stack_path path = { .at = { .node = stacks_root(&stacks, 0) } };
    uint32_t leaves[6], first = (uint32_t)stacks.leaf_count;

    for (size_t i = 0; i < 6; i++) {
        leaves[i] = stack_path_leaf(&path, &stacks, functions[i]);
        CHECK(stacks.leaves[leaves[i]].function == functions[i] && stacks.leaves[leaves[i]].node == path.at.node);
    }
    CHECK(stacks.leaf_count == first + 3);
    CHECK(leaves[4] == leaves[0] && leaves[3] == leaves[1] && leaves[5] == leaves[2]);
    CHECK(stack_leaf_is_first(&stacks, leaves[0]) && !stack_leaf_is_first(&stacks, leaves[1]) && !stack_leaf_is_first(&stacks, leaves[2]));
    CHECK(stacks.leaves[leaves[0]].next == leaves[1] && stacks.leaves[leaves[1]].next == leaves[2] && stacks.leaves[leaves[2]].next == LEAF_NONE);
}

/* Nodes that are in no table may be more than it has places for. */
static void test_roots(void)
{
    enum { ROOTS = 20000 };
    static uint32_t roots[ROOTS], nodes[ROOTS];
    struct stacks s = { 0 };
    const uint32_t id = 7;
    const struct event event = { .type = EVENT_ALLOC, .stack_mode = REC_STACK_SHORT, .pushes = 1, .ids = &id };
    bool right = true;

    for (uint32_t i = 0; i < ROOTS; i++)
        roots[i] = stacks_root(&s, i);
    for (uint32_t i = 0; i < 2 * ROOTS; i++) {
        struct stack_path path = { .root = roots[i % ROOTS], .process = i };
        uint32_t node = stack_path_follow(&path, &s, 0, &event);
        right &= s.nodes[node].parent == path.root && (i < ROOTS || node == nodes[i % ROOTS]);
        nodes[i % ROOTS] = node;
        s.nodes[path.root].child = 0; /* so that the table is asked */
        stack_path_release(&path);
    }
    CHECK(right);
    CHECK(s.node_count == 1 + 2 * ROOTS);
    stacks_release(&s);
}

int main(void)
{
    bool right = true;

    for (uint32_t i = 0; i < STREAMS; i++)
        streams[i].path.root = stacks_root(&stacks, i);
    for (size_t chunk = 0; chunk < CHUNKS && right; chunk += STREAMS) {
        for (size_t i = 0; i < STREAMS; i++)
            make_chunk(&streams[i], chunk ? random_below(200) : EVENTS);
        for (bool some = true; some && right;) { /* a little of each in turn */
            some = false;
            for (size_t i = 0; i < STREAMS; i++)
                for (uint64_t few = random_below(5); few && right && streams[i].found < streams[i].wanted_count; few--)
                    right = follow_next(&streams[i], chunk + i);
            for (size_t i = 0; i < STREAMS; i++)
                some |= streams[i].found < streams[i].wanted_count;
        }
        CHECK(right);
        CHECK(chunk || streams[0].encoder.stacks > REC_STACK_NUMBERS);
    }
    for (size_t i = 0; i < STREAMS; i++)
        stack_path_release(&streams[i].path);
    test_functions();
    test_roots();
    stacks_release(&stacks);
    return check_summary();
}
