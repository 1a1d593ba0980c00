/* The CLI's own chunks at the end of a log: what the launcher or a reader knows
 * of a session. 0 or -errno. */
#ifndef MALLOSCOPE_LOG_APPEND_H
#define MALLOSCOPE_LOG_APPEND_H

#include "analyze/log/pack.h"
#include "format/encode.h"
#include "format/layout.h"

#include <stdbool.h>

/* One write() of all bytes; where there is no room for all of them, one more with the ballast's (log/ballast.h). */
int append_all(int fd, const void *data, size_t bytes);

/* Without that. */
int append_once(int fd, const void *data, size_t bytes);

bool append_lacks_room(int error);

struct append_chunk {
    struct rec_chunk_header header;
    struct encoder encoder;
    uint8_t *records, *at;
};

/* A session chunk about a process; its records go to chunk->at, inside records. */
void append_begin(struct append_chunk *chunk, uint32_t pid, uint64_t image, uint8_t *records);
int append_end(struct append_chunk *chunk, int fd);

/* A chunk of names, which is a payload of format/names.h. pid, image: the process that has
 * made the code; 0: it is in a file. packer: NULL: the chunk is not packed. */
int append_names(int fd, struct packer *packer, uint32_t pid, uint64_t image, const void *payload, size_t bytes);

#endif
