/* Types of debug information -> as demanglers write them: `char const* (*)(int)`. Typedefs are what they stand for. */
#include "analyze/symbols/qualified_inside.h"

#include "analyze/util.h"

#include <dwarf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool type_of(Dwarf_Die *of, Dwarf_Die *ret_type)
{
    Dwarf_Attribute attribute;
    return dwarf_attr_integrate(of, DW_AT_type, &attribute) && dwarf_formref_die(&attribute, ret_type);
}

/* `typedef struct { ... } name`: the name is the structure's. */
static bool names_its_type(Dwarf_Die *alias)
{
    Dwarf_Die type;

    return type_of(alias, &type) && !dwarf_hasattr(&type, DW_AT_name) && !dwarf_hasattr(&type, DW_AT_signature) &&
           (dwarf_tag(&type) == DW_TAG_structure_type || dwarf_tag(&type) == DW_TAG_class_type || dwarf_tag(&type) == DW_TAG_union_type ||
            dwarf_tag(&type) == DW_TAG_enumeration_type);
}

void name_add_qualifiers(struct qualified *q, struct name_builder *b, Dwarf_Die *function)
{
    const struct die_row row = die_tree_row(q->tree, function);
    bool is_const = false, is_volatile = false;
    Dwarf_Die type;

    for (size_t i = 0; i < row.count; i++) {
        if (dwarf_tag(&row.dies[i]) != DW_TAG_formal_parameter)
            continue;
        /* this: a pointer, itself const perhaps, to what may be */
        bool is_this = dwarf_hasattr(&row.dies[i], DW_AT_artificial) && type_of(&row.dies[i], &type) &&
                       (dwarf_tag(&type) != DW_TAG_const_type || type_of(&type, &type)) && dwarf_tag(&type) == DW_TAG_pointer_type;
        for (unsigned k = 0; is_this && k < 4 && type_of(&type, &type); k++) {
            is_const |= dwarf_tag(&type) == DW_TAG_const_type;
            is_volatile |= dwarf_tag(&type) == DW_TAG_volatile_type;
            is_this = dwarf_tag(&type) == DW_TAG_const_type || dwarf_tag(&type) == DW_TAG_volatile_type;
        }
        break;
    }
    name_add(b, is_const ? " const" : "");
    name_add(b, is_volatile ? " volatile" : "");
    name_add(b, dwarf_hasattr(function, DW_AT_rvalue_reference) ? " &&" : dwarf_hasattr(function, DW_AT_reference) ? " &" : "");
}

static void add_bounds(struct qualified *q, struct name_builder *b, Dwarf_Die *array)
{
    const struct die_row row = die_tree_row(q->tree, array);
    Dwarf_Attribute attribute;
    Dwarf_Word number;
    char text[32];

    for (size_t i = 0; i < row.count; i++) {
        if (dwarf_tag(&row.dies[i]) != DW_TAG_subrange_type)
            continue;
        *text = 0;
        if (dwarf_attr(&row.dies[i], DW_AT_count, &attribute) && dwarf_formudata(&attribute, &number) == 0)
            snprintf(text, sizeof text, "%" PRIu64, (uint64_t)number);
        else if (dwarf_attr(&row.dies[i], DW_AT_upper_bound, &attribute) && dwarf_formudata(&attribute, &number) == 0)
            snprintf(text, sizeof text, "%" PRIu64, (uint64_t)number + 1);
        name_add(b, "[");
        name_add(b, text);
        name_add(b, "]");
    }
}

/* declarator: what is around the name of what has this type: `*` of a pointer. */
static void add_declared(struct qualified *q, struct name_builder *b, Dwarf_Die *of, const char *declarator);

/* Where there is an attribute of a class; else it is unknown. */
static const char *class_path(struct qualified *q, Dwarf_Die *type)
{
    Dwarf_Attribute attribute;
    Dwarf_Die class;

    return dwarf_attr(type, DW_AT_containing_type, &attribute) && dwarf_formref_die(&attribute, &class) ? qualified_space(q, &class) : NULL;
}

static void add_bare(struct name_builder *b, const char *declarator)
{
    name_add(b, " (");
    name_add(b, declarator + (*declarator == ' '));
    name_add(b, ")");
}

