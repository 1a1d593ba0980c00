#include "analyze/symbols/local_types.h"

#include <dwarf.h>
#include <string.h>

#define NESTED_MAX 32

static bool is_block(Dwarf_Die *die)
{
    int tag = dwarf_tag(die);
    return tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

static bool is_type(Dwarf_Die *die)
{
    int tag = dwarf_tag(die);
    return tag == DW_TAG_class_type || tag == DW_TAG_structure_type || tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type;
}

static bool comes_before(Dwarf_Die *a, Dwarf_Die *b)
{
    uint32_t lines[] = { die_number(a, DW_AT_decl_line), die_number(b, DW_AT_decl_line) };
    uint32_t columns[] = { die_number(a, DW_AT_decl_column), die_number(b, DW_AT_decl_column) };

    if (lines[0] != lines[1])
        return lines[0] < lines[1];
    return columns[0] != columns[1] ? columns[0] < columns[1] : a->addr < b->addr;
}

static uint32_t count_before(struct die_tree *tree, Dwarf_Die *in, Dwarf_Die *type, const char *name, unsigned depth)
{
    const struct die_row row = die_tree_row(tree, in);
    uint32_t count = 0;

    for (size_t i = 0; i < row.count; i++) {
        Dwarf_Die *die = &row.dies[i];
        if (is_block(die) && depth < NESTED_MAX)
            count += count_before(tree, die, type, name, depth + 1);
        const char *its = is_type(die) && die->addr != type->addr ? dwarf_diename(die) : NULL;
        count += its && strcmp(its, name) == 0 && comes_before(die, type);
    }
    return count;
}

uint32_t local_types_number(struct die_tree *tree, Dwarf_Die *type, const char *name)
{
    Dwarf_Die at = *type, parent;

    for (unsigned i = 0; i < NESTED_MAX && die_tree_parent(tree, &at, &parent); i++) {
        at = parent;
        if (dwarf_tag(&at) == DW_TAG_subprogram)
            return count_before(tree, &at, type, name, 0) + 1;
        if (!is_block(&at))
            return 0;
    }
    return 0;
}
