/* Debug information that a compiler has put apart (-gsplit-dwarf): the program has skeletons of its units, a .dwo file for each unit, its
 * object file, or the package PROGRAM.dwp the rest.
 *
 * For the same process, and with the same trust, as dwarf_index.h. */
#ifndef MALLOSCOPE_SYMBOLS_SPLIT_FILES_H
#define MALLOSCOPE_SYMBOLS_SPLIT_FILES_H

#include "analyze/symbols/symbols.h"

#include <elfutils/libdw.h>

struct split_files;

/* elf: a file that was mapped: its pages are written to. To be called before any Dwarf is begun on it, and to be freed after its end;
 * elf is of no more use then. programs: the paths of elf and of the program, NULL: unknown. NULL: no unit of it is split. */
struct split_files *split_files_new(Elf *elf, const struct symbols_options *options, const char *const programs[2]);
void split_files_free(struct split_files *s); /* accepts NULL */

/* The rest of a skeleton, before libdw is asked for it in any way. False: it is not here. */
bool split_files_unit(struct split_files *s, Dwarf_Die *skeleton, Dwarf_Die *ret_split);

/* "/src/a.dwo does not exist": of the first unit that has no rest. NULL: there was none. */
const char *split_files_problem(const struct split_files *s);

#endif
