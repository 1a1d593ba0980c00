/* aarch64: see arch.h. A call leaves the return address in x30; most functions
 * store it beside x29, at the bottom of their frame. With pointer authentication
 * the word there is signed: it is compared as it is, and stripped for the log. */
#ifndef MALLOSCOPE_INSIDE_ARCH_AARCH64_H
#define MALLOSCOPE_INSIDE_ARCH_AARCH64_H

#include "interpose/inside/rule.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <ucontext.h>

#define ARCH_DWARF_SP 31
#define ARCH_DWARF_FP 29
#define ARCH_DWARF_RA 30
#define ARCH_RA_OFFSET 0
#define ARCH_PC_SHIFT 2
#define ARCH_CALLER_SP ((uint64_t)__builtin_dwarf_cfa())

static inline uint64_t arch_strip(uint64_t word)
{
    register uint64_t x30 __asm__("x30") = word;
    __asm__("hint 7" : "+r"(x30)); /* xpaclri: nothing where the processor has no such keys */
    return x30;
}

static inline uint64_t arch_word(uint64_t slot, uint64_t pc)
{
    (void)pc;
    return *(const uint64_t *)slot;
}

/* Short rule: bit 0 the CFA is from x29, else from sp; bits 1-2 what is saved at
 * the frame's bottom, CFA - 16 n: 1 x29 and x30, 2 x30 alone; bits 3-12 n. */
#define ARCH_SHORT_FRAME_POINTER (1u | 1u << 1 | 1u << 3)

static inline uint32_t arch_short(const struct rule *r)
{
    uint32_t form;

    if (r->kind != RULE_STEP || r->signal || r->cfa_is_read || r->ra_base != RULE_FROM_CFA)
        return RULE_SHORT_NONE;
    if (r->cfa < 16 || r->cfa > 1023 * 16 || r->cfa % 16)
        return RULE_SHORT_NONE;
    if (r->fp_base == RULE_FROM_CFA && r->fp == -r->cfa && r->ra == 8 - r->cfa)
        form = 1;
    else if (r->fp_base == RULE_NOWHERE && r->ra == -r->cfa)
        form = 2;
    else
        return RULE_SHORT_NONE;
    return (r->cfa_base == RULE_FROM_FP) | form << 1 | (uint32_t)r->cfa / 16 << 3;
}

static inline bool arch_uses_fp(uint32_t rule)
{
    return rule & 1;
}

static inline bool arch_saves_fp(uint32_t rule)
{
    return rule & 2;
}

static inline uint64_t arch_cfa(uint32_t rule, uint64_t sp, uint64_t fp)
{
    return (arch_uses_fp(rule) ? fp : sp) + (rule >> 3) * 16;
}

static inline uint64_t arch_ra_slot(uint32_t rule, uint64_t cfa)
{
    return cfa - (rule >> 3) * 16 + (arch_saves_fp(rule) ? 8 : 0);
}

static inline uint64_t arch_fp_slot(uint32_t rule, uint64_t cfa)
{
    return cfa - (rule >> 3) * 16;
}

#define ARCH_SIGNAL_UCONTEXT 128 /* behind the siginfo that sp points to */
#define ARCH_SIGNAL_LR (ARCH_SIGNAL_UCONTEXT + (int32_t)offsetof(ucontext_t, uc_mcontext.regs[30]))

#define ARCH_SIGRETURN_BYTES 8

static inline bool arch_at_sigreturn(uint64_t pc)
{
    static const uint32_t code[] = { 0xd2801168, 0xd4000001 }; /* mov x8, #139; svc #0 */
    return pc % 4 == 0 && memcmp((const void *)pc, code, sizeof code) == 0;
}

static inline void arch_signal_rule(struct rule *ret)
{
    *ret = (struct rule){ .kind = RULE_STEP, .signal = 1, .cfa_base = RULE_FROM_SP, .cfa_is_read = 1,
                          .ra_base = RULE_FROM_SP, .fp_base = RULE_FROM_SP,
                          .cfa = ARCH_SIGNAL_UCONTEXT + (int32_t)offsetof(ucontext_t, uc_mcontext.sp),
                          .ra = ARCH_SIGNAL_UCONTEXT + (int32_t)offsetof(ucontext_t, uc_mcontext.pc),
                          .fp = ARCH_SIGNAL_UCONTEXT + (int32_t)offsetof(ucontext_t, uc_mcontext.regs[29]) };
}

#endif
