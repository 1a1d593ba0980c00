#include "analyze/launch/machine.h"

#include "analyze/util.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#define PROBE_BYTES 65536

static bool wipes_on_fork(void)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool can = page != MAP_FAILED && madvise(page, bytes, MADV_WIPEONFORK) == 0;

    if (page != MAP_FAILED)
        munmap(page, bytes);
    return can;
}

static bool answers_maps(void)
{
    /* PROCMAP_QUERY's structure, as linux/fs.h has it since 6.11: size, flags, address, ... */
    uint64_t query[13] = { sizeof query, 0, (uint64_t)(uintptr_t)&wipes_on_fork };
    _cleanup_close_ int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

    return fd >= 0 && ioctl(fd, _IOC(_IOC_READ | _IOC_WRITE, 'f', 17, sizeof query), query) == 0;
}

static unsigned clock_cost_ns(void)
{
    enum { CALLS = 1000, ROUNDS = 5 };
    struct timespec before, now;
    int64_t least = INT64_MAX;

    for (int round = 0; round < ROUNDS; round++) {
        clock_gettime(CLOCK_MONOTONIC, &before);
        for (int i = 0; i < CALLS; i++)
            clock_gettime(CLOCK_MONOTONIC, &now);
        int64_t took = (now.tv_sec - before.tv_sec) * 1000000000 + now.tv_nsec - before.tv_nsec;
        least = took < least ? took : least;
    }
    return (unsigned)(least / CALLS);
}

void machine_read(struct machine *ret_machine)
{
    *ret_machine = (struct machine){ .wipes_on_fork = wipes_on_fork(), .answers_maps = answers_maps(),
                                     .clock_ns = clock_cost_ns() };
    _cleanup_fclose_ FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    if (file && fgets(ret_machine->clock_source, sizeof ret_machine->clock_source, file))
        ret_machine->clock_source[strcspn(ret_machine->clock_source, "\n")] = 0;
}

static void name_file_system(uint32_t type, struct disk_place *p)
{
    static const struct {
        uint32_t type;
        const char *name;
        bool is_network, is_memory;
    } known[] = { /* as statfs(2) has them */
        { 0xef53, "ext4" }, { 0x58465342, "xfs" }, { 0x9123683e, "btrfs" }, { 0x794c7630, "overlay" },
        { 0x2fc12fc1, "zfs" }, { 0xf2f52010, "f2fs" }, { 0xca451a4e, "bcachefs" },
        { 0x01021994, "tmpfs", false, true }, { 0x858458f6, "ramfs", false, true },
        { 0x6969, "nfs", true }, { 0xff534d42, "cifs", true }, { 0xfe534d42, "smb", true }, { 0x517b, "smb", true },
        { 0x01021997, "9p", true }, { 0x00c36400, "ceph", true }, { 0x5346414f, "afs", true },
        { 0x0bd00bd0, "lustre", true }, { 0x47504653, "gpfs", true }, { 0x65735546, "fuse", true },
    };

    snprintf(p->file_system, sizeof p->file_system, "0x%x", type);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].type == type) {
            snprintf(p->file_system, sizeof p->file_system, "%s", known[i].name);
            p->is_network = known[i].is_network;
            p->is_memory = known[i].is_memory;
        }
}

void place_read(int fd, struct disk_place *ret_place)
{
    struct statfs fs;

    *ret_place = (struct disk_place){ 0 };
    if (fstatfs(fd, &fs) == 0) {
        name_file_system((uint32_t)fs.f_type, ret_place);
        ret_place->free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
    }
    ret_place->allocates = fallocate(fd, 0, 0, PROBE_BYTES) == 0;
    void *map = mmap(NULL, PROBE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ret_place->maps = map != MAP_FAILED;
    if (ret_place->maps)
        munmap(map, PROBE_BYTES);
}
