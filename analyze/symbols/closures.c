#include "analyze/symbols/closures.h"

#include "analyze/hash.h"
#include "analyze/hash_table.h"
#include "analyze/util.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#define NESTED_MAX 32
#define PEELED_MAX 8 /* pointers to references to const ... */

struct closure {
    uint32_t line, column;
    Dwarf_Die die;
    bool is_lambda;
};

struct scope {
    const void *addr;
    struct closure *closures; /* in the order of declaration */
    size_t count, capacity;
};

struct closures {
    struct die_tree *tree;
    struct scope *scopes;
    size_t count, capacity;
    struct hash_table table; /* of scopes, by address */
};

struct closures *closures_new(struct die_tree *tree)
{
    struct closures *c = alloc_zeroed(1, sizeof *c);

    c->tree = tree;
    return c;
}

void closures_free(struct closures *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        free(c->scopes[i].closures);
    free(c->scopes);
    hash_table_release(&c->table);
    free(c);
}

static bool is_class(Dwarf_Die *die)
{
    int tag = dwarf_tag(die);
    return tag == DW_TAG_class_type || tag == DW_TAG_structure_type;
}

bool closures_is_one(struct closures *c, Dwarf_Die *type, Dwarf_Die *ret_call)
{
    if (!is_class(type) || dwarf_hasattr(type, DW_AT_name))
        return false;
    const struct die_row row = die_tree_row(c->tree, type);
    for (size_t i = 0; i < row.count; i++) {
        const char *name = dwarf_tag(&row.dies[i]) == DW_TAG_subprogram ? dwarf_diename(&row.dies[i]) : NULL;
        if (name && strncmp(name, "operator()", 10) == 0) {
            *ret_call = row.dies[i];
            return true;
        }
    }
    return false;
}

bool closures_is_unnamed(Dwarf_Die *type)
{
    int tag = dwarf_tag(type);
    return (is_class(type) || tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type) && !dwarf_hasattr(type, DW_AT_name) &&
           !dwarf_hasattr(type, DW_AT_signature); /* its name is in a unit of types */
}

static bool is_block(Dwarf_Die *die)
{
    switch (dwarf_tag(die)) {
    case DW_TAG_lexical_block:
    case DW_TAG_try_block:
    case DW_TAG_catch_block:
        return true;
    default:
        return false;
    }
}

static void collect(struct closures *c, struct scope *scope, Dwarf_Die *in, unsigned depth)
{
    const struct die_row row = die_tree_row(c->tree, in);
    Dwarf_Die call;

    for (size_t i = 0; i < row.count; i++) {
        Dwarf_Die *die = &row.dies[i];
        if (is_block(die) && depth < NESTED_MAX)
            collect(c, scope, die, depth + 1);
        bool is_lambda = closures_is_one(c, die, &call);
        if (!is_lambda && !closures_is_unnamed(die))
            continue;
        scope->closures = grow(scope->closures, &scope->capacity, scope->count + 1, sizeof *scope->closures);
        scope->closures[scope->count++] = (struct closure){ die_number(die, DW_AT_decl_line), die_number(die, DW_AT_decl_column), *die, is_lambda };
    }
}

static int by_declaration(const void *left, const void *right)
{
    const struct closure *a = left, *b = right;

    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return a->die.addr < b->die.addr ? -1 : a->die.addr > b->die.addr;
}

static const struct scope *scope_of(struct closures *c, Dwarf_Die *die)
{
    uint64_t hash = hash_add(0, (uintptr_t)die->addr);
    struct hash_search s = hash_table_search(&c->table, hash);

    while (hash_table_next(&c->table, &s))
        if (c->scopes[s.number].addr == die->addr)
            return &c->scopes[s.number];
    struct scope scope = { .addr = die->addr };
    collect(c, &scope, die, 0);
    if (scope.count)
        qsort(scope.closures, scope.count, sizeof *scope.closures, by_declaration);
    c->scopes = grow(c->scopes, &c->capacity, c->count + 1, sizeof *c->scopes);
    c->scopes[c->count] = scope;
    hash_table_add(&c->table, hash, (uint32_t)c->count);
    return &c->scopes[c->count++];
}

uint32_t closures_number(struct closures *c, Dwarf_Die *type, bool (*counts)(void *data, Dwarf_Die *other), void *data)
{
    Dwarf_Die at = *type, parent;

    for (int i = 0; i < NESTED_MAX && die_tree_parent(c->tree, &at, &parent); i++) {
        at = parent;
        if (is_block(&at))
            continue;
        const struct scope *scope = scope_of(c, &at);
        Dwarf_Die call;
        bool is_lambda = closures_is_one(c, type, &call);
        uint32_t number = 1;
        for (size_t k = 0; k < scope->count; k++) {
            struct closure closure = scope->closures[k];
            if (closure.die.addr == type->addr)
                return number;
            number += closure.is_lambda == is_lambda && (!counts || counts(data, &closure.die));
            scope = scope_of(c, &at); /* counts() may have asked for others */
        }
        return 0;
    }
    return 0;
}

/* What it points to, refers to, or is another word for. */
static bool peel(Dwarf_Die *type)
{
    Dwarf_Attribute attribute;

    switch (dwarf_tag(type)) {
    case DW_TAG_pointer_type:
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type:
    case DW_TAG_const_type:
    case DW_TAG_volatile_type:
    case DW_TAG_typedef:
        return dwarf_attr(type, DW_AT_type, &attribute) && dwarf_formref_die(&attribute, type);
    default:
        return false;
    }
}

static void add_arguments(struct closures *c, Dwarf_Die *in, Dwarf_Die types[CLOSURES_MAX], size_t *count, unsigned depth)
{
    const struct die_row row = die_tree_row(c->tree, in);
    Dwarf_Attribute attribute;
    Dwarf_Die type, call;

    for (size_t i = 0; i < row.count && *count < CLOSURES_MAX; i++) {
        Dwarf_Die *die = &row.dies[i];
        if (dwarf_tag(die) == DW_TAG_GNU_template_parameter_pack && depth < PEELED_MAX)
            add_arguments(c, die, types, count, depth + 1);
        if (dwarf_tag(die) != DW_TAG_template_type_parameter || !dwarf_attr(die, DW_AT_type, &attribute) ||
            !dwarf_formref_die(&attribute, &type))
            continue;
        for (int k = 0; k < PEELED_MAX && peel(&type); k++)
            ;
        const char *name = dwarf_diename(&type);
        if (closures_is_one(c, &type, &call))
            types[(*count)++] = type;
        else if (is_class(&type) && name && strstr(name, "<lambda(") && depth < PEELED_MAX)
            add_arguments(c, &type, types, count, depth + 1);
    }
}

size_t closures_of_arguments(struct closures *c, Dwarf_Die *template, Dwarf_Die ret_types[CLOSURES_MAX])
{
    size_t count = 0;

    add_arguments(c, template, ret_types, &count, 0);
    return count;
}
