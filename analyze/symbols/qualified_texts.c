/* Texts of names: lambdas as the symbol table names them, and templates with all of their arguments. gcc's debug information calls
 * these `<lambda(int)>` where they are arguments of templates, and nothing elsewhere. */
#include "analyze/symbols/qualified_inside.h"

#include "analyze/util.h"

#include <dwarf.h>
#include <stdio.h>
#include <string.h>

void name_add_bytes(struct name_builder *b, const char *bytes, size_t count)
{
    b->is_over |= count >= sizeof b->text - b->used;
    if (b->is_over)
        return;
    memcpy(b->text + b->used, bytes, count);
    b->used += count;
}

void name_add(struct name_builder *b, const char *text)
{
    name_add_bytes(b, text, strlen(text));
}

const char *name_keep(struct qualified *q, const struct name_builder *b)
{
    return b->is_over ? NULL : texts_keep(&q->texts, b->text, b->used);
}

/* `{lambda(int)`. The types of one with `auto` are those of one call. */
static void add_lambda(struct qualified *q, struct name_builder *b, Dwarf_Die *call)
{
    name_add(b, "{lambda(");
    if (die_tree_has(q->tree, call, DW_TAG_template_type_parameter))
        name_add(b, "auto");
    else
        name_add_parameters(q, b, call);
    name_add(b, ")");
}

/* Before gcc 13 whatever their parameters; else, as the binary interface has it, those with the same. */
static bool are_numbered_alike(Dwarf_Die *type)
{
    Dwarf_Attribute attribute;
    Dwarf_Die unit;
    unsigned version;

    if (!dwarf_diecu(type, &unit, NULL, NULL) || !dwarf_attr(&unit, DW_AT_producer, &attribute))
        return false;
    const char *producer = dwarf_formstring(&attribute);
    return producer && sscanf(producer, "GNU %*s %u", &version) == 1 && version < 13;
}

struct lambda {
    struct qualified *q;
    const struct name_builder *parameters;
};

static bool has_same_parameters(void *data, Dwarf_Die *other)
{
    const struct lambda *lambda = data;
    struct name_builder b = { .used = 0 };
    Dwarf_Die call;

    if (!closures_is_one(lambda->q->closures, other, &call))
        return false;
    add_lambda(lambda->q, &b, &call);
    return b.used == lambda->parameters->used && memcmp(b.text, lambda->parameters->text, b.used) == 0;
}

const char *qualified_closure(struct qualified *q, Dwarf_Die *type, Dwarf_Die *call)
{
    struct name_builder b = { .used = 0 };
    struct lambda lambda = { q, &b };
    char number[20];

    add_lambda(q, &b, call);
    snprintf(number, sizeof number, "#%u}", closures_number(q->closures, type, are_numbered_alike(type) ? NULL : has_same_parameters, &lambda));
    name_add(&b, number);
    return name_keep(q, &b);
}

const char *qualified_unnamed(struct qualified *q, Dwarf_Die *type)
{
    Dwarf_Attribute attribute;
    Dwarf_Die parent, named;
    struct name_builder b = { .used = 0 };
    char number[20];

    if (!die_tree_parent(q->tree, type, &parent))
        return NULL;
    const struct die_row row = die_tree_row(q->tree, &parent);
    for (size_t i = 0; i < row.count; i++)
        if (dwarf_tag(&row.dies[i]) == DW_TAG_typedef && dwarf_attr(&row.dies[i], DW_AT_type, &attribute) &&
            dwarf_formref_die(&attribute, &named) && named.addr == type->addr)
            return dwarf_diename(&row.dies[i]);
    if (dwarf_tag(&parent) == DW_TAG_namespace || dwarf_tag(&parent) == DW_TAG_compile_unit)
        return NULL;
    snprintf(number, sizeof number, "%u}", closures_number(q->closures, type, NULL, NULL));
    name_add(&b, "{unnamed type#");
    name_add(&b, number);
    return name_keep(q, &b);
}

