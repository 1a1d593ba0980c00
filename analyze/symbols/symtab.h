/* The function names of one ELF file: address -> name. Knows nothing of load
 * addresses: an address here is the one the file itself gives (link-time).
 *
 * Of several names for one address the shown one is: exported before local; then
 * the fewest leading underscores; the shortest; global before weak; the first in
 * the alphabet. So libc's is `malloc`, not `__libc_malloc`. Names of C++ and Rust
 * are demangled, without parameters, return types, hashes and .cold/.part suffixes.
 *
 * A file without .symtab is completed from /usr/lib/debug/.build-id. Nothing here
 * prints; a damaged file yields fewer names. One thread at a time per object. */
#ifndef MALLOSCOPE_SYMBOLS_SYMTAB_H
#define MALLOSCOPE_SYMBOLS_SYMTAB_H

#include <stddef.h>
#include <stdint.h>

struct symtab;

/* NULL: path cannot be read, is no ELF program or library, or (when build_id_bytes
 * is not 0) has another build-id or none: names from another build would be lies. */
struct symtab *symtab_open(const char *path, const void *build_id, size_t build_id_bytes);
void symtab_free(struct symtab *s); /* accepts NULL */

/* The function that contains the address, and how far into it the address is.
 * The name is s's and lives as long. NULL: there is none, or s is NULL. */
const char *symtab_find(struct symtab *s, uint64_t address, uint64_t *ret_offset);

#endif
