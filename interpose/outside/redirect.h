/* Makes calls of another module's functions come to functions of ours, where
 * exporting ones of the same name would be too much: it would change every program.
 * What the loader has bound to them already is bound anew, and the module's symbols
 * then mean ours: so whatever is loaded later, or binds a call at its first use, finds
 * ours before its own constructors run.
 *
 * Missed are addresses that the program's code has copied elsewhere before, and what a
 * library has bound already that another thread is loading at this moment. Memory that
 * the loader has made read-only is writable for a moment. Outside only. */
#ifndef MALLOSCOPE_OUTSIDE_REDIRECT_H
#define MALLOSCOPE_OUTSIDE_REDIRECT_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redirection {
    const char *symbol;
    void *stand_in;   /* ours */
    void *real;       /* the module's; NULL: it defines none */
    ElfW(Sym) *found; /* its entry in the module's symbol table */
};

struct relocations {
    const ElfW(Rela) *at;
    size_t count;
};

/* A module as the loader has mapped it. */
struct linked_module {
    uint64_t bias, start, end;
    const ElfW(Phdr) *headers;
    unsigned header_count;
    const ElfW(Sym) *symbols;
    const char *names;
    const uint32_t *hash;
    struct relocations data, calls;
};

/* The module that an address is in. False: in none, or it has no symbols. */
bool redirect_module_of(const void *address, struct linked_module *ret);

/* A module of the loader's list, but for the program, which may lie where its file does not say. False: it has no
 * symbols. Calls nothing of the loader. */
bool redirect_module_at(const struct link_map *map, struct linked_module *ret);

/* Finds what the module defines: sets real and found. False: nothing. */
bool redirect_find(const struct linked_module *module, struct redirection *list, size_t count);

/* The module's own calls, as far as the loader binds them, go to the stand-ins. False: some
 * could not be written. */
bool redirect_inner_calls(const struct linked_module *module, const struct redirection *list, size_t count);

/* All calls of what was found go to the stand-ins, from now on. False: memory could not
 * be written, and nothing has changed. */
bool redirect_calls(const struct linked_module *module, const struct redirection *list, size_t count);

#endif
