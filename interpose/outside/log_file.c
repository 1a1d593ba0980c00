#include "interpose/outside/log_file.h"

#include "format/chunk.h"
#include "format/live_place.h"
#include "format/output_name.h"
#include "interpose/inside/clock.h"
#include "interpose/inside/slots.h"
#include "interpose/inside/sys.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statfs.h>
#include <sys/utsname.h>

static int make_absolute(char *path, size_t bytes)
{
    static char directory[4096]; /* as below */

    if (path[0] == '/')
        return 0;
    long got = sys_getcwd(directory, sizeof directory);
    if (got < 0)
        return (int)got;
    size_t used = strlen(directory), length = strlen(path);
    if (used + 1 + length + 1 > bytes)
        return -ENAMETOOLONG;
    memmove(path + used + 1, path, length + 1);
    memcpy(path, directory, used);
    path[used] = '/';
    return 0;
}

static int make_log(const char *path)
{
    struct rec_file_header header;
    int error = kept_file_open(&session.log, path, O_RDWR | O_APPEND | O_CREAT | O_EXCL, 0600);

    if (error)
        return error;
    if (sys_call(SYS_getrandom, (long)session.id, sizeof session.id, 0, 0, 0, 0) != (long)sizeof session.id) {
        uint64_t now = clock_realtime_ns(), pid = sys_pid();
        memcpy(session.id, &now, 8);
        memcpy(session.id + 8, &pid, 8);
    }
    memcpy(session.path, path, strlen(path) + 1);
    file_header_make(&header, session.id);
    return kept_file_append(&session.log, &header, sizeof header);
}

/* Opens the session's file at `path`. */
static int join_file(const char *path, const uint8_t id[16])
{
    struct rec_file_header header;
    int error = kept_file_open(&session.log, path, O_RDWR | O_APPEND, 0);

    struct kept_use use;

    if (!error)
        error = kept_file_begin(&session.log, &use);
    if (error)
        return error;
    long got = sys_pread(use.fd, &header, sizeof header, 0);
    kept_file_end(&use);
    if (got == sizeof header && file_header_check(&header) == FILE_HEADER_GOOD &&
        memcmp(header.session, id, sizeof header.session) == 0)
        return 0;
    kept_file_close(&session.log);
    return -EINVAL; /* the file has been replaced by something else */
}

static bool spool_is_open(void)
{
    struct kept_use use;
    uint32_t closed = 1;

    if (kept_file_begin(&session.log, &use) != 0)
        return false;
    sys_pread(use.fd, &closed, sizeof closed, offsetof(struct rec_spool_header, closed));
    kept_file_end(&use);
    return !closed;
}

static int join_log(const struct config *config)
{
    size_t length = strlen(config->output);
    static char spool[sizeof session.path]; /* as below */

    if (length + sizeof ".spool" > sizeof spool)
        return -ENAMETOOLONG;
    memcpy(session.path, config->output, length + 1);
    memcpy(session.id, config->session, sizeof session.id);
    memcpy(spool, config->output, length);
    memcpy(spool + length, ".spool", sizeof ".spool");
    session.spools = join_file(spool, session.id) == 0;
    return session.spools ? 0 : join_file(session.path, session.id);
}

int log_file_confirm(void)
{
    if (!session.spools || spool_is_open())
        return 0;
    kept_file_close(&session.log);
    session.spools = false;
    return join_file(session.path, session.id);
}

int log_file_open(const struct config *config)
{
    static char path[4096]; /* the stack may be a small one; a process is started once */
    struct utsname host;
    uint32_t pid = sys_pid();

    if (config->joins)
        return join_log(config);
    host.nodename[0] = 0;
    if (!sys_careful)
        uname(&host);
    for (uint32_t number = 1;; number++) {
        struct output_name name = { session.exe, host.nodename, pid, number };
        if (!output_name_expand(config->output, &name, path, sizeof path - 16))
            return -EINVAL;
        int error = make_absolute(path, sizeof path - 16);
        if (!error)
            error = make_log(path);
        if (error != -EEXIST)
            return error;
        if (!output_name_is_numbered(config->output)) {
            /* A child with its parent's environment: a log of its own. */
            size_t used = strlen(path);
            snprintf(path + used, sizeof path - used, ".%u", pid);
            return make_log(path);
        }
    }
}

