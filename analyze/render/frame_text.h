/* A frame of a call tree in words, for terminals. */
#ifndef MALLOSCOPE_RENDER_FRAME_TEXT_H
#define MALLOSCOPE_RENDER_FRAME_TEXT_H

#include "analyze/render/call_tree.h"

/* "function  dir/file.c:12", with "  libx.so" behind it where another module has the same function of that file;
 * "function  libx.so" where no source is known, "libx.so+0x1234" where no function is: at most `columns` characters (20 or more), none of them a control
 * character. The module is left out where it is that of the node `beside` (0: of none). The
 * caller frees it. */
char *frame_text(const struct call_tree *tree, uint32_t node, uint32_t beside, int columns);

/* The same without where it is. */
char *frame_name(const struct call_tree *tree, uint32_t node, int columns);

#endif
