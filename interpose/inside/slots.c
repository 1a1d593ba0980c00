#include "interpose/inside/slots.h"

#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"

#include <errno.h>

int slots_check_room(void)
{
    struct kept_use use;
    uint32_t stop = 0;

    if (!session.spools || kept_file_begin(&session.log, &use) != 0)
        return 0;
    sys_pread(use.fd, &stop, sizeof stop, offsetof(struct rec_spool_header, stop));
    kept_file_end(&use);
    return stop == ENOSPC || stop == EDQUOT ? -(int)stop : 0;
}

static int map_slots(uint32_t count, uint8_t **ret_first)
{
    int error = session.live_file.device == session.log.device ? slots_check_room() : 0;

    if (error)
        return error;
    struct live_page *page = (struct live_page *)session.live;
    uint32_t number = atomic_fetch_add(&page->slots_taken, count), end = number + count;
    void *at;

    error = kept_file_map(&session.live_file, REC_LIVE_HEADER_BYTES + (uint64_t)number * REC_LIVE_SLOT_BYTES,
                          (size_t)count * REC_LIVE_SLOT_BYTES, &at);
    if (error) {
        atomic_compare_exchange_strong(&page->slots_taken, &end, number); /* who cannot have it asks again */
        return error;
    }
    /* The parent's buffer is nothing that a forked child should hold. */
    sys_advise(at, (size_t)count * REC_LIVE_SLOT_BYTES, MADV_DONTFORK);
    *ret_first = at;
    return 0;
}

static int take_reserved(uint8_t **ret_slot)
{
    uint32_t number = atomic_fetch_add(&process->reserved_slots_used, 1);

    if (number >= process->reserved_slots) {
        atomic_fetch_sub(&process->reserved_slots_used, 1);
        return -(int)REC_STOP_SANDBOX;
    }
    *ret_slot = process->first_reserved_slot + (size_t)number * REC_LIVE_SLOT_BYTES;
    return 0;
}

int slot_take(struct rec_live_slot **ret_slot)
{
    uint8_t *at;
    int error = sys_forbidden ? -EPERM : map_slots(1, &at);

    if (error == -EPERM && sys_forbidden) /* perhaps since it was looked at */
        error = take_reserved(&at);
    if (error)
        return error;
    *ret_slot = (struct rec_live_slot *)at;
    (*ret_slot)->owner_start = process->guest_start;
    return 0;
}

void slots_reserve(uint32_t wanted)
{
    for (; wanted && !process->reserved_slots; wanted /= 2)
        if (map_slots(wanted, &process->first_reserved_slot) == 0)
            process->reserved_slots = wanted;
}
