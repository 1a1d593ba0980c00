/* Paths of source files as debug information has them -> as a reader wants them: relative
 * ones joined to the directory of their compilation, without `x/..` and `./`. Each is made once. */
#ifndef MALLOSCOPE_SYMBOLS_SOURCE_PATH_H
#define MALLOSCOPE_SYMBOLS_SOURCE_PATH_H

#include <stddef.h>

struct source_paths {
    struct source_path {
        const char *file; /* not the text counts, but where it is in memory; NULL: free */
        char *shown;
    } *table;
    size_t capacity, count;
};

/* directory: NULL: unknown. What is returned lives as long as p. */
const char *source_path(struct source_paths *p, const char *file, const char *directory);
void source_paths_release(struct source_paths *p);

char *source_path_join(const char *directory, const char *file); /* one, to be freed */

#endif
