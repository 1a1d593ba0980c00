/* The way up, and along, the tree of debugging entries: which one an entry is in, and what else is in that.
 *
 * For the same process, and with the same trust, as dwarf_index.h. The DIEs must live as long. */
#ifndef MALLOSCOPE_SYMBOLS_DIE_TREE_H
#define MALLOSCOPE_SYMBOLS_DIE_TREE_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct die_tree;

struct die_row {
    Dwarf_Die *dies; /* in the order of the file; the tree's */
    size_t count;
};

struct die_tree *die_tree_new(void);
void die_tree_free(struct die_tree *t); /* accepts NULL */

/* What is in it. */
struct die_row die_tree_row(struct die_tree *t, Dwarf_Die *parent);
/* Whether there is one of this tag. */
bool die_tree_has(struct die_tree *t, Dwarf_Die *parent, int tag);
/* What it is in; false: it is in nothing, or damaged. */
bool die_tree_parent(struct die_tree *t, Dwarf_Die *die, Dwarf_Die *ret_parent);

#define DIE_REFERENCES_MAX 16 /* of one to the next; more are damage */

/* To where it is declared: a function is defined, and inlined, elsewhere; a class may be in a unit of types. */
void die_follow(Dwarf_Die *die);
/* A step of that way; false: it is at its end. */
bool die_follow_once(Dwarf_Die *die);
/* Of an attribute of its own; 0: it has none. */
uint32_t die_number(Dwarf_Die *die, unsigned name);
/* NULL: it has none. */
const char *die_linkage_name(Dwarf_Die *die);

#endif
