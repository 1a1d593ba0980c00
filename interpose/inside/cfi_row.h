/* The rows of unwind tables: where registers are saved at an address. They are not
 * stored, but made by running a function's instructions up to the address (DWARF 5,
 * 6.4.2). May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_CFI_ROW_H
#define MALLOSCOPE_INSIDE_CFI_ROW_H

#include "interpose/inside/cfi_bytes.h"

/* Of a register in the caller. */
struct cfi_location {
    enum { CFI_UNCHANGED, CFI_AT_CFA_OFFSET, CFI_AT_EXPRESSION, CFI_UNDEFINED, CFI_ELSEWHERE } how;
    int64_t offset;
    struct cfi_bytes expression;
};

struct cfi_row {
    bool cfa_by_expression;
    uint64_t cfa_register;
    int64_t cfa_offset;
    struct cfi_bytes cfa_expression;
    struct cfi_location fp, ra;
};

/* What a CIE and an FDE say of a function. */
struct cfi_entry {
    uint64_t start, bytes;  /* of the function */
    uint64_t code_unit;     /* "alignment factors" */
    int64_t data_unit;
    uint64_t return_register;
    unsigned encoding;      /* of addresses in the FDE */
    const uint8_t *header;  /* what they may be relative to */
    bool augmented, signal; /* the FDE has augmentation data; it is a signal handler's return */
    struct cfi_bytes common, own; /* instructions */
};

/* Runs instructions until their location passes pc. initial: the row after the
 * CIE's. False: they cannot be understood. */
bool cfi_row_run(const struct cfi_entry *e, struct cfi_bytes s, uint64_t pc, const struct cfi_row *initial,
                 struct cfi_row *row);

#endif
