/* Unwind tables (.eh_frame, found by .eh_frame_hdr) -> the rule of one code
 * address. Reads what the linker wrote into a loaded module and believes no
 * length of it. Pure: no lock, no allocation; may run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_CFI_H
#define MALLOSCOPE_INSIDE_CFI_H

#include "interpose/inside/cfi_row.h"
#include "interpose/inside/rule.h"

struct cfi_tables {
    const uint8_t *header;      /* .eh_frame_hdr; NULL: the module has none */
    const uint8_t *start, *end; /* of the segment that they are in: nothing outside is read */
};

/* pc: the address of an instruction; of a return address, the byte before. work: room, what is in it does
 * not matter. */
void cfi_find_rule(const struct cfi_tables *tables, uint64_t pc, struct cfi_work *work, struct rule *ret_rule);

#endif
