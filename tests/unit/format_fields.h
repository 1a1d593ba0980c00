/* The fields of the log's fixed structs, in their order: what docs/format.md has
 * as tables. */
#ifndef MALLOSCOPE_TESTS_UNIT_FORMAT_FIELDS_H
#define MALLOSCOPE_TESTS_UNIT_FORMAT_FIELDS_H

#include "format/layout.h"

struct field {
    const char *name;
    size_t offset, bytes;
};

#define FIELD(type, name) { #name, offsetof(struct type, name), sizeof(((struct type *)0)->name) }

static const struct field file_header[] = {
    FIELD(rec_file_header, magic), FIELD(rec_file_header, version), FIELD(rec_file_header, header_bytes),
    FIELD(rec_file_header, reserved), FIELD(rec_file_header, compatible_flags),
    FIELD(rec_file_header, incompatible_flags), FIELD(rec_file_header, session), FIELD(rec_file_header, reserved2),
    FIELD(rec_file_header, checksum),
};
static const struct field chunk_header[] = {
    FIELD(rec_chunk_header, magic), FIELD(rec_chunk_header, type), FIELD(rec_chunk_header, flags),
    FIELD(rec_chunk_header, header_bytes), FIELD(rec_chunk_header, payload_bytes), FIELD(rec_chunk_header, pid),
    FIELD(rec_chunk_header, image), FIELD(rec_chunk_header, stream), FIELD(rec_chunk_header, sequence),
    FIELD(rec_chunk_header, ticks), FIELD(rec_chunk_header, clock_ns), FIELD(rec_chunk_header, payload_checksum),
    FIELD(rec_chunk_header, header_checksum),
};
static const __attribute__((unused)) struct field packed_header[] = {
    FIELD(rec_packed_header, payload_checksum), FIELD(rec_packed_header, payload_bytes),
    FIELD(rec_packed_header, sequences), FIELD(rec_packed_header, column_bytes), FIELD(rec_packed_header, reserved),
};
static const __attribute__((unused)) struct field spool_header[] = {
    FIELD(rec_spool_header, file), FIELD(rec_spool_header, consumed), FIELD(rec_spool_header, closed),
    FIELD(rec_spool_header, stop), FIELD(rec_spool_header, end_most), FIELD(rec_spool_header, log_most),
};
static const __attribute__((unused)) struct field unrecorded_header[] = {
    FIELD(rec_unrecorded_header, magic), FIELD(rec_unrecorded_header, consumed), FIELD(rec_unrecorded_header, reserved),
};
static const __attribute__((unused)) struct field unrecorded[] = {
    FIELD(rec_unrecorded, pid), FIELD(rec_unrecorded, reason), FIELD(rec_unrecorded, path),
};
static const __attribute__((unused)) struct field live_header[] = {
    FIELD(rec_live_header, magic), FIELD(rec_live_header, version), FIELD(rec_live_header, reserved),
    FIELD(rec_live_header, pid), FIELD(rec_live_header, image), FIELD(rec_live_header, session),
    FIELD(rec_live_header, process_start), FIELD(rec_live_header, slot_bytes), FIELD(rec_live_header, stop_errno),
    FIELD(rec_live_header, lost_events), FIELD(rec_live_header, log_most), FIELD(rec_live_header, untraced),
};
static const __attribute__((unused)) struct field live_slot[] = { FIELD(rec_live_slot, used_bytes), FIELD(rec_live_slot, owner_start) };

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#endif
