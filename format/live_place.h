/* Where a process's live file is: beside the log, LOG.live.PID; or in memory, where a mapping of a
 * file beside the log could fail, which would kill the program (SIGBUS): on file systems that give a
 * page that is written again a new place, for which a full disk has no room, or that are not this machine's own.
 * May be included anywhere. */
#ifndef MALLOSCOPE_FORMAT_LIVE_PLACE_H
#define MALLOSCOPE_FORMAT_LIVE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LIVE_PLACE_MEMORY "/dev/shm/" /* ..., then a name of the session's, then .live.PID as beside a log */
#define LIVE_PLACE_NAME "malloscope."
#define LIVE_PLACE_UNRECORDED ".unrecorded" /* behind the name: the session's unrecorded file */
#define LIVE_PLACE_BYTES (sizeof LIVE_PLACE_NAME + 32)

/* By the log's f_type as statfs() gives it. */
static inline bool live_place_is_memory(uint64_t file_system)
{
    static const uint32_t types[] = {
        0x9123683e /* btrfs */, 0xca451a4e /* bcachefs */, 0x2fc12fc1 /* ZFS */, 0x6969 /* NFS */, 0xff534d42 /* CIFS */,
        0xfe534d42 /* SMB */, 0x00c36400 /* Ceph */, 0x65735546 /* FUSE */,
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i] == (uint32_t)file_system)
            return true;
    return false;
}

static inline void live_place_name(const uint8_t id[16], char ret_name[LIVE_PLACE_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char *at = ret_name + sizeof LIVE_PLACE_NAME - 1;

    memcpy(ret_name, LIVE_PLACE_NAME, sizeof LIVE_PLACE_NAME);
    for (size_t i = 0; i < 16; i++) {
        *at++ = digits[id[i] >> 4];
        *at++ = digits[id[i] & 15];
    }
    *at = 0;
}

#endif
