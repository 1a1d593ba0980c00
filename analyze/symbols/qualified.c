/* The name of an entry of the tree is that of what it is in, and its own. Lambdas are named as the symbol table does:
 * gcc's debug information calls them `<lambda(int)>` where they are arguments of templates, and nothing elsewhere. */
#include "analyze/symbols/qualified.h"

#include "analyze/hash.h"
#include "analyze/hash_table.h"
#include "analyze/symbols/closures.h"
#include "analyze/symbols/demangle.h"
#include "analyze/symbols/die_tree.h"
#include "analyze/symbols/namesakes.h"
#include "analyze/symbols/texts.h"
#include "analyze/util.h"

#include <dwarf.h>
#include <string.h>

#define NESTED_MAX 32   /* spaces in spaces, and types of types */
#define NAME_BYTES 4096 /* beyond it a name stays as it is */

struct space {
    const void *addr;
    const char *path;
};

struct qualified {
    struct die_tree *tree;
    struct closures *closures;
    struct namesakes *namesakes;
    struct space *spaces; /* whose paths are known */
    size_t space_count, space_capacity;
    struct hash_table space_table; /* by address */
    struct texts texts;
    unsigned depth;
};

struct qualified *qualified_new(void)
{
    struct qualified *q = alloc_zeroed(1, sizeof *q);

    q->tree = die_tree_new();
    q->closures = closures_new(q->tree);
    q->namesakes = namesakes_new(q->tree);
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

static const char *space_path(struct qualified *q, Dwarf_Die *die);

/* --- texts ------------------------------------------------------------------------ */

struct builder {
    char text[NAME_BYTES];
    size_t used;
    bool is_over;
};

static void add_bytes(struct builder *b, const char *bytes, size_t count)
{
    b->is_over |= count >= sizeof b->text - b->used;
    if (b->is_over)
        return;
    memcpy(b->text + b->used, bytes, count);
    b->used += count;
}

static void add(struct builder *b, const char *text)
{
    add_bytes(b, text, strlen(text));
}

static const char *keep(struct qualified *q, const struct builder *b)
{
    return b->is_over ? NULL : texts_keep(&q->texts, b->text, b->used);
}

/* --- types ------------------------------------------------------------------------ */

/* What the attribute of a DIE says, as demanglers write it. */
static void add_type(struct qualified *q, struct builder *b, Dwarf_Die *of)
{
    Dwarf_Attribute attribute;
    Dwarf_Die type;
    const char *behind = "";

    if (!dwarf_attr_integrate(of, DW_AT_type, &attribute) || !dwarf_formref_die(&attribute, &type)) {
        add(b, "void");
        return;
    }
    switch (dwarf_tag(&type)) {
    case DW_TAG_pointer_type: behind = "*"; break;
    case DW_TAG_reference_type: behind = "&"; break;
    case DW_TAG_rvalue_reference_type: behind = "&&"; break;
    case DW_TAG_const_type: behind = " const"; break;
    case DW_TAG_volatile_type: behind = " volatile"; break;
    default: {
        const char *path = q->depth < NESTED_MAX ? space_path(q, &type) : NULL;
        add(b, path ? path : "...");
        return;
    }
    }
    if (q->depth++ < NESTED_MAX)
        add_type(q, b, &type);
    q->depth--;
    add(b, behind);
}

static void add_parameters(struct qualified *q, struct builder *b, Dwarf_Die *function)
{
    const struct die_row row = die_tree_row(q->tree, function);
    bool is_first = true;

    for (size_t i = 0; i < row.count; i++) {
        if (dwarf_tag(&row.dies[i]) != DW_TAG_formal_parameter || dwarf_hasattr(&row.dies[i], DW_AT_artificial))
            continue;
        add(b, is_first ? "" : ", ");
        add_type(q, b, &row.dies[i]);
        is_first = false;
    }
}

/* `{lambda(int)#1}`. */
static const char *closure_name(struct qualified *q, Dwarf_Die *type, Dwarf_Die *call)
{
    struct builder b = { .used = 0 };
    char number[20];

    snprintf(number, sizeof number, ")#%u}", closures_number(q->closures, type));
    add(&b, "{lambda(");
    add_parameters(q, &b, call);
    add(&b, number);
    return keep(q, &b);
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
    struct builder b = { .used = 0 };
    const char *at = name;

    for (const char *next; (next = strstr(at, "<lambda(")); found++) {
        const char *begin = path_begin(at, next), *end = lambda_end(next);
        const char *path = found < count && end ? space_path(q, &types[found]) : NULL;
        if (!path)
            return name;
        add_bytes(&b, at, (size_t)(begin - at));
        add(&b, path);
        at = end + (strncmp(end, " >", 2) == 0); /* which parted it from the lambda's */
    }
    add(&b, at);
    return found == count && !b.is_over ? keep(q, &b) : name;
}

/* clang's names tell its line, which says nothing of another version. */
static const char *without_lines(struct qualified *q, const char *name)
{
    struct builder b = { .used = 0 };

    for (const char *at = name; *at;) {
        size_t length = namesakes_line_length(at);
        if (length)
            add(&b, "{lambda}");
        else
            add_bytes(&b, at, 1);
        at += length ? length : 1;
    }
    return b.is_over ? name : keep(q, &b);
}

static const char *own_name(struct qualified *q, Dwarf_Die *die, const char *name)
{
    if (name && strstr(name, "<lambda(") && q->depth < NESTED_MAX) {
        q->depth++;
        name = with_lambdas(q, die, name);
        q->depth--;
    }
    return name && strstr(name, "(lambda at ") ? without_lines(q, name) : name;
}

/* --- spaces ----------------------------------------------------------------------- */

/* With its parameters, as lambdas and types in it are named by the linker: `app::fill(int)`. NULL: it has no such name. */
static const char *function_path(struct qualified *q, Dwarf_Die *function)
{
    const char *linkage = die_linkage_name(function);

    if (!linkage || strncmp(linkage, "_Z", 2) != 0 || strlen(linkage) >= NAME_BYTES)
        return NULL;
    /* Of something in it that is called x: so it comes without the type that it returns. */
    _cleanup_free_ char *mangled = format_text("_ZZ%sE1x", linkage + 2);
    char *name, *signature;
    demangle(mangled, &name, &signature);
    const char *whole = signature ? signature : name, *path = NULL;
    size_t length = strlen(whole);
    if (length > 3 && strcmp(whole + length - 3, "::x") == 0 && length < NAME_BYTES)
        path = texts_keep(&q->texts, whole, length - 3);
    free(name);
    free(signature);
    return path;
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
            return closure_name(q, die, &call);
        return own_name(q, die, dwarf_diename(die));
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type:
    case DW_TAG_interface_type:
    case DW_TAG_base_type:
    case DW_TAG_typedef:
    case DW_TAG_unspecified_type:
    case DW_TAG_subprogram:
        return own_name(q, die, dwarf_diename(die));
    default:
        return NULL;
    }
}

