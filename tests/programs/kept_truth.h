/* What a program knows that it did with the heap, kept in a file that is mapped shared, so that it outlives
 * any kill: announced before the call, marked as done after it. What is done must be in the log, what was only
 * announced may be.
 *
 * The file is a row of pieces, handed out by an atomic count: each thread, and each level of signal handlers
 * in it, fills its own. In the order of the file the pieces of one thread and level are what it did.
 *
 * Shared by stress.c, which writes it, and stress_check.c. */
#ifndef MALLOSCOPE_TESTS_KEPT_TRUTH_H
#define MALLOSCOPE_TESTS_KEPT_TRUTH_H

#include <stdatomic.h>
#include <stdint.h>

#define KEPT_BYTES (1ull << 30) /* of the file, sparse */
#define KEPT_PIECE_EVENTS 255
#define KEPT_LEVELS 3
#define KEPT_PLUGIN_SIZE 7001 /* of the first plugin library's blocks; of the second's, one more */

/* Sizes that the program asks for, so that they can be told from libc's and the loader's. */
#define KEPT_SIZE(n) (200 + 251 * (uint32_t)(n))
#define KEPT_IS_SIZE(size) ((size) % 251 == 200 || (size) == KEPT_PLUGIN_SIZE || (size) == KEPT_PLUGIN_SIZE + 1)

enum kept_state { KEPT_NOTHING, KEPT_ANNOUNCED, KEPT_DONE };
enum kept_kind { KEPT_ALLOC, KEPT_FREE, KEPT_REALLOC_BEGIN, KEPT_REALLOC_END };

struct kept_event {
    volatile uint8_t state;
    uint8_t kind, function; /* rec_function's numbers */
    uint8_t alignment;      /* its logarithm; 0: none was given */
    uint32_t size;
    uint64_t address; /* of what is allocated: once it is done */
};

struct kept_piece {
    uint32_t pid, tid, level, used; /* used is not kept up to date: the states count */
    struct kept_event events[KEPT_PIECE_EVENTS];
};

/* In the first piece's place. */
struct kept_header {
    _Atomic uint32_t pieces; /* handed out, this one included */
};

#define KEPT_PIECES (KEPT_BYTES / sizeof(struct kept_piece))

_Static_assert(sizeof(struct kept_piece) == 4096, "pieces are pages");

#endif
