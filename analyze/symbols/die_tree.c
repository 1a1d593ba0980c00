/* What a function is in is told by where its declaration is in the tree, and libdw knows no way up. So the way is
 * gone down, from the unit, by where things are in the file: children follow their parent and come before its sibling. Each
 * row of siblings is read once, when it is first on a way. */
#include "analyze/symbols/die_tree.h"

#include "analyze/hash.h"
#include "analyze/hash_table.h"
#include "analyze/util.h"

#include <dwarf.h>

struct row {
    const void *parent;
    struct die_row of;
    size_t capacity;
};

struct die_tree {
    struct row *rows;
    size_t count, capacity;
    struct hash_table table; /* by parent */
};

struct die_tree *die_tree_new(void)
{
    return alloc_zeroed(1, sizeof(struct die_tree));
}

void die_tree_free(struct die_tree *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        free(t->rows[i].of.dies);
    free(t->rows);
    hash_table_release(&t->table);
    free(t);
}

struct die_row die_tree_row(struct die_tree *t, Dwarf_Die *parent)
{
    uint64_t hash = hash_add(0, (uintptr_t)parent->addr);
    struct hash_search s = hash_table_search(&t->table, hash);
    const void *last = parent->addr;
    Dwarf_Die die;

    while (hash_table_next(&t->table, &s))
        if (t->rows[s.number].parent == parent->addr)
            return t->rows[s.number].of;
    t->rows = grow(t->rows, &t->capacity, t->count + 1, sizeof *t->rows);
    struct row *row = &t->rows[t->count];
    *row = (struct row){ .parent = parent->addr };
    hash_table_add(&t->table, hash, (uint32_t)t->count++);
    /* Never backwards: damage would make that a circle. */
    for (int got = dwarf_child(parent, &die); got == 0 && die.addr > last; got = dwarf_siblingof(&die, &die)) {
        row->of.dies = grow(row->of.dies, &row->capacity, row->of.count + 1, sizeof *row->of.dies);
        row->of.dies[row->of.count++] = die;
        last = die.addr;
    }
    return row->of;
}

bool die_tree_has(struct die_tree *t, Dwarf_Die *parent, int tag)
{
    const struct die_row row = die_tree_row(t, parent);

    for (size_t i = 0; i < row.count; i++)
        if (dwarf_tag(&row.dies[i]) == tag)
            return true;
    return false;
}

bool die_tree_parent(struct die_tree *t, Dwarf_Die *die, Dwarf_Die *ret_parent)
{
    Dwarf_Die at;

    if (!dwarf_diecu(die, &at, NULL, NULL))
        return false;
    while (at.addr < die->addr) {
        const struct die_row row = die_tree_row(t, &at);
        size_t low = 0, high = row.count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (row.dies[middle].addr <= die->addr)
                low = middle + 1;
            else
                high = middle;
        }
        if (!low)
            return false;
        if (row.dies[low - 1].addr == die->addr) {
            *ret_parent = at;
            return true;
        }
        at = row.dies[low - 1];
    }
    return false;
}

bool die_follow_once(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    Dwarf_Die next;

    if (!dwarf_attr(die, DW_AT_abstract_origin, &attribute) && !dwarf_attr(die, DW_AT_specification, &attribute) &&
        !dwarf_attr(die, DW_AT_signature, &attribute))
        return false;
    if (!dwarf_formref_die(&attribute, &next))
        return false;
    *die = next;
    return true;
}

void die_follow(Dwarf_Die *die)
{
    for (int i = 0; i < DIE_REFERENCES_MAX && die_follow_once(die); i++)
        ;
}

uint32_t die_number(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word number;

    if (!dwarf_attr(die, name, &attribute) || dwarf_formudata(&attribute, &number) != 0 || number > UINT32_MAX)
        return 0;
    return (uint32_t)number;
}

const char *die_linkage_name(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;

    if (!dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) && !dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
        return NULL;
    return dwarf_formstring(&attribute);
}
