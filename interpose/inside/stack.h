/* Who called: the stack of one event, and what differs from the one before.
 *
 * The stack itself is in walk.h; here is how it is taken (by rules, libunwind or
 * frame pointers) and how it is said: as the same, as a difference, or as one
 * that the chunk has had before. May run inside a traced malloc; restores errno. */
#ifndef MALLOSCOPE_INSIDE_STACK_H
#define MALLOSCOPE_INSIDE_STACK_H

#include "interpose/inside/walk.h"

struct context;
struct encode_stack;

/* Stacks that the current chunk has had: hash and number in a word each. It
 * forgets: a stack may be there and not be found. */
#define STACK_KNOWN_BITS 12

struct stack {
    uint32_t logged;     /* how many outermost frames of the last stack the reader has */
    uint8_t logged_flags;
    uint32_t generation; /* of the loaded modules, when it was taken */
    uint32_t epoch;      /* grows when all known ones are to be forgotten */
    uint64_t known[1 << STACK_KNOWN_BITS];
};

/* start: the hook's caller. Makes room for the event and its stack. False: the
 * event cannot be logged. */
bool stack_capture(struct context *c, const struct walk_start *start, struct encode_stack *ret_difference);

/* A new chunk knows no stack. */
static inline void stack_forget_logged(struct stack *s)
{
    s->logged = 0;
    s->logged_flags = 0;
    s->epoch++;
}

/* Another unwinder, once outside/unwinder.c has it: writes return addresses,
 * innermost first, its caller's own among them; returns their number. NULL
 * before, and where it would not be safe. */
extern int (*stack_backtrace)(void **buffer, int size);

/* The same, slower and surer: what the others are checked against. */
extern int (*stack_backtrace_slow)(void **buffer, int size);

#endif
