/* Types of one name in one function, each in a block of its own: known by their number, in the order of their declarations, as
 * in C++'s binary interface.
 *
 * For the same process, and with the same trust, as dwarf_index.h. */
#ifndef MALLOSCOPE_SYMBOLS_LOCAL_TYPES_H
#define MALLOSCOPE_SYMBOLS_LOCAL_TYPES_H

#include "analyze/symbols/die_tree.h"

/* Of a type that has that name: from 1 up; 0: it is in no function. */
uint32_t local_types_number(struct die_tree *tree, Dwarf_Die *type, const char *name);

#endif
