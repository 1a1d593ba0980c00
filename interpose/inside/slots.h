/* The slots of the live file: a thread takes one for its chunk. They are handed
 * out by a count in the file itself, because forked children that can have no live
 * file of their own (chroot, other user, no descriptors) share their parent's.
 *
 * May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_SLOTS_H
#define MALLOSCOPE_INSIDE_SLOTS_H

#include "format/layout.h"

#include <stdatomic.h>
#include <stddef.h>

/* The live file's first page. What is behind the header is for the writers alone. */
struct live_page {
    struct rec_live_header header;
    _Atomic uint32_t slots_taken;
    uint64_t pid_namespace; /* of the header's pid; 0: unknown */
};

/* 0, or -errno: the log's disk is full, and whoever packs the log needs the last room for that. */
int slots_check_room(void);

/* A new slot, real on disk and mapped. 0 or -errno, or -REC_STOP_SANDBOX. */
int slot_take(struct rec_live_slot **ret_slot);

/* Takes up to `wanted` slots at once, to be handed out when system calls are
 * forbidden; fewer where there is no more room. */
void slots_reserve(uint32_t wanted);

#endif
