#include "analyze/symbols/namesakes.h"

#include "analyze/hash.h"
#include "analyze/hash_table.h"
#include "analyze/util.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

struct named {
    const char *name;
    uint32_t file, line, column;
    const void *addr;
    uint32_t number;
    uint32_t group;         /* of namesakes, in the place */
    bool is_told;           /* signature and is_alike are */
    bool is_alike;          /* others have the same signature */
    const char *signature;  /* NULL: unknown */
    Dwarf_Die die;
};

struct place {
    const void *parent;
    struct named *functions; /* without linkage names; by address */
    size_t count, capacity;
};

struct namesakes {
    struct die_tree *tree;
    const char *(*signature)(void *data, Dwarf_Die *function);
    void *data;
    struct place *places;
    size_t count, capacity;
    struct hash_table table; /* by parent */
};

struct namesakes *namesakes_new(struct die_tree *tree, const char *(*signature)(void *data, Dwarf_Die *function), void *data)
{
    struct namesakes *n = alloc_zeroed(1, sizeof *n);

    n->tree = tree;
    n->signature = signature;
    n->data = data;
    return n;
}

void namesakes_free(struct namesakes *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->count; i++)
        free(n->places[i].functions);
    free(n->places);
    hash_table_release(&n->table);
    free(n);
}

size_t namesakes_line_length(const char *at)
{
    return strncmp(at, "(lambda at ", 11) == 0 && strchr(at, ')') ? (size_t)(strchr(at, ')') - at) + 1 : 0;
}

/* As strcmp(), but for what tells lines. */
static int compare(const char *a, const char *b)
{
    for (;; a++, b++) {
        size_t mine = namesakes_line_length(a), other = namesakes_line_length(b);
        if (mine && other) {
            a += mine - 1;
            b += other - 1;
        } else if (*a != *b) {
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        } else if (!*a) {
            return 0;
        }
    }
}

static int by_name(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    int names = compare(a->name, b->name);

    if (names)
        return names;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return a->addr < b->addr ? -1 : a->addr > b->addr;
}

static int by_address(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    return a->addr < b->addr ? -1 : a->addr > b->addr;
}

static bool are_namesakes(const struct named *a, const struct named *b)
{
    return a->file == b->file && compare(a->name, b->name) == 0;
}

static void count_off(struct place *p)
{
    for (size_t i = 0, end; i < p->count; i = end) {
        for (end = i + 1; end < p->count && are_namesakes(&p->functions[i], &p->functions[end]);)
            end++;
        for (size_t k = i; k < end && end - i > 1; k++) {
            p->functions[k].number = (uint32_t)(k - i) + 1;
            p->functions[k].group = (uint32_t)i;
        }
    }
}

static const struct place *place_of(struct namesakes *n, Dwarf_Die *parent)
{
    uint64_t hash = hash_add(0, (uintptr_t)parent->addr);
    struct hash_search s = hash_table_search(&n->table, hash);
    struct place place = { .parent = parent->addr };
    Dwarf_Attribute attribute;

    while (hash_table_next(&n->table, &s))
        if (n->places[s.number].parent == parent->addr)
            return &n->places[s.number];
    const struct die_row row = die_tree_row(n->tree, parent);
    for (size_t i = 0; i < row.count; i++) {
        Dwarf_Die *die = &row.dies[i];
        if (dwarf_tag(die) != DW_TAG_subprogram || !dwarf_attr(die, DW_AT_name, &attribute) || die_linkage_name(die))
            continue;
        const char *name = dwarf_formstring(&attribute);
        if (!name)
            continue;
        place.functions = grow(place.functions, &place.capacity, place.count + 1, sizeof *place.functions);
        place.functions[place.count++] = (struct named){ name, die_number(die, DW_AT_decl_file), die_number(die, DW_AT_decl_line),
                                                         die_number(die, DW_AT_decl_column), die->addr, .die = *die };
    }
    if (place.count) {
        qsort(place.functions, place.count, sizeof *place.functions, by_name);
        count_off(&place);
        qsort(place.functions, place.count, sizeof *place.functions, by_address);
    }
    n->places = grow(n->places, &n->capacity, n->count + 1, sizeof *n->places);
    n->places[n->count] = place;
    hash_table_add(&n->table, hash, (uint32_t)n->count);
    return &n->places[n->count++];
}

/* Of all that are called like this one; where none has parameters, there are but lines, and those that seem to have none may have
 * some. What is asked for them may ask for these again. */
static void tell_signatures(struct namesakes *n, struct named *functions, size_t count, const struct named *asked)
{
    bool any = false;

    for (size_t i = 0; i < count; i++)
        if (functions[i].number && functions[i].group == asked->group) {
            functions[i].is_told = true;
            any |= die_tree_has(n->tree, &functions[i].die, DW_TAG_formal_parameter);
        }
    for (size_t i = 0; any && i < count; i++)
        if (functions[i].number && functions[i].group == asked->group)
            functions[i].signature = n->signature(n->data, &functions[i].die);
    for (size_t i = 0; any && i < count; i++)
        for (size_t k = 0; functions[i].signature && functions[i].group == asked->group && k < i; k++)
            if (functions[k].signature && functions[k].group == asked->group && strcmp(functions[i].signature, functions[k].signature) == 0)
                functions[i].is_alike = functions[k].is_alike = true;
}

uint32_t namesakes_number(struct namesakes *n, Dwarf_Die *function, const char **ret_signature)
{
    Dwarf_Die at = *function, parent;

    *ret_signature = NULL;
    die_follow(&at);
    if (!die_tree_parent(n->tree, &at, &parent))
        return 0;
    const struct place *place = place_of(n, &parent);
    const struct named wanted = { .addr = at.addr };
    struct named *found = place->count ? bsearch(&wanted, place->functions, place->count, sizeof wanted, by_address) : NULL;
    if (!found)
        return 0;
    if (found->number && !found->is_told)
        tell_signatures(n, place->functions, place->count, found);
    *ret_signature = found->is_alike ? NULL : found->signature;
    return found->number;
}
