/* The types of lambdas, and others that have no names: each is known by its number, in the order of their declarations in what they
 * are in, as in C++'s binary interface. So lines may move, and a name still means the same.
 *
 * For the same process, and with the same trust, as dwarf_index.h. */
#ifndef MALLOSCOPE_SYMBOLS_CLOSURES_H
#define MALLOSCOPE_SYMBOLS_CLOSURES_H

#include "analyze/symbols/die_tree.h"

struct closures;

struct closures *closures_new(struct die_tree *tree);
void closures_free(struct closures *c); /* accepts NULL */

/* Whether it is a lambda's type; *ret_call is its operator(). */
bool closures_is_one(struct closures *c, Dwarf_Die *type, Dwarf_Die *ret_call);
/* Any other type without a name. */
bool closures_is_unnamed(Dwarf_Die *type);
/* Of either, among its kind, or those of it that counts() says: from 1 up; 0: unknown. */
uint32_t closures_number(struct closures *c, Dwarf_Die *type, bool (*counts)(void *data, Dwarf_Die *other), void *data);

#define CLOSURES_MAX 16
/* Those among a template's arguments, and in turn among theirs, in the order in which they are written. */
size_t closures_of_arguments(struct closures *c, Dwarf_Die *template, Dwarf_Die ret_types[CLOSURES_MAX]);

#endif
