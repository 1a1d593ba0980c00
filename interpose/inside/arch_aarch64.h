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
#define ARCH_RECORD_AT_TOP 0
#ifdef __clang__ /* whose __builtin_dwarf_cfa gives x29 */
#define ARCH_CALLER_SP ((uint64_t)__builtin_sponentry())
#else
#define ARCH_CALLER_SP ((uint64_t)__builtin_dwarf_cfa())
#endif

/* Where a lazily bound call comes in, glibc's table forgets the 16 bytes that the PLT
 * has pushed: the return address appears to be outward of the CFA. */
static inline void arch_mend_rule(struct rule *rule)
{
    if (rule->kind != RULE_STEP || rule->ra_base != RULE_FROM_CFA || rule->ra != 8 || rule->cfa_is_read)
        return;
    rule->cfa += 16;
    rule->ra -= 16;
    rule->fp -= rule->fp_base == RULE_FROM_CFA ? 16 : 0;
}

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

#define ARCH_CALL_BYTES 4

static inline bool arch_after_call(uint64_t pc)
{
    uint32_t code = ((const uint32_t *)(pc & ~3ull))[-1];

    return (code & 0xfc000000) == 0x94000000 || (code & 0xfefff800) == 0xd63f0800 || /* bl, blraa and such */
           (code & 0xfffffc1f) == 0xd63f0000;                                     /* blr */
}

#define ARCH_SIGRETURN_BYTES 8
#define ARCH_SIGRETURN_CALL_AT 4

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

#define ARCH_STUB_BYTES 28

/* An instruction of an entry of the PLT, or of a veneer, but for the jump at its end. */
static inline bool arch_in_stub(uint32_t code)
{
    return code == 0xd503245f ||              /* bti c */
           code == 0xd503219f ||              /* autia1716 */
           code == 0xa9bf7bf0 ||              /* stp x16, x30, [sp, #-16]!: the PLT's first entry */
           (code & 0x9f00001f) == 0x90000010 || /* adrp x16, ... */
           (code & 0xffc003ff) == 0xf9400211 || /* ldr x17, [x16, ...] */
           (code & 0xffc003ff) == 0x91000210;   /* add x16, x16, ... */
}

static inline bool arch_stub_rule(uint64_t pc, struct rule *ret)
{
    enum { INSTRUCTIONS_MAX = ARCH_STUB_BYTES / 4 - 1 };
    const uint32_t *code = (const uint32_t *)pc;
    int32_t pushed = 0;
    int at = 0;

    if (pc % 4)
        return false;
    while (at < INSTRUCTIONS_MAX && arch_in_stub(code[at]))
        at++;
    if (at == INSTRUCTIONS_MAX || (code[at] != 0xd61f0220 && code[at] != 0xd61f0200)) /* br x17, br x16 */
        return false;
    for (at = -1; at >= -INSTRUCTIONS_MAX && arch_in_stub(code[at]); at--)
        if (code[at] == 0xa9bf7bf0)
            pushed = 16;
    *ret = (struct rule){ .kind = RULE_STEP, .cfa_base = RULE_FROM_SP, .cfa = pushed, .ra_base = RULE_IN_LR };
    return true;
}

#endif
