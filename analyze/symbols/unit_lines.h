/* Which lines of source the addresses of a compilation unit are of.
 *
 * For the same process, and with the same trust, as dwarf_index.h. */
#ifndef MALLOSCOPE_SYMBOLS_UNIT_LINES_H
#define MALLOSCOPE_SYMBOLS_UNIT_LINES_H

#include "analyze/symbols/code_starts.h"
#include "analyze/symbols/line_program.h"
#include "analyze/symbols/source_path.h"

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unit_lines {
    Dwarf_Files *files;
    const char *directory;
    struct source_paths *paths;
    bool nameless; /* a file has no name that can be one */
};

struct unit_line {
    const char *file; /* of the paths; NULL: unknown */
    uint32_t line, column; /* 0: unknown */
};

/* section: unit_lines_section()'s. places: by address; they become what line_program_find() says. False: they are damaged; a unit
 * without lines is not. */
bool unit_lines_begin(struct unit_lines *l, Dwarf_Die *unit, Elf_Data *section, struct code_starts *starts, struct source_paths *paths,
                      struct line_place *places, size_t count);
struct unit_line unit_lines_at(struct unit_lines *l, const struct line_place *place);

/* NULL: there is none. */
Elf_Data *unit_lines_section(Elf *elf);
/* That the compiler ran in; NULL: unknown. */
const char *unit_directory(Dwarf_Die *unit);
bool dwarf_is_text(const char *text);

#endif
