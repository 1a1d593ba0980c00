/* A unit's table of lines is a program that is run: rows of addresses, in sequences. libdw keeps all rows, which takes more time than
 * all else that it reads; and it sorts them by address and forgets whose they were, so that those of functions that the linker has
 * discarded, which begin at 0 or so, lie among those of the code that is there. Here it is run for the addresses that are asked
 * for; the table of files in front of it is libdw's to read. Files that the program itself defines, as no compiler does, have no
 * names. */
#ifndef MALLOSCOPE_SYMBOLS_LINE_PROGRAM_H
#define MALLOSCOPE_SYMBOLS_LINE_PROGRAM_H

#include "analyze/symbols/code_starts.h"

struct line_place {
    uint64_t address, row; /* asked for; of the row that it is in */
    uint32_t file, line, column;
    bool found;
};

/* For each address, in ascending order, where it is, if it is in a sequence that begins at code. At the given offset of
 * .debug_line is the unit's program. False: it is damaged. */
bool line_program_find(uint8_t *lines, size_t bytes, uint64_t offset, const struct code_starts *starts, struct line_place *places, size_t count);

/* Makes it seem to end where it begins, so that libdw reads the table of files alone. To be undone by putting *ret_length back.
 * False: it is as it was. */
bool line_program_hide(uint8_t *lines, size_t bytes, uint64_t offset, uint32_t *ret_length);

#endif
