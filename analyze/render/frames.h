/* A stack as its reader wants it: named frames, inlined functions among them, from the place
 * that asked for memory outward. What only passes allocations on (malloc and its wrappers,
 * C++'s operator new and containers, Rust's allocators) is left out in front, what starts
 * a program or a thread at the end, and recursion is told once. */
#ifndef MALLOSCOPE_RENDER_FRAMES_H
#define MALLOSCOPE_RENDER_FRAMES_H

#include "analyze/model/facts.h"
#include "analyze/model/site_search.h"
#include "analyze/render/namer.h"

#include <jansson.h>

struct frame {
    const char *function, *signature; /* the namer's; NULL: unknown */
    const char *source;   /* file; NULL: unknown */
    uint32_t line;        /* 0: unknown */
    uint32_t location;    /* in facts->told.code; 0: unknown */
    bool is_inlined;
    enum site_role role;
    bool is_overload;     /* beside another of its name: told with its parameters */
    uint32_t turns;       /* how often the `period` frames up to this one follow each other; 1: once */
    uint32_t period;
};

struct frames {
    struct frame *of; /* innermost first; of[site] asked for memory, those before only passed it on */
    size_t count, capacity, site;
};

/* Of the stack that ends at a node; all of it. */
void frames_of(struct facts *facts, const struct namer *namer, uint32_t node, struct frames *ret_frames);
/* Recursion is told once, and the ends are cut off. */
void frames_fold(const struct code *code, struct frames *frames);
void frames_release(struct frames *frames);

/* Whether a function only passes allocations on: by its name and the file of its source. is_real: it was not inlined. */
enum site_role frames_role(const struct symbols_frame *frame, bool is_real);
/* The C, C++ or Rust library, the unwinder or the loader, by its file's path. */
bool frames_is_runtime(const char *module);
/* That role in a module: a runtime's functions may only call back, and one without a name in the C++ or Rust library is inside of it. */
enum site_role frames_role_in(const char *module, enum site_role role, bool is_named);
/* A C++ template function's name without the type that it returns, which demanglers put in front. */
const char *frames_without_type(const char *name);
/* What is outside of main() and of a thread's own function. NULL is not. */
bool frames_is_start(const char *function);

/* Which of the functions at a location, as the namer gives them, is the site: the first that does not only pass
 * allocations on. Where all do it is the last. Returns what that one does. */
enum site_role frames_site(const struct symbols_frame *names, size_t count, size_t *ret_index);

/* On one line of at most so many columns: "function  dir/file.c:12", with the module where that is not known. */
void frames_print(const struct code *code, const struct frame *frame, int columns);
/* The columns that it would have of as many as it likes. */
int frames_columns(const struct code *code, const struct frame *frame);
/* The same without the source. Good until the next call. */
const char *frames_name(const struct code *code, const struct frame *frame);

json_t *frames_json(const struct code *code, const struct frame *frame);

#endif
