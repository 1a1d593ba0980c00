#include "analyze/model/process_tree.h"

#include <string.h>

struct pid_place {
    uint32_t pid, place;
};

static int by_pid(const void *left, const void *right)
{
    const struct pid_place *a = left, *b = right;
    if (a->pid != b->pid)
        return a->pid < b->pid ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* How many of the places sorted by pid come before (pid, place). */
static size_t places_before(const struct pid_place *places, size_t count, uint32_t pid, uint32_t place)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (places[middle].pid < pid || (places[middle].pid == pid && places[middle].place < place))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct told_process *process_at(const struct facts *f, uint32_t place)
{
    return &f->told.processes[f->by_start[place]];
}

#define PROGRAMS_OF_A_PID 100 /* so far it is looked back */

/* Pids are those of a namespace: the same one elsewhere is another process. */
static bool is_same_process(const struct told_process *a, const struct told_process *b)
{
    bool same_namespace = a->pid_namespace == b->pid_namespace || !a->pid_namespace || !b->pid_namespace;
    return a->pid == b->pid && same_namespace && (a->began == b->began || !a->began || !b->began);
}

/* Whether p's ppid may mean `parent`. That of a namespace's first process is a number outside. */
static bool is_parent(const struct told_process *p, const struct told_process *parent)
{
    if (p->ppid != parent->pid || !p->pid_namespace || !parent->pid_namespace)
        return p->ppid == parent->pid;
    return (p->pid_namespace == parent->pid_namespace) == (p->pid != 1);
}

/* The last program before `place` that `fits`. */
static uint32_t last_that_fits(const struct facts *f, const struct pid_place *places, uint32_t pid, uint32_t place, const char *exe,
                               bool (*fits)(const struct told_process *p, const struct told_process *other))
{
    size_t last = places_before(places, f->by_start_count, pid, place);

    for (size_t i = last; i-- > 0 && last - i <= PROGRAMS_OF_A_PID && places[i].pid == pid;) {
        const struct told_process *other = process_at(f, places[i].place);
        if (fits(process_at(f, place), other) && (!exe || (other->exe && strcmp(other->exe, exe) == 0)))
            return places[i].place;
    }
    return TREE_NONE;
}

/* Places are in the order of their images. */
static uint32_t place_of_image(const struct facts *f, uint64_t image)
{
    uint32_t low = 0, high = (uint32_t)f->by_start_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (process_at(f, middle)->image < image)
            low = middle + 1;
        else
            high = middle;
    }
    return low < f->by_start_count && process_at(f, low)->image == image ? low : TREE_NONE;
}

/* A forked child begins to record with its first event, and its parent may have executed
 * another program by then: so for a fork, the last one whose program it has; it mostly knows. */
static uint32_t forked_from(const struct facts *f, const struct pid_place *places, uint32_t place)
{
    const struct told_process *p = process_at(f, place);
    uint32_t parent = p->parent_image ? place_of_image(f, p->parent_image) : TREE_NONE;

    return parent < place ? parent : last_that_fits(f, places, p->ppid, place, p->exe, is_parent);
}

static uint32_t parent_of(const struct facts *f, const struct pid_place *places, uint32_t place)
{
    const struct told_process *p = process_at(f, place);
    uint32_t before = TREE_NONE;

    if (!p->started)
        return TREE_NONE;
    if (p->start == REC_START_EXEC)
        before = last_that_fits(f, places, p->pid, place, NULL, is_same_process);
    if (p->start == REC_START_FORK)
        before = forked_from(f, places, place);
    return before != TREE_NONE ? before : last_that_fits(f, places, p->ppid, place, NULL, is_parent);
}

static void append(struct process_tree *t, uint32_t parent, uint32_t place, uint32_t *last_root)
{
    uint32_t *first = parent == TREE_NONE ? &t->first_root : &t->nodes[parent].first_child;
    uint32_t *last = parent == TREE_NONE ? last_root : &t->nodes[parent].last_child;

    if (*first == TREE_NONE)
        *first = place;
    else
        t->nodes[*last].next = place;
    *last = place;
}

void process_tree_make(const struct facts *f, struct process_tree *ret_tree)
{
    struct process_tree t = { .count = f->by_start_count, .first_root = TREE_NONE };
    _cleanup_free_ struct pid_place *places = alloc_zeroed(t.count, sizeof *places);
    uint32_t last_root = TREE_NONE;

    t.nodes = alloc_zeroed(t.count, sizeof *t.nodes);
    for (uint32_t i = 0; i < t.count; i++) {
        places[i] = (struct pid_place){ process_at(f, i)->pid, i };
        t.nodes[i] = (struct tree_node){ TREE_NONE, TREE_NONE, TREE_NONE, TREE_NONE };
    }
    if (t.count)
        qsort(places, t.count, sizeof *places, by_pid);
    for (uint32_t i = 0; i < t.count; i++) {
        t.nodes[i].parent = parent_of(f, places, i);
        append(&t, t.nodes[i].parent, i, &last_root);
    }
    *ret_tree = t;
}

void process_tree_release(struct process_tree *t)
{
    free(t->nodes);
    *t = (struct process_tree){ 0 };
}
