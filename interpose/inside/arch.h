/* The one door to what differs between processors: each arch_*.h defines the
 * same names.
 *
 *   ARCH_DWARF_SP, _FP, _RA    numbers of the registers in unwind tables
 *   ARCH_RA_OFFSET             RULE_FROM_CFA offset of the return address where a
 *                              call itself stores it; 0: it does not
 *   ARCH_PC_SHIFT              low bits that are 0 in every code address
 *   ARCH_CALLER_SP             in a function: its caller's stack pointer
 *   ARCH_SHORT_FRAME_POINTER   the short rule of a frame that its frame pointer finds
 *   arch_mend_rule(rule)       corrects what is known to be wrong in libraries' tables
 *   ARCH_RECORD_AT_TOP         whether a saved frame pointer and return address are always
 *                              the outermost words of their frame
 *   arch_strip(word)           the code address in a return-address word
 *   arch_word(slot, pc)        the word itself, where arch_strip gave pc
 *   arch_short(rule)           the short rule, or RULE_SHORT_NONE
 *   arch_cfa, arch_uses_fp, arch_saves_fp, arch_ra_slot, arch_fp_slot
 *                              take a short rule apart
 *   arch_after_call(pc)        can the instruction before, of at most ARCH_CALL_BYTES, be a call?
 *   arch_at_sigreturn(pc)      are these ARCH_SIGRETURN_BYTES a signal handler's return? The system call is
 *                              ARCH_SIGRETURN_CALL_AT bytes on, with the stack as before
 *   arch_signal_rule(rule)     the rule of such code, by the kernel's layout
 *   ARCH_SIGNAL_LR             offset of the link register there, 0: there is none
 *   arch_stub_rule(pc, rule)   the rule of a linker's stub without tables, where one was
 *                              interrupted; false: it is none
 *   ARCH_STUB_BYTES            how far from pc that reads; 0: all stubs have tables */
#ifndef MALLOSCOPE_INSIDE_ARCH_H
#define MALLOSCOPE_INSIDE_ARCH_H

#if defined(__x86_64__)
#include "interpose/inside/arch_x86_64.h"
#elif defined(__aarch64__)
#include "interpose/inside/arch_aarch64.h"
#else
#error "x86-64 and aarch64 only: add an arch_*.h"
#endif

#endif
