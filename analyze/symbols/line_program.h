/* A unit's table of lines is a program that is run: rows of addresses, in sequences. libdw sorts
 * all rows by address and forgets whose they were, so that those of functions that the linker has
 * discarded, which begin at 0 or so, lie among those of the code that is there. */
#ifndef MALLOSCOPE_SYMBOLS_LINE_PROGRAM_H
#define MALLOSCOPE_SYMBOLS_LINE_PROGRAM_H

#include "analyze/symbols/code_starts.h"

/* Moves the sequences that begin at no code to where no code is, in the bytes of .debug_line themselves: at the
 * given offset is the unit's program. What is damaged is left as it is, for the reader to find. */
void line_program_clean(uint8_t *lines, size_t bytes, uint64_t offset, const struct code_starts *starts);

#endif