/* Field 22 of /proc/self/stat; the second field may hold spaces and brackets. */
uint64_t log_file_process_began(void)
{
    static char text[1024]; /* the stack may be a small one; a process is started once */
    long fd = sys_open("/proc/self/stat", O_RDONLY, 0), got = fd < 0 ? -1 : sys_read((int)fd, text, sizeof text - 1);
    uint64_t value = 0;

    if (fd >= 0)
        sys_close((int)fd);
    if (got <= 0)
        return 0;
    text[got] = 0;
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    for (at = at ? at + 1 : ""; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    return value;
}

/* A link to "pid:[4026531836]". */
uint64_t log_file_pid_namespace(void)
{
    char text[32];
    long got = sys_readlink("/proc/self/ns/pid", text, sizeof text);
    uint64_t number = 0;

    for (long i = 5; i < got && text[i] >= '0' && text[i] <= '9'; i++)
        number = number * 10 + (uint64_t)(text[i] - '0');
    return number;
}

static bool is_earlier_program(const char *path, uint64_t start_ticks)
{
    struct live_page other;
    long fd = sys_open(path, O_RDONLY, 0);
    long got = fd < 0 ? -1 : sys_read((int)fd, &other, sizeof other);

    if (fd >= 0)
        sys_close((int)fd);
    return got == sizeof other && other.header.process_start == start_ticks && start_ticks &&
           other.pid_namespace == log_file_pid_namespace();
}

/* A forked child that can have no file of its own uses its parent's. */
static int be_guest(uint64_t start_ticks, int error)
{
    if (!session.live)
        return error;
    process->guest_start = start_ticks ? start_ticks : 1;
    return 0;
}

static char *put_number(char *at, unsigned number)
{
    if (number >= 10)
        at = put_number(at, number / 10);
    *at++ = (char)('0' + number % 10);
    return at;
}

/* STEM.live.PID or STEM.live.PID.NUMBER; snprintf takes more than a kilobyte of stack. False: it is too long. */
static bool live_name(const char *stem, uint32_t pid, unsigned number, char *ret_path, size_t bytes)
{
    size_t length = strlen(stem);

    if (length + sizeof ".live.4294967295.4294967295" > bytes)
        return false;
    char *at = put_number((char *)mempcpy(mempcpy(ret_path, stem, length), ".live.", 6), pid);
    if (number) {
        *at++ = '.';
        at = put_number(at, number);
    }
    *at = 0;
    return true;
}

static void memory_stem(const uint8_t id[16], char ret_stem[sizeof LIVE_PLACE_MEMORY + LIVE_PLACE_BYTES])
{
    memcpy(ret_stem, LIVE_PLACE_MEMORY, sizeof LIVE_PLACE_MEMORY);
    live_place_name(id, ret_stem + sizeof LIVE_PLACE_MEMORY - 1);
}

static bool has_earlier(const char *stem)
{
    static char path[4096]; /* the stack may be a small one; a process is started once */
    uint64_t start_ticks = log_file_process_began();
    struct stat st;

    for (unsigned number = 0; live_name(stem, sys_pid(), number, path, sizeof path) && lstat(path, &st) == 0; number++)
        if (is_earlier_program(path, start_ticks))
            return true;
    return false;
}

/* By a reader in another pid namespace, who takes it for what a process has left that was
 * killed before it had written the magic: not any more, now that it is there. */
static bool was_removed(struct kept_file *file)
{
    struct kept_use use;
    int error = kept_file_begin(file, &use);

    if (!error)
        kept_file_end(&use);
    return error == -ESTALE;
}

bool log_file_has_earlier(const char *log, const uint8_t id[16])
{
    static char memory[sizeof LIVE_PLACE_MEMORY + LIVE_PLACE_BYTES]; /* the stack may be a small one */

    memory_stem(id, memory);
    return has_earlier(log) || has_earlier(memory);
}

static uint64_t file_system_of(int fd)
{
    static struct statfs fs; /* as above */

    return sys_call(SYS_fstatfs, fd, (long)&fs, 0, 0, 0, 0) == 0 ? (uint64_t)fs.f_type : 0;
}

/* Opens a new live file and maps its header. */
static int make_live(const char *stem, bool in_memory, uint64_t start_ticks, enum rec_start *ret_start,
                     struct kept_file *file, void **ret_at)
{
    static char path[sizeof file->path];
    int error = in_memory ? 0 : slots_check_room();

    if (error)
        return error;
    error = -EEXIST;
    for (unsigned number = 0; error == -EEXIST; number++) {
        if (!live_name(stem, process->pid, number, path, sizeof path))
            return -ENAMETOOLONG;
        /* Nobody is to write to it but those who have it open: cut short, it would kill them. */
        error = kept_file_open(file, path, O_RDWR | O_CREAT | O_EXCL, sys_careful ? 0600 : 0400); /* 0600: it is opened again */
        if (error == -EEXIST && *ret_start == REC_START_IMAGE && is_earlier_program(path, start_ticks))
            *ret_start = REC_START_EXEC;
    }
    if (error)
        return error;
    /* Says that somebody may still write here: also a forked child that has not begun yet,
     * and will be a guest. */
    sys_lock_shared(file->fd);
    /* The path may lead elsewhere by now: another root, another file system over it. */
    bool is_there = in_memory ? file_system_of(file->fd) == TMPFS_MAGIC : file->device == session.log.device;
    error = is_there ? kept_file_map(file, 0, REC_LIVE_HEADER_BYTES, ret_at) : -EXDEV;
    if (error) {
        sys_unlink(file->path);
        kept_file_close(file);
    }
    return error;
}

/* -ESTALE: once more. */
static int make_live_once(enum rec_start *ret_start)
{
    static struct kept_file file; /* one thread of the process is here */
    static char memory[sizeof LIVE_PLACE_MEMORY + LIVE_PLACE_BYTES]; /* the stack may be a small one */
    uint64_t start_ticks = log_file_process_began();
    struct live_page *page = NULL;
    int error = -EXDEV;
    void *at;

    memory_stem(session.id, memory);
    if (live_place_is_memory(file_system_of(session.log.fd)))
        error = make_live(memory, true, start_ticks, ret_start, &file, &at);
    if (error)
        error = make_live(session.path, false, start_ticks, ret_start, &file, &at);
    if (error)
        return be_guest(start_ticks, error);
    page = at;
    page->header.version = REC_VERSION;
    page->header.pid = process->pid;
    page->header.image = process->image;
    page->header.slot_bytes = REC_LIVE_SLOT_BYTES;
    page->header.process_start = start_ticks;
    page->pid_namespace = log_file_pid_namespace();
    page->header.log_most = session.max_bytes;
    memcpy(page->header.session, session.id, sizeof page->header.session);
    __asm__ volatile("" ::: "memory"); /* of a killed process, the magic means that the rest is there */
    memcpy(page->header.magic, REC_LIVE_MAGIC, sizeof page->header.magic);
    if (was_removed(&file)) {
        sys_unmap(at, REC_LIVE_HEADER_BYTES);
        kept_file_close(&file);
        return -ESTALE;
    }
    if (session.live) { /* the parent's */
        kept_file_close(&session.live_file);
        sys_unmap(session.live, REC_LIVE_HEADER_BYTES);
    }
    kept_file_move(&session.live_file, &file);
    session.live = &page->header;
    return 0;
}

int log_file_make_live(enum rec_start *ret_start)
{
    int error = -ESTALE;

    for (int tries = 0; error == -ESTALE && tries < 5; tries++)
        error = make_live_once(ret_start);
    return error;
}
