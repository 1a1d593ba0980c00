/* Who called: the stack of one event, and what differs from the one before.
 *
 * stack_capture fills it; encode logs the difference. Stacks run from the
 * outermost frame (0) to the hook's caller (depth - 1). May run inside a traced
 * malloc; restores errno. */
#ifndef MALLOSCOPE_INSIDE_STACK_H
#define MALLOSCOPE_INSIDE_STACK_H

#include <stdbool.h>
#include <stdint.h>

#define STACK_DEPTH_MAX 1024 /* frames; deeper stacks keep their innermost ones, and are marked */

struct context;
struct encode_stack;

struct stack {
    uint32_t depth;      /* frames of the last stack */
    uint32_t logged;     /* of them, how many the current chunk knows */
    uint32_t generation; /* of the loaded modules, when it was taken */
    uint8_t flags, logged_flags; /* rec_stack_flags */
    uint64_t pc[STACK_DEPTH_MAX];
    uint32_t id[STACK_DEPTH_MAX];
};

/* frame: of the hook, __builtin_frame_address(0). Makes room for the event and
 * its stack. False: the event cannot be logged. */
bool stack_capture(struct context *c, void *const *frame, struct encode_stack *ret_difference);

/* A new chunk knows no stack. */
static inline void stack_forget_logged(struct stack *s)
{
    s->logged = 0;
    s->logged_flags = 0;
}

/* libunwind's unw_backtrace, once outside/unwinder.c has it; NULL before. */
extern int (*stack_backtrace)(void **buffer, int size);

#endif
