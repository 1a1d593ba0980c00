/* The name of an entry of the tree is that of what it is in, and its own. */
#include "analyze/symbols/qualified_inside.h"

#include "analyze/hash.h"
#include "analyze/symbols/demangle.h"
#include "analyze/symbols/local_types.h"
#include "analyze/util.h"

#include <dwarf.h>
#include <stdio.h>
#include <string.h>

static bool has_arguments(struct qualified *q, Dwarf_Die *function)
{
    return die_tree_has(q->tree, function, DW_TAG_template_type_parameter) || die_tree_has(q->tree, function, DW_TAG_template_value_parameter) ||
           die_tree_has(q->tree, function, DW_TAG_GNU_template_template_param) || die_tree_has(q->tree, function, DW_TAG_GNU_template_parameter_pack);
}

/* Whose arguments are told: gcc's declaration in a class that is in a unit of types has none. */
static Dwarf_Die own_entry(struct qualified *q, const Dwarf_Die *function, const Dwarf_Die *declared, const char *name)
{
    Dwarf_Die at = *declared;

    if (!name || !strchr(name, '<') || has_arguments(q, &at))
        return at;
    at = *function;
    for (int i = 0; i < DIE_REFERENCES_MAX; i++)
        if (has_arguments(q, &at) || !die_follow_once(&at))
            return at;
    return *declared;
}

/* `fill<main::{lambda()#1}>(int) const`: the function's own name, and its parameters as its symbol has them where it is not inlined.
 * Not of lambdas. NULL: a type is not known. */
static const char *own_signature(void *data, Dwarf_Die *function)
{
    struct qualified *q = data;
    struct name_builder b = { .used = 0 };
    const char *name = dwarf_diename(function);
    Dwarf_Die unit, parent, call, entry = own_entry(q, function, function, name);

    if (!name || !dwarf_diecu(function, &unit, NULL, NULL) || dwarf_srclang(&unit) == DW_LANG_Rust ||
        (die_tree_parent(q->tree, function, &parent) && closures_is_one(q->closures, &parent, &call)))
        return NULL;
    const char *own = qualified_own(q, &entry, name);
    if (!own)
        return NULL;
    name_add(&b, own);
    name_add(&b, "(");
    name_add_parameters(q, &b, function);
    name_add(&b, ")");
    name_add_qualifiers(q, &b, function);
    return b.is_unknown ? NULL : name_keep(q, &b);
}

struct qualified *qualified_new(void)
{
    struct qualified *q = alloc_zeroed(1, sizeof *q);

    q->tree = die_tree_new();
    q->closures = closures_new(q->tree);
    q->namesakes = namesakes_new(q->tree, own_signature, q);
    return q;
}

