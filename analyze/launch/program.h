/* What a program's (or a library's) ELF file tells of its heap: whether its calls
 * of malloc will reach a preloaded library. Read from the file alone; a file that
 * is damaged or has no section headers tells less, never something else. */
#ifndef MALLOSCOPE_LAUNCH_PROGRAM_H
#define MALLOSCOPE_LAUNCH_PROGRAM_H

#include "analyze/util.h"

enum own_malloc {
    MALLOC_NOT_OWN,
    MALLOC_EXPORTED, /* in the dynamic symbols: of an executable, it takes the libraries' calls as well */
    MALLOC_HIDDEN,   /* linked in, not exported: it takes the file's own calls only */
};

struct program {
    enum own_malloc malloc;
    bool stripped;          /* without .symtab: a hidden malloc would not be seen */
    bool is_go;
    bool is_loader;         /* glibc's, by its DT_SONAME */
    const char *other_heap; /* an allocator that is called by names of its own, "mimalloc"; NULL: none known */
    const char *sanitizer;  /* whose malloc is the sanitizer's: "address", "thread", ...; NULL */
    const char *sanitizer_library; /* the part of its runtime's name by which it is known, where that is a library
                                      that must be first of all; NULL: there is none */
};

/* 0, or -errno: what *ret_program does not say is then unknown. */
int program_read(const char *path, struct program *ret_program);

/* What will not be recorded, because of a malloc in the program itself, and what
 * to do: the rest of a sentence about it. NULL: nothing. To be freed. */
char *program_own_heap(const struct program *program);

/* The part of a library's name (or of a whole LD_PRELOAD) by which it is a
 * sanitizer's runtime, of those that end or crash a program in which another
 * library stands before them; or NULL. */
const char *sanitizer_library(const char *names);

#endif