static void add_named(struct qualified *q, struct name_builder *b, Dwarf_Die *type, const char *declarator)
{
    const char *path = q->depth < QUALIFIED_NESTED_MAX ? qualified_space(q, type) : NULL;
    Dwarf_Die at = *type, call;

    die_follow(&at);
    if (closures_is_unnamed(&at) && !closures_is_one(q->closures, &at, &call) && !qualified_unnamed(q, &at))
        path = NULL; /* it is what it is in */
    b->is_unknown |= !path;
    name_add(b, path ? path : "...");
    name_add(b, declarator);
}

static void add_type(struct qualified *q, struct name_builder *b, Dwarf_Die *type, const char *declarator)
{
    struct name_builder around = { .used = 0 };

    switch (dwarf_tag(type)) {
    case DW_TAG_pointer_type: name_add(&around, "*"); break;
    case DW_TAG_reference_type: name_add(&around, "&"); break;
    case DW_TAG_rvalue_reference_type: name_add(&around, "&&"); break;
    case DW_TAG_const_type: name_add(&around, " const"); break;
    case DW_TAG_volatile_type: name_add(&around, " volatile"); break;
    case DW_TAG_restrict_type: name_add(&around, " __restrict"); break;
    case DW_TAG_typedef:
        if (names_its_type(type)) {
            add_named(q, b, type, declarator);
            return;
        }
        break;
    case DW_TAG_ptr_to_member_type: {
        const char *path = class_path(q, type);
        b->is_unknown |= !path;
        name_add(&around, " ");
        name_add(&around, path ? path : "...");
        name_add(&around, "::*");
        break;
    }
    case DW_TAG_array_type:
        b->is_unknown |= dwarf_hasattr(type, DW_AT_GNU_vector);
        if (*declarator)
            add_bare(&around, declarator);
        name_add(&around, " ");
        add_bounds(q, &around, type);
        declarator = "";
        break;
    case DW_TAG_subroutine_type:
        if (*declarator)
            add_bare(&around, declarator);
        name_add(&around, *declarator ? "(" : " (");
        name_add_parameters(q, &around, type);
        name_add(&around, ")");
        name_add_qualifiers(q, &around, type);
        declarator = "";
        break;
    default:
        add_named(q, b, type, declarator);
        return;
    }
    name_add(&around, declarator);
    around.text[around.used] = 0;
    b->is_over |= around.is_over;
    b->is_unknown |= around.is_unknown;
    add_declared(q, b, type, around.text);
}

static void add_declared(struct qualified *q, struct name_builder *b, Dwarf_Die *of, const char *declarator)
{
    Dwarf_Die type;

    if (!type_of(of, &type)) {
        name_add(b, "void");
        name_add(b, declarator);
    } else if (q->depth >= QUALIFIED_NESTED_MAX) {
        b->is_unknown = true;
        name_add(b, "...");
    } else {
        q->depth++;
        add_type(q, b, &type, declarator);
        q->depth--;
    }
}

void name_add_type(struct qualified *q, struct name_builder *b, Dwarf_Die *of)
{
    add_declared(q, b, of, "");
}

/* A parameter's own const is none of the function's. */
static void add_parameter(struct qualified *q, struct name_builder *b, Dwarf_Die *parameter)
{
    Dwarf_Die of = *parameter, type;

    for (unsigned i = 0; i < QUALIFIED_NESTED_MAX && type_of(&of, &type) && (dwarf_tag(&type) == DW_TAG_const_type || dwarf_tag(&type) == DW_TAG_volatile_type); i++)
        of = type;
    name_add_type(q, b, &of);
}

void name_add_parameters(struct qualified *q, struct name_builder *b, Dwarf_Die *function)
{
    const struct die_row row = die_tree_row(q->tree, function);
    bool is_first = true;

    for (size_t i = 0; i < row.count; i++) {
        int tag = dwarf_tag(&row.dies[i]);
        if ((tag != DW_TAG_formal_parameter && tag != DW_TAG_unspecified_parameters) || dwarf_hasattr(&row.dies[i], DW_AT_artificial))
            continue;
        name_add(b, is_first ? "" : ", ");
        if (tag == DW_TAG_formal_parameter)
            add_parameter(q, b, &row.dies[i]);
        else
            name_add(b, "...");
        is_first = false;
    }
}
