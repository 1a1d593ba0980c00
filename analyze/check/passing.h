/* Which functions only pass on what others ask for, so that the site is their caller. A gate may not be mistaken here:
 * a limit of a function that is taken for another one never fails. So, other than where people read (render/frames.h), a
 * name alone is not enough: it is one that everybody knows, or the function is of the C, C++ or Rust runtime, by its
 * module or its source file. */
#ifndef MALLOSCOPE_CHECK_PASSING_H
#define MALLOSCOPE_CHECK_PASSING_H

#include <stdbool.h>

struct passing {
    const char *function; /* NULL: has no name */
    const char *module;   /* the file's name without directories; "" none */
    const char *source;   /* as the compiler named it; NULL: unknown */
    bool is_rust;         /* the module has code of Rust: there core:: and alloc:: are its library's, where source is unknown */
};

bool passing_on(const struct passing *f);
/* The C, C++ or Rust library, or the loader. */
bool passing_is_runtime(const char *module);
/* Whether a frame shows that its module has code of Rust. */
bool passing_shows_rust(const struct passing *f);

#endif
