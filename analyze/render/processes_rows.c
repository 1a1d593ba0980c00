/* The tree is turned into rows first: which lines of it go on below a row is known
 * only from the rows that follow. */
#include "analyze/render/processes_inside.h"

#include "analyze/render/text.h"

#define UNTRACED_SHOWN 5  /* of one process */
#define LEVELS_LEAST 4    /* that are indented, whatever the room; deeper ones have a number: so many levels below */
#define LEVELS_MOST 40
#define BESIDE_COLUMNS 68 /* the figures, and a few for the name */

static int by_bytes(const void *left, const void *right, void *data)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    uint64_t mine = process_at(data, a)->allocated_bytes, other = process_at(data, b)->allocated_bytes;
    return mine != other ? (mine > other ? -1 : 1) : a < b ? -1 : a > b;
}

static void choose(struct view *v)
{
    size_t count = v->tree.count;
    _cleanup_free_ uint32_t *order = alloc_zeroed(count, sizeof *order);

    v->shown = alloc_zeroed(count, sizeof *v->shown);
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    qsort_r(order, count, sizeof *order, by_bytes, (void *)v->facts);
    for (size_t i = 0; i < PROCESSES_SHOWN; i++)
        for (uint32_t place = order[i]; place != TREE_NONE && !v->shown[place]; place = v->tree.nodes[place].parent)
            v->shown[place] = true;
    _cleanup_free_ struct sum *below = alloc_zeroed(count, sizeof *below);
    for (uint32_t i = (uint32_t)count; i-- > 0;) { /* children come after their parents */
        uint32_t parent = v->tree.nodes[i].parent;
        if (v->shown[i])
            continue;
        add_process(&below[i], process_at(v->facts, i));
        bool is_hidden = parent != TREE_NONE && !v->shown[parent];
        add_sum(is_hidden ? &below[parent] : &v->more[parent == TREE_NONE ? count : parent], &below[i]);
    }
}

static uint32_t shown_from(const struct view *v, uint32_t place)
{
    while (place != TREE_NONE && v->shown && !v->shown[place])
        place = v->tree.nodes[place].next;
    return place;
}

static struct row *add_row(struct view *v, unsigned kind, uint32_t which, unsigned level)
{
    struct rows *r = &v->rows;
    int room = (text_columns() - BESIDE_COLUMNS) / 3;
    unsigned most = room < LEVELS_LEAST ? LEVELS_LEAST : room > LEVELS_MOST ? LEVELS_MOST : (unsigned)room;

    r->rows = grow(r->rows, &r->capacity, r->count + 1, sizeof *r->rows);
    r->rows[r->count] = (struct row){ .kind = kind, .which = which, .level = level < most ? level : most,
                                        .beyond = level < most ? 0 : level - most };
    return &r->rows[r->count++];
}

static void add_untraced(struct view *v, uint32_t process, unsigned level)
{
    const struct notes *n = &v->facts->told.notes;
    size_t at = v->untraced[process], end = at;

    while (end < n->untraced_count && n->untraced[end].process == process)
        end++;
    for (size_t i = at; i < end && i - at < UNTRACED_SHOWN; i++)
        add_row(v, ROW_UNTRACED, (uint32_t)i, level);
    if (end - at > UNTRACED_SHOWN)
        add_row(v, ROW_UNTRACED_MORE, 0, level)->sum.processes = end - at - UNTRACED_SHOWN;
}

static void add_more(struct view *v, uint32_t parent, unsigned level)
{
    const struct sum *more = &v->more[parent == TREE_NONE ? v->tree.count : parent];

    if (more->processes)
        add_row(v, ROW_MORE, 0, level)->sum = *more;
}

static void make_rows(struct view *v)
{
    uint32_t place = shown_from(v, v->tree.first_root);
    unsigned level = 0;

    while (place != TREE_NONE) {
        add_row(v, ROW_PROCESS, place, level);
        if (process_at(v->facts, place)->told->other_malloc && *process_at(v->facts, place)->told->other_malloc)
            add_row(v, ROW_OWN_MALLOC, place, level + 1);
        if (process_at(v->facts, place)->told->own_heap)
            add_row(v, ROW_OWN_HEAP, place, level + 1);
        add_untraced(v, v->facts->by_start[place], level + 1);
        uint32_t next = shown_from(v, v->tree.nodes[place].first_child);
        if (next != TREE_NONE) {
            place = next;
            level++;
            continue;
        }
        add_more(v, place, level + 1);
        while ((next = shown_from(v, v->tree.nodes[place].next)) == TREE_NONE) {
            place = v->tree.nodes[place].parent;
            add_more(v, place, level);
            if (place == TREE_NONE)
                break;
            level--;
        }
        place = next;
    }
}

static void connect_rows(struct rows *r)
{
    uint64_t open = 0;

    for (size_t i = r->count; i-- > 0;) {
        struct row *row = &r->rows[i];
        row->is_last = !(open >> row->level & 1);
        row->open = open & ((1ull << row->level) - 1);
        open = row->open | 1ull << row->level;
    }
}

void processes_rows_make(struct view *v)
{
    if (v->tree.count > PROCESSES_SHOWN)
        choose(v);
    make_rows(v);
    connect_rows(&v->rows);
}
