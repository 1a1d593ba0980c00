/* What qualified.h's files share. */
#ifndef MALLOSCOPE_SYMBOLS_QUALIFIED_INSIDE_H
#define MALLOSCOPE_SYMBOLS_QUALIFIED_INSIDE_H

#include "analyze/symbols/qualified.h"

#include "analyze/hash_table.h"
#include "analyze/symbols/closures.h"
#include "analyze/symbols/die_tree.h"
#include "analyze/symbols/namesakes.h"
#include "analyze/symbols/texts.h"

#define QUALIFIED_NESTED_MAX 32 /* spaces in spaces, and types of types */
#define QUALIFIED_BYTES 4096    /* beyond it a name stays as it is */

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

/* qualified.c: of what is, or is in, a space its name with all that is around it. NULL: there is none, or it is too long. */
const char *qualified_space(struct qualified *q, Dwarf_Die *die);

/* qualified_texts.c: a name that is being made. */
struct name_builder {
    char text[QUALIFIED_BYTES];
    size_t used;
    bool is_over;
    bool is_unknown; /* something in it is, and stands there as `...` */
};

void name_add(struct name_builder *b, const char *text);
void name_add_bytes(struct name_builder *b, const char *bytes, size_t count);
/* qualified_types.c: the type of what has one. */
void name_add_type(struct qualified *q, struct name_builder *b, Dwarf_Die *of);
/* What follows the brackets: ` const`, ` volatile`, ` &`. */
void name_add_qualifiers(struct qualified *q, struct name_builder *b, Dwarf_Die *function);
/* Of a function, without brackets. */
void name_add_parameters(struct qualified *q, struct name_builder *b, Dwarf_Die *function);
/* NULL: it is too long. */
const char *name_keep(struct qualified *q, const struct name_builder *b);

/* qualified_templates.c: a name that ends in arguments, with all of them. NULL: it does not, or they are not known. */
const char *qualified_template(struct qualified *q, Dwarf_Die *die, const char *name);

/* `{lambda(int)#1}`, of a lambda's type and its operator(). */
const char *qualified_closure(struct qualified *q, Dwarf_Die *type, Dwarf_Die *call);
/* `{unnamed type#1}`, or what a typedef calls it. NULL: it is nowhere where it would have a number. */
const char *qualified_unnamed(struct qualified *q, Dwarf_Die *type);
/* The name that a function or type has itself, with the lambdas in it as they are called everywhere else. */
const char *qualified_own(struct qualified *q, Dwarf_Die *die, const char *name);

#endif
