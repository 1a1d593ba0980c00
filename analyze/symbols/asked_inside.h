/* What asked.h's files share; all of it is for the child process. */
#ifndef MALLOSCOPE_SYMBOLS_ASKED_INSIDE_H
#define MALLOSCOPE_SYMBOLS_ASKED_INSIDE_H

#include "analyze/symbols/asked.h"
#include "analyze/symbols/find_file.h"

/* The first thing in the child: it ends with its parent, or by Ctrl-C, leaves no core file, and has no more than some seconds. */
void asked_begin_child(void);
/* Of asked[i]: "parse" of "ns::Reader<int>::parse": in its mangled name, and in the debug information, it is the same, but for operators: "". To
 * be freed. */
char *asked_bare_name(const char *function);
/* Whether a symbol, mangled or not, is of this function. */
bool asked_is_name(const char *symbol, const char *function, const char *bare);
/* Whether the file's symbols have the function. */
bool asked_file_has(const char *path, const char *function, const char *bare);

/* tail_calls.c: what a module's debug information has of the functions; ret_found, by asked, is added to. */
void asked_read_dwarf(const struct symbols_asking *how, const struct symbols_options *options, const char *file_name, const struct module_files *files,
                      const struct symbols_asked *asked, char *const *bare, size_t count, volatile uint8_t *ret_found);

#define ASKED_IS_TOLD 0x80 /* of what was found: its debug information tells of all its calls */
/* tail_jumps.c: what a module's code has of the functions of which that is not told. */
void asked_read_code(const struct symbols_asking *how, const struct module_files *files, const struct symbols_asked *asked, char *const *bare, size_t count,
                     volatile uint8_t *ret_found);

#endif
