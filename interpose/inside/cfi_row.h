/* The rows of unwind tables: where registers are saved at an address. They are not
 * stored, but made by running a function's instructions up to the address (DWARF 5,
 * 6.4.2). May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_CFI_ROW_H
#define MALLOSCOPE_INSIDE_CFI_ROW_H

#include "interpose/inside/cfi_bytes.h"
#include "interpose/inside/cfi_sum.h"

#define CFI_REMEMBERED_MAX 16

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

/* What is worked with: two kilobytes, which a program's stack may not have. */
struct cfi_work {
    struct cfi_entry entry;
    struct cfi_row row, initial; /* initial: after the CIE's instructions */
    struct cfi_row remembered[CFI_REMEMBERED_MAX];
    struct cfi_sum_room sum;
};

/* Runs instructions of the work's entry on its row until their location passes pc. False:
 * they cannot be understood. */
bool cfi_row_run(struct cfi_work *work, struct cfi_bytes s, uint64_t pc);

#endif
