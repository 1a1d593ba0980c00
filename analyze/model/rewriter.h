/* Events of a log -> chunks of another log that tells the same: streams keep their numbers,
 * stamps become nanoseconds, stacks are said anew. What is written, and what is left out,
 * the caller says event by event, in the reader's order.
 *
 * Memory: a chunk for each stream that has begun and not ended, smaller ones where these are many, the tree of stacks, which all
 * processes share, and the pc numbers of those that have not ended. */
#ifndef MALLOSCOPE_MODEL_REWRITER_H
#define MALLOSCOPE_MODEL_REWRITER_H

#include "analyze/log/reader.h"

struct rewriter;

/* put() takes a whole, sealed chunk; 0 or -errno, after which nothing more is put. */
struct rewriter *rewriter_make(const struct log *log, int (*put)(void *data, const struct rec_chunk_header *chunk, size_t bytes), void *data);
void rewriter_free(struct rewriter *r);

/* Every event must be told, so that stacks are known. */
void rewriter_pass(struct rewriter *r, const struct timed_event *e);
/* After rewriter_pass(): into the new log, too. alone: a realloc's end whose begin is not
 * there, as a realloc of NULL. False: not a record that this version knows; it is left out. */
bool rewriter_write(struct rewriter *r, const struct timed_event *e, bool alone);
/* An event without a stack that the log has not. */
void rewriter_write_record(struct rewriter *r, uint32_t stream, const struct event *e, uint64_t ns);
/* The stream's last realloc, whose begin was written, is without an end. */
void rewriter_leave_realloc(struct rewriter *r, uint32_t stream, uint64_t ns);
/* The stream has no more. */
void rewriter_end_stream(struct rewriter *r, uint32_t stream);
/* Its streams have no more: what is needed for their stacks is given back. */
void rewriter_end_process(struct rewriter *r, uint32_t process);

/* How many code addresses stacks have that no record so far has announced, of processes that have not ended. */
size_t rewriter_missing_code(struct rewriter *r);
/* Whether this REC_PC record is of one of them; then it is written, as of this time. After rewriter_missing_code(). */
bool rewriter_take_code(struct rewriter *r, const struct timed_event *e, uint64_t ns);

/* A session chunk about a process (UINT32_MAX: about none) with one record, or NULL: none. */
void rewriter_write_session(struct rewriter *r, uint32_t process, uint32_t sequence, const struct event *e, uint64_t ns);

/* Puts what is left, and the sums of processes. 0, or what put() said. */
int rewriter_end(struct rewriter *r);
bool rewriter_has_process(const struct rewriter *r, uint32_t process);

#endif
