/* One name, one spelling. Compilers write in debug information what demanglers write in another way: `fill<16>` and
 * `fill<16ul>`, `get<long unsigned int>` and `get<unsigned long>`, `call<void(int)>` and `call<void (int)>`; and of the same
 * function one of them is seen where it was inlined, the other elsewhere. */
#ifndef MALLOSCOPE_SYMBOLS_SPELLING_H
#define MALLOSCOPE_SYMBOLS_SPELLING_H

#include <stddef.h>

/* Of a function's name, with parameters or without, the spelling that all commands show; the shortest: literals without
 * types and suffixes, but for 'c', and as few spaces as there may be. Changed in place; returns its length, which
 * is no more than it was. What is spelled so stays as it is. */
size_t spelling_make(char *name);

/* For names that a user gives. To be freed. */
char *spelling_copy(const char *name);

#endif