/* --- names in which there are lambdas --------------------------------------------- */

/* Where the path begins that ends here: `main(int, char**)::` of `rep<main(int, char**)::<lambda()> >`. */
static const char *path_begin(const char *name, const char *end)
{
    int depth = 0;

    while (end > name) {
        char c = end[-1];
        if (depth == 0 && (strchr("<(,", c) || (c == ' ' && strncmp(end, "const::", 7) != 0)))
            break;
        depth += (c == ')' || c == '>') - (c == '(' || c == '<');
        end--;
    }
    return end;
}

/* Behind `<lambda(int)>`; NULL: it has no end. */
static const char *lambda_end(const char *at)
{
    int depth = 0;

    for (at += strcspn(at, "("); *at; at++) {
        depth += (*at == '(') - (*at == ')');
        if (depth == 0)
            return at[1] == '>' ? at + 2 : NULL;
    }
    return NULL;
}

/* Each lambda in gcc's name of a template becomes the one that it is. Where that is not sure the name stays. */
static const char *with_lambdas(struct qualified *q, Dwarf_Die *template, const char *name)
{
    Dwarf_Die types[CLOSURES_MAX];
    size_t count = closures_of_arguments(q->closures, template, types), found = 0;
    struct name_builder b = { .used = 0 };
    const char *at = name;

    for (const char *next; (next = strstr(at, "<lambda(")); found++) {
        const char *begin = path_begin(at, next), *end = lambda_end(next);
        const char *path = found < count && end ? qualified_space(q, &types[found]) : NULL;
        if (!path)
            return name;
        name_add_bytes(&b, at, (size_t)(begin - at));
        name_add(&b, path);
        at = end + (strncmp(end, " >", 2) == 0); /* which parted it from the lambda's */
    }
    name_add(&b, at);
    return found == count && !b.is_over ? name_keep(q, &b) : name;
}

/* clang's names tell its line, which says nothing of another version. */
static const char *without_lines(struct qualified *q, const char *name)
{
    struct name_builder b = { .used = 0 };

    for (const char *at = name; *at;) {
        size_t length = namesakes_line_length(at);
        if (length)
            name_add(&b, "{lambda}");
        else
            name_add_bytes(&b, at, 1);
        at += length ? length : 1;
    }
    return b.is_over ? name : name_keep(q, &b);
}

/* `operator int`, by another name of the type. NULL: it is another function, or the type is unknown, as it is where there are only lines. */
static const char *conversion(struct qualified *q, Dwarf_Die *function, const char *name)
{
    struct name_builder b = { .used = 0 };

    if (dwarf_tag(function) != DW_TAG_subprogram || strncmp(name, "operator ", 9) != 0 || strncmp(name + 9, "new", 3) == 0 ||
        strncmp(name + 9, "delete", 6) == 0 || name[9] == '"' || strncmp(name + 9, "co_await", 8) == 0 || !dwarf_hasattr_integrate(function, DW_AT_type))
        return NULL;
    name_add(&b, "operator ");
    name_add_type(q, &b, function);
    return b.is_unknown ? NULL : name_keep(q, &b);
}

const char *qualified_own(struct qualified *q, Dwarf_Die *die, const char *name)
{
    if (name && name[strlen(name) - (*name != 0)] == '>' && q->depth < QUALIFIED_NESTED_MAX) {
        q->depth++;
        const char *with_arguments = qualified_template(q, die, name);
        q->depth--;
        if (with_arguments)
            return with_arguments;
    }
    const char *converts = name ? conversion(q, die, name) : NULL;
    if (converts)
        return converts;
    if (name && strstr(name, "<lambda(") && q->depth < QUALIFIED_NESTED_MAX) {
        q->depth++;
        name = with_lambdas(q, die, name);
        q->depth--;
    }
    return name && strstr(name, "(lambda at ") ? without_lines(q, name) : name;
}
