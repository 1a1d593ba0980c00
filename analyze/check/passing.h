/* Which functions only pass on what others ask for, so that the site is their caller. A gate may not be mistaken here:
 * a limit of a function that is taken for another one never fails. So of what passes on where people read (frames_role()
 * of render/frames.h) only those do here whose name everybody knows, or that are of the C, C++ or Rust runtime by
 * their module or source file. */
#ifndef MALLOSCOPE_CHECK_PASSING_H
#define MALLOSCOPE_CHECK_PASSING_H

#include "analyze/model/site_search.h"

struct passing {
    const char *function; /* NULL: has no name */
    const char *signature; /* as of symbols_frame */
    const char *module;   /* the file's name without directories; "" none */
    const char *source;   /* as the compiler named it; NULL: unknown */
    bool is_real;         /* it was not inlined */
    bool is_rust;         /* the module has code of Rust: there core:: and alloc:: are its library's, where source is unknown */
};

enum site_role passing_role(const struct passing *f);
/* The code of a runtime (frames_is_runtime()), or what is made of its templates in another module. */
bool passing_is_runtimes(const struct passing *f);
/* Whether a frame shows that its module has code of Rust. */
bool passing_shows_rust(const struct passing *f);

#endif
