/* How to get from a frame to its caller: what the unwind tables say of one code
 * address. Registers are the stack pointer, the frame pointer (rbp, x29) and the
 * return address; no others are followed. inside/cfi.c makes rules, walk.c uses
 * them. May be included anywhere. */
#ifndef MALLOSCOPE_INSIDE_RULE_H
#define MALLOSCOPE_INSIDE_RULE_H

#include <stdint.h>

enum rule_kind {
    RULE_STEP = 1,    /* there is a caller, found as the fields say */
    RULE_END,         /* the outermost frame: a thread's or a program's start */
    RULE_NONE,        /* no unwind tables: a JIT's code, or assembly without any */
    RULE_UNSUPPORTED, /* tables that follow other registers */
    RULE_BROKEN,      /* tables that cannot be understood: as none, and nobody else is let read them */
};

/* What an offset is from. The CFA is the stack pointer in the caller. */
enum rule_base {
    RULE_NOWHERE = 0, /* of the frame pointer: not saved, the caller has the same */
    RULE_FROM_CFA,
    RULE_FROM_SP,
    RULE_FROM_FP,
    RULE_IN_LR, /* aarch64: of the return address, still in the link register */
};

struct rule {
    uint32_t kind : 3;     /* enum rule_kind */
    uint32_t cfa_base : 3; /* RULE_FROM_SP or RULE_FROM_FP */
    uint32_t cfa_is_read : 1; /* the CFA is not the sum but the word there */
    uint32_t ra_base : 3;
    uint32_t fp_base : 3;
    uint32_t signal : 1;   /* a signal handler's return: the caller was interrupted */
    uint32_t no_module : 1; /* RULE_NONE: in no library; one may come to be there */
    int32_t cfa, ra, fp;   /* offsets in bytes */
};

/* Most rules fit 13 bits, a short rule, laid out by arch_*.h. */
#define RULE_SHORT_BITS 13
#define RULE_SHORT_NONE 0u /* does not fit */

#endif
