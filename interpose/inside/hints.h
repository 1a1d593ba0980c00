/* What the compiler cannot know: which way is taken nearly always. */
#ifndef MALLOSCOPE_INSIDE_HINTS_H
#define MALLOSCOPE_INSIDE_HINTS_H

/* A function's frame has room for all that is inlined there, also while it calls something else. */
#define NOINLINE __attribute__((noinline))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
