/* Names of functions with the namespaces, types and functions that they are in, for those of C++ and Rust that have no
 * linkage name in the debug information: gcc gives none to templates with a local type among their arguments, and to
 * what is inlined of a lambda.
 *
 * For the same process, and with the same trust, as dwarf_index.h. The index's DIEs must live as long. */
#ifndef MALLOSCOPE_SYMBOLS_QUALIFIED_H
#define MALLOSCOPE_SYMBOLS_QUALIFIED_H

#include <elfutils/libdw.h>
#include <stdint.h>

struct qualified;

struct qualified *qualified_new(void);
void qualified_free(struct qualified *q); /* accepts NULL */

/* "std::vector<x>::emplace", "main::{lambda()#1}::operator()": of a DIE of a function or an inlined call, whose own name is
 * given. NULL: it is in nothing that has a name, or of another language. It is q's. *ret_signature: with its
 * parameters, where that name is not its alone, and they are told: `app::store(int)`; else NULL. *ret_number: where they are
 * not told, among its namesakes; else 0. */
const char *qualified_name(struct qualified *q, Dwarf_Die *function, const char *name, const char **ret_signature, uint32_t *ret_number);
/* With its parameters, whether it has namesakes or not. NULL: they are not known, or it is a lambda. */
const char *qualified_signature(struct qualified *q, Dwarf_Die *function);

#endif
