/* What a function is in is told by where its declaration is in the tree, and libdw knows no way up. So the way is
 * gone down, from the unit, by where things are in the file: children follow their parent and come before its sibling. Each
 * row of siblings is read once, when it is first on a way. */
#include "analyze/symbols/qualified.h"

#include "analyze/hash.h"
#include "analyze/hash_table.h"
#include "analyze/symbols/texts.h"
#include "analyze/util.h"

#include <dwarf.h>
#include <string.h>

#define NESTED_MAX 32   /* spaces in spaces */
#define REFERENCES_MAX 16
#define NAME_BYTES 4096 /* beyond it a name stays as it is */

struct row {
    const void *parent;
    Dwarf_Die *dies;
    size_t count, capacity;
};

struct qualified {
    struct row *rows;
    size_t count, capacity;
    struct hash_table table; /* by parent */
    struct texts texts;
};

struct qualified *qualified_new(void)
{
    return alloc_zeroed(1, sizeof(struct qualified));
}

void qualified_free(struct qualified *q)
{
    if (!q)
        return;
    for (size_t i = 0; i < q->count; i++)
        free(q->rows[i].dies);
    free(q->rows);
    hash_table_release(&q->table);
    texts_release(&q->texts);
    free(q);
}

static const struct row *row_below(struct qualified *q, Dwarf_Die *parent)
{
    uint64_t hash = hash_add(0, (uintptr_t)parent->addr);
    struct hash_search s = hash_table_search(&q->table, hash);
    const void *last = parent->addr;
    Dwarf_Die die;

    while (hash_table_next(&q->table, &s))
        if (q->rows[s.number].parent == parent->addr)
            return &q->rows[s.number];
    q->rows = grow(q->rows, &q->capacity, q->count + 1, sizeof *q->rows);
    struct row *row = &q->rows[q->count];
    *row = (struct row){ .parent = parent->addr };
    hash_table_add(&q->table, hash, (uint32_t)q->count++);
    /* Never backwards: damage would make that a circle. */
    for (int got = dwarf_child(parent, &die); got == 0 && die.addr > last; got = dwarf_siblingof(&die, &die)) {
        row->dies = grow(row->dies, &row->capacity, row->count + 1, sizeof *row->dies);
        row->dies[row->count++] = die;
        last = die.addr;
    }
    return row;
}

static bool find_parent(struct qualified *q, Dwarf_Die *die, Dwarf_Die *ret_parent)
{
    Dwarf_Die at;

    if (!dwarf_diecu(die, &at, NULL, NULL))
        return false;
    while (at.addr < die->addr) {
        const struct row *row = row_below(q, &at);
        size_t low = 0, high = row->count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (row->dies[middle].addr <= die->addr)
                low = middle + 1;
            else
                high = middle;
        }
        if (!low)
            return false;
        if (row->dies[low - 1].addr == die->addr) {
            *ret_parent = at;
            return true;
        }
        at = row->dies[low - 1];
    }
    return false;
}

/* Where it is declared: a function is defined, and inlined, elsewhere. */
static void follow(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    Dwarf_Die next;

    for (int i = 0; i < REFERENCES_MAX; i++) {
        if (!dwarf_attr(die, DW_AT_abstract_origin, &attribute) && !dwarf_attr(die, DW_AT_specification, &attribute))
            return;
        if (!dwarf_formref_die(&attribute, &next))
            return;
        *die = next;
    }
}

static bool has_spaces(Dwarf_Die *die)
{
    Dwarf_Die unit;

    if (!dwarf_diecu(die, &unit, NULL, NULL))
        return false;
    if (dwarf_tag(&unit) == DW_TAG_partial_unit && !dwarf_hasattr(&unit, DW_AT_language))
        return true; /* what dwz has shared */
    switch (dwarf_srclang(&unit)) {
    case DW_LANG_C_plus_plus:
    case DW_LANG_C_plus_plus_03:
    case DW_LANG_C_plus_plus_11:
    case DW_LANG_C_plus_plus_14:
    case 0x2b: /* C++17, 20: younger than some headers */
    case 0x2c:
    case DW_LANG_Rust:
        return true;
    default:
        return false;
    }
}

/* NULL: it is none that shows in names. */
static const char *space_name(Dwarf_Die *die)
{
    switch (dwarf_tag(die)) {
    case DW_TAG_namespace:
    case DW_TAG_module: {
        const char *name = dwarf_diename(die);
        return name ? name : "(anonymous namespace)";
    }
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type:
    case DW_TAG_interface_type:
    case DW_TAG_subprogram:
        return dwarf_diename(die);
    default:
        return NULL;
    }
}

const char *qualified_name(struct qualified *q, Dwarf_Die *function, const char *name)
{
    char text[NAME_BYTES];
    size_t length = strlen(name), begin = sizeof text - 1;
    Dwarf_Die at = *function, parent;

    follow(&at);
    if (length > begin || !has_spaces(&at))
        return NULL;
    begin -= length;
    memcpy(text + begin, name, length);
    for (int i = 0; i < NESTED_MAX && find_parent(q, &at, &parent); i++) {
        follow(&parent);
        at = parent;
        const char *space = space_name(&at);
        if (!space)
            continue;
        length = strlen(space);
        if (length + 2 > begin)
            return NULL;
        begin -= 2;
        memcpy(text + begin, "::", 2);
        begin -= length;
        memcpy(text + begin, space, length);
    }
    return begin + strlen(name) < sizeof text - 1 ? texts_keep(&q->texts, text + begin, sizeof text - 1 - begin) : NULL;
}
