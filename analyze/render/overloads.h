/* Which functions are told with their parameters: those of which there are others of that name, in their module, among
 * what is shown. Texts are the namer's. */
#ifndef MALLOSCOPE_RENDER_OVERLOADS_H
#define MALLOSCOPE_RENDER_OVERLOADS_H

#include "analyze/hash_table.h"
#include "analyze/model/sites.h"
#include "analyze/render/frames.h"

struct overloads { /* all zero: none */
    struct overloaded {
        uint32_t file; /* module */
        const char *function, *signature; /* of the first */
        bool has_others;
    } *of;
    size_t count, capacity;
    struct hash_table table;
};

void overloads_add(struct overloads *o, uint32_t file, const struct symbols_frame *frame);
/* The functions of call sites. */
void overloads_add_sites(struct overloads *o, const struct sites *sites, const struct code *code, const struct namer *namer);
void overloads_release(struct overloads *o);

/* What it is called: its function, or signature. */
const char *overloads_name(const struct overloads *o, uint32_t file, const struct symbols_frame *frame);
/* Sets is_overload of those that are. */
void overloads_mark(const struct overloads *o, const struct code *code, struct frames *frames);

#endif
