/* The function names of one ELF file: address -> name. Knows nothing of load
 * addresses: an address here is the one the file itself gives (link-time).
 *
 * Of several names for one address the one that is given is: exported before local; then
 * the fewest leading underscores; the shortest; global before weak; the first in
 * the alphabet. So libc's is `malloc`, not `__libc_malloc`. Names are as in the file,
 * mangled, but without a symbol's version. A damaged file yields fewer names. */
#ifndef MALLOSCOPE_SYMBOLS_SYMTAB_H
#define MALLOSCOPE_SYMBOLS_SYMTAB_H

#include "analyze/symbols/symbol_files.h"

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symtab;

/* From these files of one module, up to and with the first that has all symbols (.symtab); it
 * is not needed afterwards. Of a binary without one the second is its debug file. */
struct symtab *symtab_make(Elf *const *elfs, size_t count);
void symtab_free(struct symtab *s); /* accepts NULL */

/* The function that contains the address, and how far into it the address is.
 * The name is s's and lives as long. NULL: there is none, or s is NULL. */
const char *symtab_find(const struct symtab *s, uint64_t address, uint64_t *ret_offset);

/* The file that tells this function, of symtab_find(), from others of its name. False: none is needed, or none is known. */
bool symtab_file(struct symtab *s, uint64_t address, struct symbol_file *ret_file);

/* A function with a size contains the address, and none begins there. */
bool symtab_is_midst(const struct symtab *s, uint64_t address);

#endif