void qualified_free(struct qualified *q)
{
    if (!q)
        return;
    closures_free(q->closures);
    namesakes_free(q->namesakes);
    die_tree_free(q->tree);
    free(q->spaces);
    hash_table_release(&q->space_table);
    texts_release(&q->texts);
    free(q);
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

/* With its parameters, as lambdas and types in it are named by the linker: `app::fill(int)`. NULL: it has no such name. */
static const char *function_path(struct qualified *q, Dwarf_Die *function)
{
    const char *linkage = die_linkage_name(function);

    if (!linkage || strncmp(linkage, "_Z", 2) != 0 || strlen(linkage) >= QUALIFIED_BYTES)
        return NULL;
    /* Of something in it that is called x: so it comes without the type that it returns. */
    _cleanup_free_ char *mangled = format_text("_ZZ%sE1x", linkage + 2);
    char *name, *signature;
    demangle(mangled, &name, &signature);
    const char *whole = signature ? signature : name, *path = NULL;
    size_t length = strlen(whole);
    if (length > 3 && strcmp(whole + length - 3, "::x") == 0 && length < QUALIFIED_BYTES)
        path = texts_keep(&q->texts, whole, length - 3);
    free(name);
    free(signature);
    return path;
}

/* f()::L#2: as local_names.h has it. */
static const char *type_name(struct qualified *q, Dwarf_Die *type)
{
    const char *name = dwarf_diename(type), *own = qualified_own(q, type, name);
    uint32_t number = own ? local_types_number(q->tree, type, name) : 0;
    struct name_builder b = { .used = 0 };
    char text[20];

    if (number < 2)
        return own;
    snprintf(text, sizeof text, "#%u", number);
    name_add(&b, own);
    name_add(&b, text);
    return name_keep(q, &b);
}

/* NULL: it is none that shows in names. */
static const char *space_name(struct qualified *q, Dwarf_Die *die)
{
    Dwarf_Die call;

    switch (dwarf_tag(die)) {
    case DW_TAG_namespace:
    case DW_TAG_module: {
        const char *name = dwarf_diename(die);
        return name ? name : "(anonymous namespace)";
    }
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
        if (closures_is_one(q->closures, die, &call))
            return qualified_closure(q, die, &call);
        if (closures_is_unnamed(die))
            return qualified_unnamed(q, die);
        return type_name(q, die);
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type:
        return type_name(q, die);
    case DW_TAG_interface_type:
    case DW_TAG_base_type:
    case DW_TAG_typedef:
    case DW_TAG_unspecified_type:
    case DW_TAG_subprogram:
        return qualified_own(q, die, dwarf_diename(die));
    default:
        return NULL;
    }
}

static const char *join(struct qualified *q, const char *space, const char *name)
{
    struct name_builder b = { .used = 0 };

    if (!space)
        return name;
    name_add(&b, space);
    name_add(&b, "::");
    name_add(&b, name);
    return name_keep(q, &b);
}

/* A static function that has no linkage name: as if it had one. What is in it is not in others of its name. */
static const char *with_parameters(struct qualified *q, Dwarf_Die *function, const char *name)
{
    struct name_builder b = { .used = 0 };
    const char *signature;
    uint32_t number = namesakes_number(q->namesakes, function, &signature);
    char text[20];

    if (!number && dwarf_hasattr_integrate(function, DW_AT_external))
        return name;
    name_add(&b, name);
    if (number && !signature && !die_tree_has(q->tree, function, DW_TAG_formal_parameter)) { /* or they are not told */
        snprintf(text, sizeof text, "#%u", number);
        name_add(&b, text);
    } else {
        name_add(&b, "(");
        name_add_parameters(q, &b, function);
        name_add(&b, ")");
        name_add_qualifiers(q, &b, function);
    }
    return name_keep(q, &b);
}

static const char *make_path(struct qualified *q, Dwarf_Die *die)
{
    const char *name = dwarf_tag(die) == DW_TAG_subprogram ? function_path(q, die) : NULL;
    Dwarf_Die parent;

    if (name)
        return name;
    name = space_name(q, die);
    if (name && dwarf_tag(die) == DW_TAG_subprogram)
        name = with_parameters(q, die, name);
    if (!die_tree_parent(q->tree, die, &parent))
        return name;
    const char *space = qualified_space(q, &parent);
    return name ? join(q, space, name) : space;
}

const char *qualified_space(struct qualified *q, Dwarf_Die *die)
{
    Dwarf_Die at = *die;

    die_follow(&at);
    uint64_t hash = hash_add(0, (uintptr_t)at.addr);
    struct hash_search s = hash_table_search(&q->space_table, hash);
    while (hash_table_next(&q->space_table, &s))
        if (q->spaces[s.number].addr == at.addr)
            return q->spaces[s.number].path;
    if (q->depth >= QUALIFIED_NESTED_MAX)
        return NULL;
    q->depth++;
    const char *path = make_path(q, &at);
    q->depth--;
    q->spaces = grow(q->spaces, &q->space_capacity, q->space_count + 1, sizeof *q->spaces);
    q->spaces[q->space_count] = (struct space){ at.addr, path };
    hash_table_add(&q->space_table, hash, (uint32_t)q->space_count++);
    return path;
}

const char *qualified_name(struct qualified *q, Dwarf_Die *function, const char *name, const char **ret_signature, uint32_t *ret_number)
{
    Dwarf_Die at = *function, parent;
    const char *space = NULL, *signature;

    *ret_number = 0;
    *ret_signature = NULL;
    die_follow(&at);
    if (!has_spaces(&at))
        return NULL;
    *ret_number = namesakes_number(q->namesakes, &at, &signature);
    if (die_tree_parent(q->tree, &at, &parent))
        space = qualified_space(q, &parent);
    Dwarf_Die entry = own_entry(q, function, &at, name);
    const char *own = qualified_own(q, &entry, name), *path = own ? join(q, space, own) : NULL;
    if (path && signature) {
        *ret_signature = join(q, space, signature);
        *ret_number = *ret_signature ? 0 : *ret_number;
    }
    return path && path != name ? path : NULL;
}

const char *qualified_signature(struct qualified *q, Dwarf_Die *function)
{
    Dwarf_Die at = *function, parent;

    die_follow(&at);
    const char *own = has_spaces(&at) ? own_signature(q, &at) : NULL;
    return own && die_tree_parent(q->tree, &at, &parent) ? join(q, qualified_space(q, &parent), own) : NULL;
}
