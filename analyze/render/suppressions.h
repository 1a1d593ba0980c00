/* Which leaks are known and not to be shown: rules in the format of LeakSanitizer's
 * suppression files, and rules of our own for what the C library, the loader and the C++
 * library keep until the end.
 *
 *     # a comment
 *     leak:PATTERN
 *
 * PATTERN is looked for in the module's path, the function (of C++ with its parameters) and
 * the source file of every frame of a stack, that of the allocation function among them;
 * * stands for any text, a ^ at its beginning and a $ at its end for those of the name. Of
 * the frames that match, the innermost counts, for it the first of the three, and for that
 * the first rule. */
#ifndef MALLOSCOPE_RENDER_SUPPRESSIONS_H
#define MALLOSCOPE_RENDER_SUPPRESSIONS_H

#include "analyze/util.h"

struct suppression {
    char *pattern;
    bool is_builtin;
    bool own_only; /* only where all frames from the allocation out to the one that matches are the libraries' own */
    uint64_t sites, blocks, bytes; /* that it has suppressed; for whoever applies it */
};

struct suppressions {
    struct suppression *rules;
    size_t count, capacity;
};

void suppressions_add_builtin(struct suppressions *s);
/* -errno, with the reason after "FILE:LINE: " in *ret_failure; what came before has been added. */
int suppressions_read(struct suppressions *s, const char *path, struct failure *ret_failure);
void suppressions_release(struct suppressions *s);
#define _cleanup_suppressions_ __attribute__((cleanup(suppressions_release)))

/* Texts that are NULL do not match. */
struct suppressible {
    const char *module, *function, *source; /* module: path; function: as a signature */
};

/* The first rule for this frame, or NULL; own: all frames from the allocation to this one are
 * in libraries of suppressions_is_own(). */
struct suppression *suppressions_find(struct suppressions *s, const struct suppressible *frame, bool own);
/* The C library, the loader and the C++ library, by the path of the module; but what strings and streams' buffers
 * allocate is of whoever made these. */
bool suppressions_is_own(const struct suppressible *frame);
/* Whether between the two there may be one that has no frame, as it ended in a jump to the callee: a constructor or
 * destructor that the loader calls. The C++ library's own are functions without an exported name. callee: NULL for the
 * allocation function. */
bool suppressions_hides_caller(const struct suppressible *callee, const struct suppressible *caller);

/* The frame that a checker has innermost: of its own function, in the place of one of rec_function,
 * and of C++'s operators new that call it. NULL: there is none. */
const char *suppressions_interceptor(unsigned function);
/* Whether a function, by its signature and its module's path, is such an operator of the C++ library. */
bool suppressions_is_operator_new(const char *signature, const char *module);

/* Whether the pattern matches the text, as LeakSanitizer looks for it: of the parts between the *s
 * each is taken where it is found first, with no second try: foo$ does not match foo_foo. */
bool suppression_matches(const char *pattern, const char *text);

#endif
