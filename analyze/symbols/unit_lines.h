/* Which lines of source the addresses of a compilation unit are of.
 *
 * For the same process, and with the same trust, as dwarf_index.h. */
#ifndef MALLOSCOPE_SYMBOLS_UNIT_LINES_H
#define MALLOSCOPE_SYMBOLS_UNIT_LINES_H

#include "analyze/symbols/code_starts.h"
#include "analyze/symbols/source_path.h"

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unit_lines {
    Dwarf_Lines *lines;
    size_t count, row;
    const char *directory;
    struct source_paths *paths;
    bool nameless; /* a file has no name that can be one */
};

struct unit_line {
    const char *file; /* of the paths; NULL: unknown */
    uint32_t line, column; /* 0: unknown */
};

/* section: unit_lines_section()'s. False: they are damaged; a unit without lines is not. */
bool unit_lines_begin(struct unit_lines *l, Dwarf_Die *unit, Elf_Data *section, struct code_starts *starts, struct source_paths *paths);
/* Addresses in ascending order. False: it has none. */
bool unit_lines_find(struct unit_lines *l, uint64_t address, struct unit_line *ret_line);

/* NULL: there is none. */
Elf_Data *unit_lines_section(Elf *elf);
/* That the compiler ran in; NULL: unknown. */
const char *unit_directory(Dwarf_Die *unit);
bool dwarf_is_text(const char *text);

#endif
