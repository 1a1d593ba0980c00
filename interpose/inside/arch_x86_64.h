/* x86-64: see arch.h. A call pushes the return address, so it is at CFA - 8. */
#ifndef MALLOSCOPE_INSIDE_ARCH_X86_64_H
#define MALLOSCOPE_INSIDE_ARCH_X86_64_H

#include "interpose/inside/rule.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <ucontext.h>

#define ARCH_DWARF_SP 7
#define ARCH_DWARF_FP 6
#define ARCH_DWARF_RA 16
#define ARCH_RA_OFFSET (-8)
#define ARCH_PC_SHIFT 0
#define ARCH_RECORD_AT_TOP 1
#define ARCH_CALLER_SP ((uint64_t)__builtin_frame_address(0) + 16)

static inline void arch_mend_rule(struct rule *rule)
{
    (void)rule;
}

static inline uint64_t arch_strip(uint64_t word)
{
    return word;
}

static inline uint64_t arch_word(uint64_t slot, uint64_t pc)
{
    (void)slot;
    return pc;
}

/* Short rule: bit 0 the CFA is from rbp, else from rsp; bits 1-3 where rbp is
 * saved: 0 nowhere, n at CFA - 8 (n + 1); bits 4-12 the CFA's offset / 8. */
#define ARCH_SHORT_FRAME_POINTER (1u | 1u << 1 | 2u << 4)

static inline uint32_t arch_short(const struct rule *r)
{
    uint32_t saved = 0;

    if (r->kind != RULE_STEP || r->signal || r->cfa_is_read || r->ra_base != RULE_FROM_CFA || r->ra != -8)
        return RULE_SHORT_NONE;
    if (r->cfa < 8 || r->cfa > 511 * 8 || r->cfa % 8)
        return RULE_SHORT_NONE;
    if (r->fp_base == RULE_FROM_CFA && r->fp <= -16 && r->fp >= -64 && r->fp % 8 == 0)
        saved = (uint32_t)(-r->fp / 8 - 1);
    else if (r->fp_base != RULE_NOWHERE)
        return RULE_SHORT_NONE;
    return (r->cfa_base == RULE_FROM_FP) | saved << 1 | (uint32_t)r->cfa / 8 << 4;
}

static inline bool arch_uses_fp(uint32_t rule)
{
    return rule & 1;
}

static inline bool arch_saves_fp(uint32_t rule)
{
    return rule & 14;
}

static inline uint64_t arch_cfa(uint32_t rule, uint64_t sp, uint64_t fp)
{
    return (arch_uses_fp(rule) ? fp : sp) + (rule >> 4) * 8;
}

static inline uint64_t arch_ra_slot(uint32_t rule, uint64_t cfa)
{
    (void)rule;
    return cfa - 8;
}

/* Where none is saved: the return address's, so that a load is always possible. */
static inline uint64_t arch_fp_slot(uint32_t rule, uint64_t cfa)
{
    return cfa - 8 - (rule >> 1 & 7) * 8;
}

#define ARCH_SIGNAL_LR 0
#define ARCH_STUB_BYTES 0

static inline bool arch_stub_rule(uint64_t pc, struct rule *ret)
{
    (void)pc, (void)ret;
    return false;
}

#define ARCH_CALL_BYTES 7

static inline bool arch_after_call(uint64_t pc)
{
    const uint8_t *code = (const uint8_t *)pc;

    if (code[-5] == 0xe8)
        return true;
    for (int bytes = 2; bytes <= ARCH_CALL_BYTES; bytes++) /* ff /2: by register or memory */
        if (code[-bytes] == 0xff && (code[1 - bytes] & 0x38) == 0x10)
            return true;
    return false;
}

#define ARCH_SIGRETURN_BYTES 9
#define ARCH_SIGRETURN_CALL_AT 7

static inline bool arch_at_sigreturn(uint64_t pc)
{
    static const uint8_t code[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 }; /* mov $15,%rax; syscall */
    return memcmp((const void *)pc, code, sizeof code) == 0;
}

static inline void arch_signal_rule(struct rule *ret)
{
    const int32_t registers = offsetof(ucontext_t, uc_mcontext.gregs);

    *ret = (struct rule){ .kind = RULE_STEP, .signal = 1, .cfa_base = RULE_FROM_SP, .cfa_is_read = 1,
                          .ra_base = RULE_FROM_SP, .fp_base = RULE_FROM_SP,
                          .cfa = registers + 8 * REG_RSP, .ra = registers + 8 * REG_RIP,
                          .fp = registers + 8 * REG_RBP };
}

#endif
