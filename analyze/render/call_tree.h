/* All stacks of a session as one tree of named frames, with costs: what `tree`, `flame`,
 * `sites` and `diff` show. Frames are the same where module and function are
 * (render/identity.h), or, where no function is known, the address in the module; inlined
 * functions are frames of their own. Processes are added up.
 *
 * Callers are parents, from the program's start down to the call site; inverted, the call
 * site is the child of the root, and its callers are below it.
 *
 * Memory: some 30 bytes for each node while the tree is made, and then 20, and 8 for each
 * cost that was asked for. */
#ifndef MALLOSCOPE_RENDER_CALL_TREE_H
#define MALLOSCOPE_RENDER_CALL_TREE_H

#include "analyze/model/cost.h"
#include "analyze/model/facts.h"
#include "analyze/render/namer.h"

struct call_frame {
    const char *function, *signature; /* the namer's; NULL: unknown */
    const char *source;   /* file, where the frame was met first; NULL: unknown */
    uint32_t line;        /* in the source, where frames differ by line; else, and if unknown, 0 */
    uint32_t location;    /* in facts->told.code: 0: the stack's record was lost, or none was taken */
    bool is_inlined;
    bool is_overload;     /* others of the module have its name, and another signature */
    bool is_twin;         /* or another file */
    bool has_copy;        /* another module has its name, signature and file */
};

struct call_node {
    uint32_t parent;      /* index; the root is its own */
    uint32_t frame;       /* index; the root's means nothing */
    uint32_t child, next; /* the first child, and the parent's next one; 0: none */
    uint32_t line;        /* in the frame's source, where all stacks through here are; 0: unknown, or not one line */
};

struct call_tree {
    const struct code *code;
    struct call_frame *frames;
    size_t frame_count, frame_capacity;
    struct call_node *nodes; /* 0 is the root; each comes after its parent */
    size_t node_count, node_capacity;
    uint64_t *totals[COST_COUNT]; /* by node, in units: of all stacks through it; NULL: not asked for */
    uint64_t unit;
    uint64_t stack_count; /* that were put in, and have some of the costs that were asked for */
    uint32_t *node_of_leaf; /* where each stack ends, by leaf; 0: it is not in the tree. NULL: not kept */
};

#define CALL_TREE_COST(cost) (1u << (cost))
#define CALL_TREE_COSTS (CALL_TREE_COST(COST_COUNT) - 1)

struct call_tree_options {
    unsigned costs; /* that the tree is to tell: bits, CALL_TREE_COST() */
    bool inverted;
    bool by_line;     /* frames in different lines differ, though they be of one function; but not those that are
                       * inlined from those that are not */
    bool keep_leaves; /* fills node_of_leaf */
    /* Whether a stack, given by its leaf, is to be in the tree; NULL: all are. */
    bool (*wanted)(void *data, uint32_t leaf);
    void *data;
};

void call_tree_make(struct facts *facts, const struct namer *namer, const struct call_tree_options *options,
                    struct call_tree *ret_tree);
void call_tree_release(struct call_tree *tree);

/* Of all stacks through a node, and of those that end there; of a cost that was asked for. */
uint64_t call_node_total(const struct call_tree *tree, uint32_t node, enum cost cost);
uint64_t call_node_self(const struct call_tree *tree, uint32_t node, enum cost cost);

/* Children of each node, the most costly first; ties by name, so that the order is always the same. */
void call_tree_sort(struct call_tree *tree, enum cost cost);

/* By where frames are, not by which was met first: <0, 0, >0. */
int call_frame_compare(const struct call_tree *tree, uint32_t left, uint32_t right);

/* What a frame is called: its function, with parameters where it is an overload, or "module+0x1234",
 * or "(no stack)". Into buffer, if it has to be made. */
#define CALL_NAME_BYTES 300
const char *call_frame_name(const struct call_tree *tree, uint32_t frame, char buffer[CALL_NAME_BYTES]);
/* The same, with its file where it has a twin: that alone tells it from all others. The caller frees it. */
char *call_frame_text(const struct call_tree *tree, uint32_t frame);
/* The module's path; "" unknown. */
const char *call_frame_module_path(const struct call_tree *tree, uint32_t frame);
/* Its file name without the directories. */
const char *call_frame_module(const struct call_tree *tree, uint32_t frame);

#endif
