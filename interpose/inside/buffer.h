/* The chunk that a context is filling, in its slot of the live file. May run
 * inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_BUFFER_H
#define MALLOSCOPE_INSIDE_BUFFER_H

#include <stdbool.h>

struct context;

/* An empty chunk with the stream's next number. */
void buffer_begin_chunk(struct context *c);

/* The same, after what the chunk has is appended; where recording has stopped it has no room. */
void buffer_begin_anew(struct context *c);

/* Does so if the chunk's ticks are not as the calling thread's. */
void buffer_fit_clock(struct context *c);

/* Appends the chunk to the log and begins the next; where system calls are
 * forbidden it stays in its slot, and the next begins in another. False: there is
 * no more room; recording has stopped, and the chunk stays in its slot. */
bool buffer_flush(struct context *c);

/* Ends recording, as buffer_flush would, where the log has all the bytes that it may
 * have: for a process that begins then. */
void buffer_keep_limit(struct context *c);

#endif