static const char *join(struct qualified *q, const char *space, const char *name)
{
    struct builder b = { .used = 0 };

    if (!space)
        return name;
    add(&b, space);
    add(&b, "::");
    add(&b, name);
    return keep(q, &b);
}

static bool has_parameters(struct qualified *q, Dwarf_Die *function)
{
    const struct die_row row = die_tree_row(q->tree, function);

    for (size_t i = 0; i < row.count; i++)
        if (dwarf_tag(&row.dies[i]) == DW_TAG_formal_parameter)
            return true;
    return false;
}

/* One of several functions of its name, none of which is the linker's: what is in it is not in the others. */
static const char *with_parameters(struct qualified *q, Dwarf_Die *function, const char *name, uint32_t number)
{
    struct builder b = { .used = 0 };
    char text[20];

    add(&b, name);
    if (has_parameters(q, function)) {
        add(&b, "(");
        add_parameters(q, &b, function);
        add(&b, ")");
    } else {
        snprintf(text, sizeof text, "#%u", number);
        add(&b, text);
    }
    return keep(q, &b);
}

static const char *make_path(struct qualified *q, Dwarf_Die *die)
{
    const char *name = dwarf_tag(die) == DW_TAG_subprogram ? function_path(q, die) : NULL;
    Dwarf_Die parent;

    if (name)
        return name;
    name = space_name(q, die);
    uint32_t number = name && dwarf_tag(die) == DW_TAG_subprogram ? namesakes_number(q->namesakes, die) : 0;
    if (number)
        name = with_parameters(q, die, name, number);
    if (!die_tree_parent(q->tree, die, &parent))
        return name;
    die_follow(&parent);
    const char *space = space_path(q, &parent);
    return name ? join(q, space, name) : space;
}

/* Of what is, or is in, a space: its name with all that is around it. NULL: there is none, or it is too long. */
static const char *space_path(struct qualified *q, Dwarf_Die *die)
{
    uint64_t hash = hash_add(0, (uintptr_t)die->addr);
    struct hash_search s = hash_table_search(&q->space_table, hash);

    while (hash_table_next(&q->space_table, &s))
        if (q->spaces[s.number].addr == die->addr)
            return q->spaces[s.number].path;
    if (q->depth >= NESTED_MAX)
        return NULL;
    q->depth++;
    const char *path = make_path(q, die);
    q->depth--;
    q->spaces = grow(q->spaces, &q->space_capacity, q->space_count + 1, sizeof *q->spaces);
    q->spaces[q->space_count] = (struct space){ die->addr, path };
    hash_table_add(&q->space_table, hash, (uint32_t)q->space_count++);
    return path;
}

const char *qualified_name(struct qualified *q, Dwarf_Die *function, const char *name, uint32_t *ret_number)
{
    Dwarf_Die at = *function, parent;
    const char *space = NULL;

    *ret_number = 0;
    die_follow(&at);
    if (!has_spaces(&at))
        return NULL;
    *ret_number = namesakes_number(q->namesakes, &at);
    if (die_tree_parent(q->tree, &at, &parent)) {
        die_follow(&parent);
        space = space_path(q, &parent);
    }
    const char *own = own_name(q, &at, name), *path = own ? join(q, space, own) : NULL;
    return path && path != name ? path : NULL;
}
