/* Which functions are one and the same: those of one name and one signature; and where the name comes without a
 * signature, as C's does, of one source file: two files may each have a static function of that name. Of a path
 * only the file and the directory that it is in count, so that a tree may be elsewhere. What is known of the symbol
 * table alone has no file, and goes by its name. Modules are the caller's to compare. */
#ifndef MALLOSCOPE_RENDER_IDENTITY_H
#define MALLOSCOPE_RENDER_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

struct identity {
    const char *function;  /* not NULL */
    const char *signature; /* as of symbols_frame; NULL: none */
    const char *file;      /* path; NULL: unknown */
};

/* Whether its file tells it from others of its name. */
bool identity_has_file(const struct identity *i);
/* All but the file. */
bool identity_is_named_alike(const struct identity *a, const struct identity *b);
bool identity_is_same(const struct identity *a, const struct identity *b);
/* Of two paths as far as they are known. */
bool identity_is_same_file(const char *a, const char *b);
/* Of what identity_is_same() looks at, continued from `hash` (hash.h). */
uint64_t identity_hash(uint64_t hash, const struct identity *i);

/* The file with the directory that it is in: enough to know it. */
const char *identity_file(const char *path);

/* The name, with what tells it from others where its name alone does not: its signature, or its file behind it. To be freed. */
char *identity_text(const struct identity *i, bool signature, bool file);

#endif
