/* DWARF -> functions, inlined ones too, and lines, for a set of addresses.
 *
 * Only the units that have one of the addresses are read, each once, and in them only
 * the functions that have one. Whatever the file holds is checked by libdw and not to be
 * trusted any further: it may crash, so this is for a process of its own (worker.h).
 * No thread may share an Elf with another. */
#ifndef MALLOSCOPE_SYMBOLS_DWARF_INDEX_H
#define MALLOSCOPE_SYMBOLS_DWARF_INDEX_H

#include "analyze/symbols/split_files.h"
#include "analyze/symbols/symtab.h"

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opens the file that a dwz'd file shares with others: the name that it gives, and its build-id. */
typedef Elf *dwarf_open_shared(void *data, const char *name, const void *build_id, size_t build_id_bytes);

struct dwarf_index;

/* elf: a file that was mapped (elf_file.h): its pages are written to. symtab: of the same module; it tells code that the
 * linker has discarded. addresses: in ascending order; they must live as long, as must elf, symtab and split, which may be NULL.
 * NULL: elf has no DWARF that can be read. */
struct dwarf_index *dwarf_index_make(Elf *elf, struct split_files *split, const struct symtab *symtab, const uint64_t *addresses, size_t count,
                                     dwarf_open_shared *open_shared, void *data);
void dwarf_index_free(struct dwarf_index *index);
bool dwarf_index_damaged(const struct dwarf_index *index); /* a part of it could not be read, as far as it was asked for */
bool dwarf_index_lacks(const struct dwarf_index *index);   /* a part of it is in files that are not here */

/* The texts are the index's. */
struct dwarf_frame {
    const char *function; /* as in the file: mangled; NULL: unknown */
    const char *qualified; /* with what it is in, where it has no linkage name (qualified.h); NULL: the same */
    const char *signature; /* with its parameters, where it has no linkage name, and others have its name; else NULL */
    uint32_t number;       /* among those of that name that have no signature either; 0: it is the only one */
    const char *file;     /* NULL: unknown */
    uint32_t line, column; /* 0: unknown */
};

/* Of the address at this position: the innermost frame first. 0: nothing. Of more than these the outer calls are left
 * out, not the function itself. */
#define DWARF_FRAMES_MAX 1024 /* as NAMES_FRAMES_MAX */
size_t dwarf_index_frames(struct dwarf_index *index, size_t position, struct dwarf_frame ret_frames[DWARF_FRAMES_MAX]);

#endif
