#include "interpose/inside/cfi_sum.h"

#include "interpose/inside/arch.h"

/* Binary operators on constants; a register only with + and -. False: neither. */
static bool combine(unsigned op, struct cfi_sum *left, const struct cfi_sum *right)
{
    uint64_t a = (uint64_t)left->constant, b = (uint64_t)right->constant;

    if (left->is_read || right->is_read || right->base != RULE_NOWHERE) {
        if (op != 0x22 || left->is_read || right->is_read || left->base != RULE_NOWHERE)
            return false;
        left->base = right->base; /* constant + register */
    } else if (left->base != RULE_NOWHERE && op != 0x22 && op != 0x1c) {
        return false;
    }
    switch (op) {
    case 0x1a: a &= b; break;
    case 0x1c: a -= b; break;
    case 0x22: a += b; break;
    case 0x24: a = b < 64 ? a << b : 0; break;
    case 0x25: a = b < 64 ? a >> b : 0; break;
    case 0x2a: a = (int64_t)a >= (int64_t)b; break;
    case 0x2b: a = (int64_t)a > (int64_t)b; break;
    case 0x2c: a = (int64_t)a <= (int64_t)b; break;
    case 0x2d: a = (int64_t)a < (int64_t)b; break;
    default: return false;
    }
    left->constant = (int64_t)a;
    return true;
}

bool cfi_sum_evaluate(struct cfi_bytes s, uint64_t pc, const struct cfi_sum *first, struct cfi_sum_room *room,
                      struct cfi_sum *ret)
{
    struct cfi_sum *stack = room->stack;
    unsigned count = 0;

    if (first)
        stack[count++] = *first;
    while (s.at < s.end && !s.bad) {
        unsigned op = (unsigned)cfi_take(&s, 1);
        struct cfi_sum value = { 0 };
        if (op == 0x06 && count && !stack[count - 1].is_read && stack[count - 1].base != RULE_NOWHERE) {
            stack[count - 1].is_read = true;
            continue;
        }
        if (op == 0x23 && count && !stack[count - 1].is_read) { /* plus_uconst */
            stack[count - 1].constant = cfi_plus(stack[count - 1].constant, cfi_take_uleb(&s));
            continue;
        }
        if (op >= 0x1a && op <= 0x2d) {
            if (count < 2 || !combine(op, &stack[count - 2], &stack[count - 1]))
                return false;
            count--;
            continue;
        }
        if (op >= 0x30 && op <= 0x4f) {
            value.constant = op - 0x30;
        } else if (op >= 0x70 && op <= 0x8f) {
            unsigned reg = op - 0x70;
            value.constant = cfi_take_sleb(&s);
            if (reg == ARCH_DWARF_SP)
                value.base = RULE_FROM_SP;
            else if (reg == ARCH_DWARF_FP)
                value.base = RULE_FROM_FP;
            else if (reg == ARCH_DWARF_RA && ARCH_RA_OFFSET != 0)
                value.constant = cfi_plus(value.constant, pc); /* here the number is the program counter's */
            else
                return false;
        } else {
            switch (op) {
            case 0x08: value.constant = (int64_t)cfi_take(&s, 1); break;
            case 0x09: value.constant = cfi_take_signed(&s, 1); break;
            case 0x0a: value.constant = (int64_t)cfi_take(&s, 2); break;
            case 0x0b: value.constant = cfi_take_signed(&s, 2); break;
            case 0x0c: value.constant = (int64_t)cfi_take(&s, 4); break;
            case 0x0d: value.constant = cfi_take_signed(&s, 4); break;
            case 0x10: value.constant = (int64_t)cfi_take_uleb(&s); break;
            case 0x11: value.constant = cfi_take_sleb(&s); break;
            default: return false;
            }
        }
        if (count == CFI_SUM_MAX)
            return false;
        stack[count++] = value;
    }
    if (s.bad || !count)
        return false;
    *ret = stack[count - 1];
    return true;
}
