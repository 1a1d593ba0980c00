/* A frame in a site's key: "json_parse", or "png_read (libpng16.so)" where it is not the program's own. Names of C++ have spaces
 * and brackets, too. */
#ifndef MALLOSCOPE_CHECK_FRAME_NAME_H
#define MALLOSCOPE_CHECK_FRAME_NAME_H

#include <stdio.h>

#define FRAME_NAME_OWN "." /* as a module: the program, behind functions that end as if they had one; no file is called so */

/* Without a newline. module: "": the program's own, or none. */
void frame_name_write(FILE *to, const char *function, const char *module);
/* Where in these bytes the module begins, behind its bracket; it ends before the last byte. NULL: it is the program's. */
const char *frame_name_module(const char *name, size_t bytes);

#endif
