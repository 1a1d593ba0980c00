/* The marks of a session by their names: a program may set one each time it comes somewhere. */
#ifndef MALLOSCOPE_RENDER_MARKS_H
#define MALLOSCOPE_RENDER_MARKS_H

#include "analyze/model/notes.h"

struct mark_row {
    const char *name;  /* the notes' */
    size_t first;      /* of these marks in the notes' */
    uint64_t last_ns;  /* as note_mark.ns */
    size_t count;
};

/* One for each name, by the first of each; *ret_rows is to be freed. ret_row_of: the row of each
 * mark, to be freed; may be NULL. */
size_t marks_by_name(const struct notes *n, struct mark_row **ret_rows, size_t **ret_row_of);

/* What stands behind the name: "  (200 times, the last at 3.001 s)"; nothing of one. */
void marks_print_count(const struct mark_row *row, uint64_t first_ns);

#endif
