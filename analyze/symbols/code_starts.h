/* Whether code may begin at an address of an ELF file. A linker that discards a function leaves
 * its debug information, which then says that the function is at 0, at -1, or at its offset
 * in a section that is not there: in the midst of others' code, as it may happen. */
#ifndef MALLOSCOPE_SYMBOLS_CODE_STARTS_H
#define MALLOSCOPE_SYMBOLS_CODE_STARTS_H

#include "analyze/symbols/symtab.h"

struct code_starts;

/* The symtab may be NULL, and must live as long. */
struct code_starts *code_starts_make(Elf *elf, const struct symtab *symtab);
void code_starts_free(struct code_starts *starts); /* accepts NULL */

enum code_start {
    CODE_HERE,
    CODE_DISCARDED, /* as of what a linker has left out */
    CODE_NOWHERE,   /* no linker would make it that: damage */
};

/* Of anything; of a function, which does not begin in the midst of another. */
enum code_start code_starts_at(const struct code_starts *starts, uint64_t address);
enum code_start code_starts_function_at(const struct code_starts *starts, uint64_t address);

#endif
