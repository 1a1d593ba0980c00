/* A user's file of JSON, or one line that says what is wrong with it. */
#ifndef MALLOSCOPE_CHECK_JSON_FILE_H
#define MALLOSCOPE_CHECK_JSON_FILE_H

#include "analyze/util.h"

#include <jansson.h>

/* Its object, and its text as it is, to be freed (NULL: not wanted). what: "baseline"; remedy: ends the line, what to do; merge_remedy:
 * the same where the file has a merge's conflict markers. 0; -ENOENT: there is no such file; or another -errno: it cannot be read, is empty, or is no object of JSON. */
int json_file_read(const char *path, const char *what, const char *remedy, const char *merge_remedy, json_t **ret_root, char **ret_text,
                   struct failure *ret_failure);

/* Whether its "schema" is this one. 0 or -EINVAL. */
int json_file_check_schema(const char *path, const json_t *root, const char *schema, struct failure *ret_failure);

/* So that no two that write it at the same time lose what the other has written: who has this may read, change and write it. A descriptor
 * to be closed, or -1 where there are no locks (some network file systems), or nobody gives it back for seconds: then it goes without. */
int json_file_lock(const char *path);

/* Replaces the file, or makes it: never half of it is there. A link stays one, also where what it leads to is made. 0 or -errno:
 * -EACCES also where the file is read-only, whoever asks. */
int json_file_write(const char *path, const char *text, struct failure *ret_failure);

#endif
