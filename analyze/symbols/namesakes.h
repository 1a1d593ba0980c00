/* Functions of one name in one place whose linkage names the debug information lacks: overloads, functions of several
 * namespaces where it has but lines, lambdas' operators. They are told apart by a number, in the order of their declarations.
 *
 * For the same process, and with the same trust, as dwarf_index.h. */
#ifndef MALLOSCOPE_SYMBOLS_NAMESAKES_H
#define MALLOSCOPE_SYMBOLS_NAMESAKES_H

#include "analyze/symbols/die_tree.h"

struct namesakes;

/* signature: the function's own name with all of its arguments and parameters, `get<int>(int) const`; NULL: they are not known. */
struct namesakes *namesakes_new(struct die_tree *tree, const char *(*signature)(void *data, Dwarf_Die *function), void *data);
void namesakes_free(struct namesakes *n); /* accepts NULL */

/* Of the DIE of a function or an inlined call that has no linkage name: from 1 up; 0: it has no namesakes. *ret_signature:
 * which none of the others has; NULL: only the number tells it from them. */
uint32_t namesakes_number(struct namesakes *n, Dwarf_Die *function, const char **ret_signature);

/* So many characters of a name, from `at` on, tell on which line something is: "(lambda at a.cpp:8:8)"; 0: none. */
size_t namesakes_line_length(const char *at);

#endif
