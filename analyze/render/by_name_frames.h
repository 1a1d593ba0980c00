/* The frames of a table (by_name.h): for its own files. */
#ifndef MALLOSCOPE_RENDER_BY_NAME_FRAMES_H
#define MALLOSCOPE_RENDER_BY_NAME_FRAMES_H

#include "analyze/render/by_name.h"

/* The number of this frame in the table, into which it is copied if it is not there. Of a log that is being added. */
uint32_t by_name_frame_number(struct by_name *b, const struct by_name_frame *frame);

/* To be freed. NULL: of NULL. */
char *by_name_copied(const char *text);

#endif
