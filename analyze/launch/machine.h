/* What recording uses of this machine: the kernel, the clock, and the place where
 * the log is. */
#ifndef MALLOSCOPE_LAUNCH_MACHINE_H
#define MALLOSCOPE_LAUNCH_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

struct machine {
    bool wipes_on_fork; /* MADV_WIPEONFORK, since Linux 4.14: recording needs it */
    bool answers_maps;  /* PROCMAP_QUERY, since Linux 6.11 */
    char clock_source[32];
    unsigned clock_ns;  /* of one clock_gettime */
};

void machine_read(struct machine *ret_machine);

struct disk_place {
    char file_system[16]; /* "ext4"; a hexadecimal number where no name is known */
    bool is_network, is_memory;
    bool allocates;       /* fallocate works; else room is made by writing */
    bool maps;            /* shared mappings work: recording needs them */
    uint64_t free_bytes;  /* for this user */
};

/* fd: of a file that may be written to, an empty one at best. */
void place_read(int fd, struct disk_place *ret_place);

#endif
