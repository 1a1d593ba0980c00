/* Arguments of templates. gcc leaves those out that are the default ones from the names of functions, has other words for
 * some types, and tells typedefs by their own names: as entries of their own they are all there. */
#include "analyze/symbols/qualified_inside.h"

#include "analyze/symbols/spelling.h"
#include "analyze/util.h"

#include <ctype.h>
#include <dwarf.h>
#include <string.h>

#define PACKS_MAX 8 /* in packs */

/* An argument of a name's text, up to the next one or the end. */
static size_t argument_length(const char *at)
{
    size_t length = 0;

    for (int depth = 0; at[length]; length++) {
        if (depth == 0 && (at[length] == ',' || at[length] == '>'))
            break;
        depth += strchr("<([{", at[length]) != NULL;
        depth -= strchr(">)]}", at[length]) && !(at[length] == '>' && length && at[length - 1] == '-');
    }
    return length;
}

/* Where a name's arguments begin, which are its end; NULL: it has none. */
static const char *arguments_begin(const char *name)
{
    static const char operator[] = "operator";
    const char *from = name;

    if (strncmp(name, operator, strlen(operator)) == 0) {
        from += strlen(operator);
        if (*from == ' ' && from[1] != '<') /* of a conversion: what it makes may be a template */
            return NULL;
        from += strspn(from, "<=>-*");
        from -= from[-1] == '<' && *from != ' '; /* the last of them is none of its sign */
    }
    const char *found = *name ? strchr(from, '<') : NULL;
    if (!found || found == name || name[strlen(name) - 1] != '>')
        return NULL;
    return found;
}

struct arguments {
    const char *text; /* those that are left, in the name */
    bool is_begun, is_unknown;
};

static size_t take_text(struct arguments *a, const char **ret)
{
    size_t length = *a->text && *a->text != '>' ? argument_length(a->text) : 0;

    *ret = a->text;
    a->text += length;
    a->text += *a->text == ',';
    a->text += *a->text == ' ';
    return length;
}

/* What the text has not is a default. */
static void add_default(struct name_builder *b, struct arguments *a, Dwarf_Die *value)
{
    Dwarf_Attribute attribute;
    Dwarf_Sword number;
    char digits[24];

    a->is_unknown |= !dwarf_attr(value, DW_AT_const_value, &attribute) || dwarf_formsdata(&attribute, &number) != 0;
    if (a->is_unknown)
        return;
    Dwarf_Die type;
    bool is_bool = dwarf_attr(value, DW_AT_type, &attribute) && dwarf_formref_die(&attribute, &type) && dwarf_diename(&type) &&
                   strcmp(dwarf_diename(&type), "bool") == 0;
    snprintf(digits, sizeof digits, "%lld", (long long)number);
    name_add(b, is_bool ? (number ? "true" : "false") : digits);
}

static bool is_pointer(Dwarf_Die *value)
{
    Dwarf_Attribute attribute;
    Dwarf_Die type;

    return dwarf_attr(value, DW_AT_type, &attribute) && dwarf_formref_die(&attribute, &type) && dwarf_tag(&type) == DW_TAG_pointer_type;
}

/* gcc writes `(& x)`, and of functions `x`. */
static void add_value(struct name_builder *b, Dwarf_Die *value, const char *text, size_t length)
{
    if (length > 4 && strncmp(text, "(& ", 3) == 0 && text[length - 1] == ')') {
        name_add(b, "&");
        name_add_bytes(b, text + 3, length - 4);
        return;
    }
    if (is_pointer(value) && (isalpha((unsigned char)*text) || *text == '_' || strncmp(text, "(anonymous ", 11) == 0))
        name_add(b, "&");
    name_add_bytes(b, text, length);
}

/* gcc has those of lambdas with `auto` twice. */
static bool was_there(const struct die_row *row, size_t i)
{
    const char *name = dwarf_diename(&row->dies[i]);

    for (size_t k = 0; k < i && name; k++) {
        const char *other = dwarf_tag(&row->dies[k]) == dwarf_tag(&row->dies[i]) ? dwarf_diename(&row->dies[k]) : NULL;
        if (other && strcmp(name, other) == 0)
            return true;
    }
    return false;
}

static void add_arguments(struct qualified *q, struct name_builder *b, struct arguments *a, Dwarf_Die *in, unsigned depth)
{
    const struct die_row row = die_tree_row(q->tree, in);

    for (size_t i = 0; i < row.count && !a->is_unknown; i++) {
        Dwarf_Die *die = &row.dies[i];
        int tag = dwarf_tag(die);
        const char *text;
        if (tag == DW_TAG_GNU_template_parameter_pack && depth < PACKS_MAX && !was_there(&row, i))
            add_arguments(q, b, a, die, depth + 1);
        if ((tag != DW_TAG_template_type_parameter && tag != DW_TAG_template_value_parameter && tag != DW_TAG_GNU_template_template_param) || was_there(&row, i))
            continue;
        name_add(b, a->is_begun ? ", " : "");
        a->is_begun = true;
        size_t length = take_text(a, &text);
        if (tag == DW_TAG_template_type_parameter)
            name_add_type(q, b, die);
        else if (length && tag == DW_TAG_template_value_parameter)
            add_value(b, die, text, length);
        else if (length)
            name_add_bytes(b, text, length);
        else
            add_default(b, a, die);
    }
}

const char *qualified_template(struct qualified *q, Dwarf_Die *die, const char *name)
{
    _cleanup_free_ char *spelled = spelling_copy(name); /* in which no literal has brackets */
    const char *begin = arguments_begin(spelled);
    struct name_builder b = { .used = 0 };
    struct arguments a = { .text = begin ? begin + 1 : "" };

    if (!begin)
        return NULL;
    name_add_bytes(&b, spelled, (size_t)(begin - spelled));
    name_add(&b, "<");
    add_arguments(q, &b, &a, die, 0);
    name_add(&b, ">");
    return a.is_begun && !a.is_unknown && !b.is_unknown ? name_keep(q, &b) : NULL;
}
