/* What is inlined into a function of the C++ or Rust library, by its name alone: that tells which types of the program's
 * own a template was made for. */
#ifndef MALLOSCOPE_RENDER_HELD_CODE_H
#define MALLOSCOPE_RENDER_HELD_CODE_H

enum held_code {
    HELD_NONE,   /* the library's own, as far as allocations go */
    HELD_MAYBE,  /* it may call the program's, which its caller gave it: an algorithm with a lambda, std::visit */
    HELD_SURELY, /* it does nothing but call it, for others than who gave it: what a thread runs, what is in a std::function */
};

/* name: without parameters, and without the type that it returns; it begins with the library's namespace. */
enum held_code held_code(const char *name);

#endif
