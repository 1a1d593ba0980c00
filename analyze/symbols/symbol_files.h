/* The source files that local symbols are of, as STT_FILE has them: what tells static functions of one name apart where there
 * is no debug information. Texts are the caller's, and must live as long. */
#ifndef MALLOSCOPE_SYMBOLS_SYMBOL_FILES_H
#define MALLOSCOPE_SYMBOLS_SYMBOL_FILES_H

#include <stdbool.h>
#include <stdint.h>

struct symbol_files;

struct symbol_file {
    const char *name; /* without directories */
    uint32_t number;  /* in the order of the table, from 1 up, among several files of that name; 0: it is the only one */
};

struct symbol_files *symbol_files_new(void);
void symbol_files_free(struct symbol_files *f); /* accepts NULL */

/* The next file of the table; returns what stands for it, not 0. 0 stands for none: of a global symbol. */
uint32_t symbol_files_add(struct symbol_files *f, const char *name);
/* This function is of that file. All have to be said before the first is asked for. */
void symbol_files_claim(struct symbol_files *f, const char *function, uint32_t file);
/* True: others have its name, the compiler's suffixes aside, and its file tells it from them. */
bool symbol_files_needed(const struct symbol_files *f, const char *function, uint32_t file, struct symbol_file *ret_file);

#endif
