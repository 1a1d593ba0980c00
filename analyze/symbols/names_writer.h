/* Resolved places -> payloads of format/names.h, each text once in a payload. */
#ifndef MALLOSCOPE_SYMBOLS_NAMES_WRITER_H
#define MALLOSCOPE_SYMBOLS_NAMES_WRITER_H

#include "analyze/symbols/symbols.h"

struct names_writer;

/* take() gets each payload when it is full, and the last one at the end; the path and the
 * build-id must live as long. */
struct names_writer *names_writer_begin(const char *path, const void *build_id, size_t build_id_bytes,
                                        void (*take)(void *data, const void *payload, size_t bytes), void *data);
/* Texts are cut after NAMES_TEXT_MAX bytes, frames left out where all of them have no room: not the
 * innermost ones, nor the function itself. */
#define NAMES_TEXT_MAX 8192
void names_writer_add(struct names_writer *w, uint64_t address, const struct symbols_frame *frames, size_t count);
void names_writer_end(struct names_writer *w); /* frees it */

#endif
