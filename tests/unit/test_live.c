/* Live files made by hand beside a log: what is read of them, by whom they are
 * merged and how often, whatever interrupts the merge; and one that a process
 * goes on writing. */
#include "analyze/log/live.h"
#include "analyze/log/reader.h"
#include "analyze/model/facts.h"
#include "tests/unit/log_writer.h"

#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define SLOTS 6
#define IMAGE(pid) (1000u + (pid)) /* as log_writer's chunks have it */

static struct log_bytes bytes;
static struct failure failure;

static struct live_file {
    struct rec_live_header header;
    uint8_t rest_of_page[REC_LIVE_HEADER_BYTES - sizeof(struct rec_live_header)];
    struct {
        struct rec_live_slot head;
        struct rec_chunk_header chunk;
        uint8_t payload[REC_LIVE_SLOT_BYTES - sizeof(struct rec_live_slot) - sizeof(struct rec_chunk_header)];
    } slot[SLOTS];
} live;

static void live_begin(uint32_t pid, uint64_t start)
{
    memset(&live, 0, sizeof live);
    live.header = (struct rec_live_header){ .version = REC_VERSION, .pid = pid, .image = IMAGE(pid),
                                            .process_start = start, .slot_bytes = REC_LIVE_SLOT_BYTES };
    memcpy(live.header.magic, REC_LIVE_MAGIC, 8);
    memcpy(live.header.session, log_session, 16);
}

/* The chunk in the making, as the shim has it in a slot: no length, no checksum. */
static void live_take(size_t slot)
{
    live.slot[slot].chunk = made.header;
    live.slot[slot].chunk.magic = REC_CHUNK_MAGIC;
    live.slot[slot].chunk.header_bytes = sizeof made.header;
    live.slot[slot].head.used_bytes = (uint64_t)(at - made.records);
    memcpy(live.slot[slot].payload, made.records, live.slot[slot].head.used_bytes);
}

static const char *live_path(const char *suffix)
{
    static char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s.live.%s", log_path, suffix);
    return path;
}

static const char *number(uint32_t pid)
{
    static char text[16];
    snprintf(text, sizeof text, "%u", pid);
    return text;
}

static void live_write(const char *suffix)
{
    file_write(live_path(suffix), &live, sizeof live);
}

static bool live_exists(const char *suffix)
{
    return access(live_path(suffix), F_OK) == 0;
}

static size_t live_count(void)
{
    DIR *entries = opendir(directory);
    size_t count = 0;

    for (struct dirent *entry; (entry = readdir(entries));)
        count += strstr(entry->d_name, ".live.") != NULL;
    closedir(entries);
    return count;
}

static off_t log_size(void)
{
    struct stat st;
    return stat(log_path, &st) == 0 ? st.st_size : -1;
}

/* The sizes of all allocations in order, and what was lost, as text. */
static const char *read_log(struct log **ret_log)
{
    static char text[4096];
    struct log *log = NULL;
    struct timed_event e;
    size_t used = 0;

    if (log_open(log_path, &log, &failure) != 0)
        return failure.text;
    struct reader *reader = reader_open(log);
    while (reader_next(reader, &e) == 1 && used < sizeof text - 32)
        if (e.event.type == EVENT_ALLOC)
            used += (size_t)sprintf(text + used, "%u ", (unsigned)e.event.size);
    reader_free(reader);
    struct facts *facts = facts_collect(log, NULL);
    sprintf(text + used, "lost %u missing %u damaged %u", (unsigned)facts->told.lost_events, (unsigned)log->missing_chunks,
            (unsigned)log->damaged_bytes);
    facts_free(facts);
    if (ret_log)
        *ret_log = log;
    else
        log_free(log);
    return text;
}

static bool reads(const char *wanted)
{
    const char *got = read_log(NULL);

    if (strcmp(got, wanted) != 0)
        printf("    read: %.200s\n", got);
    return strcmp(got, wanted) == 0;
}

/* The pid of nobody. */
static uint32_t dead_pid(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    return (uint32_t)pid;
}

static uint64_t start_of(pid_t pid)
{
    char path[64], text[1024] = "";
    uint64_t start = 0;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    size_t got = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[got] = 0;
    const char *after_name = strrchr(text, ')');
    CHECK(after_name && sscanf(after_name + 2, "%*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu",
                               &start) == 1);
    return start;
}

#define WHOLE "1 2 3 4 5 6 lost 5 missing 0 damaged 0"

/* A log with chunks of two streams, and the live file of their process with the
 * next ones, and all that a slot can have besides. */
static void make_pair(uint32_t pid)
{
    directory_remove_files();
    live_begin(pid, 1);
    live.header.lost_events = 5;
    log_bytes_begin(&bytes);
    chunk_begin(pid, 0, 0, 100);
    add_malloc(101, 0x10, 1);
    chunk_end(&bytes);
    chunk_begin(pid, 1, 0, 200);
    add_malloc(201, 0x20, 2);
    chunk_end(&bytes);
    live_take(1); /* killed before its slot was emptied: there twice */
    chunk_begin(pid, 0, 1, 300);
    add_malloc(301, 0x30, 3);
    add_malloc(302, 0x40, 4);
    live_take(0);
    chunk_begin(pid, 3, 0, 400);
    add_malloc(401, 0x50, 5);
    live_take(3);
    live.slot[2] = live.slot[3]; /* emptied */
    live.slot[2].head.used_bytes = 0;
    live.slot[4] = live.slot[3]; /* of another process */
    live.slot[4].chunk.image++;
    chunk_begin(pid, 5, 0, 500);
    add_malloc(501, 0x60, 6);
    live_take(5);
    log_bytes_write(&bytes);
    live_write(number(pid));
}

static void test_reading(uint32_t pid)
{
    struct log *log;

    make_pair(pid);
    CHECK(strcmp(read_log(&log), WHOLE) == 0);
    CHECK(log->live_count == 1 && !log->lives[0].running && log->process_count == 1 && log->stream_count == 4);
    CHECK(log->recovered_bytes == live.slot[0].head.used_bytes + live.slot[3].head.used_bytes + live.slot[5].head.used_bytes);
    CHECK(log->recovered_bytes == log->lives[0].recovered_bytes && log->lost_events == 5);
    log_free(log);
    CHECK(log_size() == (off_t)bytes.count && live_exists(number(pid)));

    /* By a name without a directory. */
    char before[PATH_MAX], path[] = "log";
    CHECK(getcwd(before, sizeof before) && chdir(directory) == 0);
    CHECK(log_open(path, &log, &failure) == 0 && log->live_count == 1 && live_adopt(path) == 0);
    log_free(log);
    CHECK(chdir(before) == 0 && live_count() == 0 && reads(WHOLE));
}

static void test_adoption(uint32_t pid)
{
    make_pair(pid);
    CHECK(live_adopt(log_path) == 0 && live_count() == 0);
    off_t size = log_size();
    CHECK(size > (off_t)bytes.count && reads(WHOLE));
    CHECK(live_adopt(log_path) == 0 && log_size() == size && reads(WHOLE));

    /* Once more, by whoever finds the file again. */
    live_write(number(pid));
    CHECK(reads(WHOLE) && live_adopt(log_path) == 0 && live_count() == 0 && reads(WHOLE));

    /* One of an earlier program of the process, one of an earlier process. */
    make_pair(pid);
    live.header.image = live.slot[0].chunk.image = 77;
    live.header.lost_events = 2;
    live.slot[0].chunk.sequence = 0;
    live_write("4.1");
    live.header.image = live.slot[0].chunk.image = 78;
    char name[32];
    snprintf(name, sizeof name, "%u.0", pid);
    live_write(name);
    const char *all = "1 2 3 3 3 4 4 4 5 6 lost 9 missing 0 damaged 0";
    CHECK(reads(all) && live_adopt(log_path) == 0 && live_count() == 0 && reads(all));
}

/* A merge while the process still filled the slot, for want of knowing it: the
 * chunk is in the log with less than the slot has. */
static void test_longer(uint32_t pid)
{
    make_pair(pid);
    chunk_begin(pid, 0, 1, 300);
    add_malloc(301, 0x30, 3);
    chunk_end(&bytes);
    log_bytes_write(&bytes);
    CHECK(reads(WHOLE) && live_adopt(log_path) == 0 && reads(WHOLE));
}

/* Killed at any byte of what a merge writes; then opened, then merged again. */
static void test_interruption(uint32_t pid)
{
    static char log[1 << 16];
    char claimed[32];
    bool right = true;

    make_pair(pid);
    snprintf(claimed, sizeof claimed, "%u.0", pid);
    CHECK(live_adopt(log_path) == 0);
    int fd = open(log_path, O_RDONLY | O_CLOEXEC);
    ssize_t count = read(fd, log, sizeof log);
    close(fd);
    for (size_t cut = bytes.count; cut <= (size_t)count && right; cut++) {
        file_write(log_path, log, cut);
        live_write(claimed);
        const char *got = read_log(NULL);
        right = strcmp(got, WHOLE) == 0;
        right = right && live_adopt(log_path) == 0 && live_count() == 0;
        got = right ? read_log(NULL) : got;
        right = right && strcmp(got, WHOLE) == 0;
        if (!right)
            printf("    at %zu: %s\n", cut, got);
    }
    CHECK(right);
}

/* For the copy of what the log ends with: it is as if nobody had tried. */
static void merge_without_room(uint32_t pid, const char *before)
{
    struct rlimit limit = { bytes.count + 30, RLIM_INFINITY };
    int status = -1;

    log_bytes_write(&bytes);
    live_write(number(pid));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(live_adopt(log_path) == 0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(log_size() == (off_t)bytes.count && live_count() == 1 && reads(before));
    CHECK(live_adopt(log_path) == 0 && live_count() == 0 && reads(before));
}

/* The log ends amid a chunk of another process: what it has of it counts, before a merge and after it, wherever that is killed. */
static void test_torn_end(uint32_t pid)
{
    static char log[1 << 16];
    char before[4096], claimed[32];
    bool right = true;

    snprintf(claimed, sizeof claimed, "%u.0", pid);
    for (size_t lacks = 1; lacks < 30 && right; lacks++) {
        make_pair(pid);
        chunk_begin(9, 0, 0, 50);
        add_malloc(51, 0x70, 7);
        add_malloc(52, 0x80, 8);
        add_malloc(53, 0x90, 9);
        chunk_end(&bytes);
        if (lacks >= made.header.payload_bytes)
            break;
        bytes.count -= lacks;
        log_bytes_write(&bytes);
        strcpy(before, read_log(NULL));
        CHECK(lacks != 1 || strncmp(before, "7 8 1 2 3 4 5 6 lost 5 missing 0 damaged ", 41) == 0);
        CHECK(live_adopt(log_path) == 0 && live_count() == 0 && reads(before));
        off_t size = log_size();
        CHECK(live_adopt(log_path) == 0 && log_size() == size);
        if (lacks % 8 == 1)
            merge_without_room(pid, before);
        int fd = open(log_path, O_RDONLY | O_CLOEXEC);
        ssize_t count = read(fd, log, sizeof log);
        close(fd);
        /* But for a piece of a header, which would be taken for more of what is torn. */
        for (size_t cut = bytes.count; cut <= (size_t)count && right; cut += cut == bytes.count ? sizeof made.header : 1) {
            file_write(log_path, log, cut);
            live_write(claimed);
            for (int merged = 0; merged < 2 && right; merged++) {
                const char *got = read_log(NULL);
                right = strncmp(got, before, strlen(before) - 3) == 0 && (!merged || live_count() == 0);
                if (!right)
                    printf("    lacks %zu, at %zu of %zu, merged %d: %s, not %s\n", lacks, cut, bytes.count, merged, got, before);
                right = right && (merged || live_adopt(log_path) == 0);
            }
        }
    }
    CHECK(right);
}

/* What `record` appends at its end hides nothing of it. */
static void test_torn_end_of_session(uint32_t pid)
{
    char before[4096];

    make_pair(pid);
    chunk_begin(9, 0, 0, 50);
    add_malloc(51, 0x70, 7);
    add_malloc(52, 0x80, 8);
    chunk_end(&bytes);
    bytes.count--;
    log_bytes_write(&bytes);
    strcpy(before, read_log(NULL));
    CHECK(strncmp(before, "7 1 2 3 ", 8) == 0);
    chunk_begin(0, 0, REC_SESSION_END, 700);
    made.header.type = REC_CHUNK_SESSION;
    chunk_end(&bytes);
    log_bytes_write(&bytes);
    CHECK(reads(before) && live_adopt(log_path) == 0 && live_count() == 0 && reads(before));
}

static void test_running(void)
{
    uint32_t pid = (uint32_t)getpid();
    uint64_t start = start_of(getpid());
    struct log *log;

    make_pair(pid);
    live.header.process_start = start;
    live_write(number(pid));
    CHECK(live_is_running(&live.header));
    CHECK(live_adopt(log_path) == 0 && live_exists(number(pid)) && log_size() == (off_t)bytes.count);
    CHECK(strcmp(read_log(&log), WHOLE) == 0 && log->live_count == 1 && log->lives[0].running);

    /* The log has been opened; what its process does then is for the next one. */
    struct live_file later = live;
    later.slot[0].chunk.sequence = 2;
    memset(later.slot[0].payload, 0xff, 100);
    file_write(live_path(number(pid)), &later, sizeof later.header);
    struct reader *reader = reader_open(log);
    struct timed_event e;
    uint64_t last = 0;
    const char *reason;
    while (reader_next(reader, &e) == 1)
        last = e.event.size;
    CHECK(last == 6 && reader_bad_chunks(reader, &last, &reason) == 0);
    reader_free(reader);
    log_free(log);

    /* The log ends within a chunk: that is being written. */
    live_write(number(pid));
    chunk_begin(pid, 0, 2, 600);
    add_malloc(601, 0x70, 7);
    add_malloc(602, 0x80, 8);
    chunk_seal(&made.header, (uint32_t)(at - made.records));
    log_bytes_add(&bytes, &made, 70);
    log_bytes_write(&bytes);
    CHECK(reads("1 2 3 4 5 6 7 lost 5 missing 0 damaged 0")); /* its first record is whole */

    char name[16] = "";
    prctl(PR_GET_NAME, name);
    CHECK(prctl(PR_SET_NAME, "a) Z 1\n(b") == 0 && live_is_running(&live.header));
    CHECK(prctl(PR_SET_NAME, "\n\n\n") == 0 && live_is_running(&live.header));
    prctl(PR_SET_NAME, name);
    live.header.process_start = 0; /* unknown: it may be this one */
    live_write(number(pid));
    CHECK(live_adopt(log_path) == 0 && live_exists(number(pid)));
    live.header.process_start = start + 1; /* the pid is another one's now */
    live_write(number(pid));
    CHECK(!live_is_running(&live.header) && live_adopt(log_path) == 0 && !live_exists(number(pid)));
    CHECK(reads("1 2 3 4 5 6 7 lost 5 missing 0 damaged 70"));

    /* Dead, but nobody has waited for it. */
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    siginfo_t info;
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    make_pair((uint32_t)child);
    live.header.process_start = start_of(child);
    live_write(number((uint32_t)child));
    CHECK(!live_is_running(&live.header) && live_adopt(log_path) == 0 && live_count() == 0 && reads(WHOLE));
    waitpid(child, NULL, 0);
}

/* A process whose stream goes on in another slot, and a forked child that is a guest
 * in its file. */
static void make_shared(uint32_t pid, uint32_t guest, uint64_t guest_start)
{
    make_pair(pid);
    live.slot[4].head.used_bytes = 0; /* two slots are left: one for what follows in stream 5 ... */
    chunk_begin(pid, 5, 1, 600);
    add_malloc(601, 0x70, 7);
    live_take(2);
    chunk_begin(guest, 0, 0, 700); /* ... and the guest's */
    add_malloc(701, 0x80, 8);
    live_take(4);
    live.slot[4].head.owner_start = guest_start;
    live_write(number(pid));
}

#define SHARED "1 2 3 4 5 6 7 8 lost 5 missing 0 damaged 0"

static void test_guests(uint32_t pid)
{
    uint32_t mine = (uint32_t)getpid();
    uint64_t start = start_of(getpid());
    struct log *log = NULL;

    make_shared(pid, mine, start); /* its process has ended, its guest has not */
    CHECK(strcmp(read_log(&log), SHARED) == 0 && log->process_count == 2 && log_is_running(log) && !log->cut_processes);
    log_free(log);
    CHECK(live_adopt(log_path) == 0 && live_exists(number(pid)) && reads(SHARED));
    live_discard(log_path);
    CHECK(live_exists(number(pid)));
    make_shared(pid, mine, 1); /* unknown: whoever has this pid */
    CHECK(live_adopt(log_path) == 0 && live_exists(number(pid)));

    make_shared(pid, mine, start + 1); /* another one's pid by now */
    CHECK(live_adopt(log_path) == 0 && live_count() == 0);
    CHECK(strcmp(read_log(&log), SHARED) == 0 && log->process_count == 2 && !log->cut_processes);
    for (size_t i = 0; i < log->process_count; i++)
        CHECK(log->processes[i].summed_up && log->processes[i].expected_chunks == (log->processes[i].pid == mine ? 1 : 6));
    log_free(log);

    /* A child that will be a guest has it open, and locked. */
    make_shared(pid, mine, start + 1);
    int fd = open(live_path(number(pid)), O_RDWR | O_CLOEXEC);
    CHECK(flock(fd, LOCK_SH) == 0 && live_adopt(log_path) == 0 && live_exists(number(pid)) && reads(SHARED));
    close(fd);
    CHECK(live_adopt(log_path) == 0 && live_count() == 0 && reads(SHARED));
}

/* Files with such names that are none of ours stay, and are not read. */
static void test_foreign(uint32_t pid)
{
    char target[PATH_MAX + 64];

    make_pair(pid);
    live.header.session[3] ^= 1;
    live_write("1");
    live.header.session[3] ^= 1;
    live.header.version = 2;
    live_write("2");
    live.header.version = 1;
    live.header.magic[7] = 0;
    live_write("3");
    live.header.magic[7] = '\n';
    live.header.slot_bytes = 4096;
    live_write("4");
    file_write(live_path("5"), "", 0);
    file_write(live_path("6"), &live, 63);
    live.header.slot_bytes = REC_LIVE_SLOT_BYTES;
    live_write("x");
    live_write("7x");
    live_write("7.part");
    CHECK(mkfifo(live_path("8"), 0600) == 0 && mkdir(live_path("9"), 0700) == 0);
    snprintf(target, sizeof target, "%s", live_path(number(pid)));
    CHECK(symlink(target, live_path("10")) == 0);
    size_t count = live_count();
    CHECK(count == 13 && reads(WHOLE) && live_adopt(log_path) == 0 && live_count() == count - 1 && reads(WHOLE));
    CHECK(rmdir(live_path("9")) == 0);

    /* No log, nobody's log: nothing is touched. */
    make_pair(pid);
    CHECK(truncate(log_path, 63) == 0 && live_adopt(log_path) == -EINVAL && live_count() == 1);
    CHECK(unlink(log_path) == 0 && live_adopt(log_path) == -ENOENT && live_count() == 1);
}

/* Somebody cuts a live file short: what is there of it counts, and that something is missing is said. */
static void test_cut(uint32_t pid)
{
    const off_t slot_0 = REC_LIVE_HEADER_BYTES, slot_5 = (off_t)offsetof(struct live_file, slot[5]),
                head = (off_t)(sizeof live.slot[0].head + sizeof live.slot[0].chunk);
    make_pair(pid);
    const off_t one_record = (off_t)live.slot[0].head.used_bytes - 1;
    const struct { off_t bytes; const char *wanted; } cuts[] = {
        { sizeof live - 1, "1 2 3 4 5 6 lost 5 missing 1 damaged 0" },
        { slot_5 + head + 1, "1 2 3 4 5 lost 5 missing 1 damaged 0" },
        { slot_5 + 9, "1 2 3 4 5 lost 5 missing 1 damaged 0" },
        { slot_0 + head + one_record, "1 2 3 lost 5 missing 1 damaged 0" },
        { slot_0 - 1, "1 2 lost 5 missing 1 damaged 0" },
    };

    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        make_pair(pid);
        CHECK(truncate(live_path(number(pid)), cuts[i].bytes) == 0 && reads(cuts[i].wanted));
        CHECK(live_adopt(log_path) == 0 && live_count() == 0 && reads(cuts[i].wanted));
    }
    make_pair(pid); /* cut, and as long as before: zeros are no events */
    live.slot[0].head.used_bytes += 1000;
    live_write(number(pid));
    for (int adopted = 0; adopted < 2; adopted++) {
        struct log *log;
        const char *reason;
        uint64_t offset;
        CHECK(strcmp(read_log(&log), WHOLE) == 0);
        struct reader *reader = reader_open(log);
        struct timed_event e;
        while (reader_next(reader, &e) == 1)
            continue;
        CHECK(reader_bad_chunks(reader, &offset, &reason) == 1 && strcmp(reason, "zeros in place of records") == 0);
        reader_free(reader);
        log_free(log);
        CHECK(live_adopt(log_path) == 0);
    }
}

static void test_damaged(uint32_t pid)
{
    make_pair(pid);
    live.slot[3].head.used_bytes = sizeof live.slot[3].payload + 1;
    live.slot[5].head.used_bytes = UINT64_MAX;
    live.slot[0].chunk.magic = 0;
    live_write(number(pid));
    CHECK(reads("1 2 lost 5 missing 0 damaged 0") && live_adopt(log_path) == 0 && reads("1 2 lost 5 missing 0 damaged 0"));

    make_pair(pid); /* the disk was full: the last slot is not all there, and has nothing */
    memset(&live.slot[5], 0, sizeof live.slot[5]);
    live_write(number(pid));
    CHECK(truncate(live_path(number(pid)), sizeof live - 1) == 0);
    CHECK(reads("1 2 3 4 5 lost 5 missing 0 damaged 0") && live_adopt(log_path) == 0 && reads("1 2 3 4 5 lost 5 missing 0 damaged 0"));

    make_pair(pid); /* the payload is nonsense: all before it counts */
    memset(live.slot[0].payload + live.slot[0].head.used_bytes, 0xff, 2000);
    live.slot[0].head.used_bytes += 2000;
    size_t used = live.slot[3].head.used_bytes, room = sizeof live.slot[3].payload;
    memset(live.slot[3].payload + used, 0xff, room - used);
    live.slot[3].head.used_bytes = room;
    live_write(number(pid));
    CHECK(reads(WHOLE) && live_adopt(log_path) == 0 && reads(WHOLE));
}

/* Where files cannot be removed the log is not made longer at every look. */
static void test_no_permission(uint32_t pid)
{
    bool is_root = geteuid() == 0;

    make_pair(pid);
    CHECK(chmod(log_path, 0666) == 0 && chmod(live_path(number(pid)), 0444) == 0 && chmod(directory, 0555) == 0);
    if (is_root && seteuid(65534) != 0)
        is_root = false;
    off_t size = log_size();
    CHECK(live_adopt(log_path) == -EACCES && log_size() == size && reads(WHOLE));
    if (is_root)
        CHECK(seteuid(0) == 0);
    CHECK(chmod(directory, 0700) == 0 && live_adopt(log_path) == 0 && live_count() == 0 && reads(WHOLE));
}

/* --- a process that goes on ------------------------------------------------ */

static void publish(struct live_file *mapped, const uint8_t *end)
{
    __atomic_store_n(&mapped->slot[0].head.used_bytes, (uint64_t)(end - mapped->slot[0].payload), __ATOMIC_RELEASE);
}

/* Does what interpose/inside/context.c does: allocations of 0, 1, 2, ... bytes. */
static void write_for_ever(void)
{
    int log = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC), fd = open(live_path("1"), O_RDWR | O_CLOEXEC);
    struct live_file *mapped = mmap(NULL, sizeof live, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct rec_chunk_header *chunk = &mapped->slot[0].chunk;
    uint64_t next = 0;

    for (uint32_t sequence = 0;; sequence++) {
        struct encoder e;
        uint8_t *end = mapped->slot[0].payload;
        publish(mapped, end);
        *chunk = (struct rec_chunk_header){ .magic = REC_CHUNK_MAGIC, .type = REC_CHUNK_EVENTS,
                                            .flags = REC_CHUNK_TICKS_ARE_NS, .header_bytes = sizeof *chunk, .pid = mapped->header.pid,
                                            .image = mapped->header.image, .sequence = sequence, .ticks = next, .clock_ns = next };
        encoder_begin(&e, next);
        /* Small chunks, so that there are many ends of one. */
        while (end - mapped->slot[0].payload < 3000) {
            end = encode_alloc(&e, end, REC_ALLOC_MALLOC, 16 * next, next, next, 0, 0, &(struct encode_stack){ 0 });
            next++;
            publish(mapped, end);
        }
        size_t whole = chunk_seal(chunk, (uint32_t)(end - mapped->slot[0].payload));
        if (write(log, chunk, whole) != (ssize_t)whole)
            _exit(1);
    }
}

static void test_while_running(void)
{
    size_t opened = 0;
    bool right = true;

    directory_remove_files();
    log_bytes_begin(&bytes);
    log_bytes_write(&bytes);
    fflush(stdout);
    int go[2];
    CHECK(pipe(go) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        if (read(go[0], &byte, 1) == 1)
            write_for_ever();
        _exit(1);
    }
    live_begin((uint32_t)pid, start_of(pid));
    live_write("1");
    CHECK(write(go[1], "", 1) == 1);
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        struct log *log = NULL;
        struct timed_event e;
        const char *reason;
        uint64_t wanted = 0, offset;
        right = live_adopt(log_path) == 0 && log_open(log_path, &log, &failure) == 0;
        struct reader *reader = right ? reader_open(log) : NULL;
        for (; right && reader_next(reader, &e) == 1; wanted++)
            right = e.event.size == wanted && e.event.address == 16 * wanted && e.ns == wanted;
        right = right && log->missing_chunks == 0 && log->damage_count == 0 && log->damaged_bytes == 0 &&
                reader_bad_chunks(reader, &offset, &reason) == 0 && log->live_count == 1 && log->lives[0].running;
        if (!right && log)
            printf("    after %lu events, %lu chunks missing, %zu damages\n", (unsigned long)wanted,
                   (unsigned long)log->missing_chunks, log->damage_count);
        reader_free(reader);
        log_free(log);
        opened++;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (right && (now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < 1000 && log_size() < 64 << 20);
    CHECK(right && opened > 1 && live_count() == 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    CHECK(live_adopt(log_path) == 0 && live_count() == 0);
    struct log *log = NULL;
    CHECK(log_open(log_path, &log, &failure) == 0 && log->missing_chunks == 0);
    log_free(log);
    close(go[0]);
    close(go[1]);
}

/* A child that nobody has waited for. */
static pid_t make_zombie(void)
{
    siginfo_t info;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    return child;
}

/* Killed while it made its live file: nothing can be in it. */
static void test_unborn(uint32_t pid)
{
    static const char header[REC_LIVE_HEADER_BYTES + 1];
    const struct timespec long_ago[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
    uint32_t mine = (uint32_t)getpid();
    pid_t zombie = make_zombie();
    char name[20];

    for (int discard = 0; discard < 2; discard++) {
        log_bytes_begin(&bytes);
        log_bytes_write(&bytes);
        file_write(live_path(number(pid)), "", 0);
        live_begin(pid, 1);
        memset(live.header.magic, 0, 8);
        snprintf(name, sizeof name, "%u.1", pid);
        file_write(live_path(name), &live, REC_LIVE_HEADER_BYTES);
        file_write(live_path(number((uint32_t)zombie)), "", 0);
        snprintf(name, sizeof name, "%u.3", mine);
        file_write(live_path(name), "", 0); /* of an earlier process with this pid */
        CHECK(utimensat(AT_FDCWD, live_path(name), long_ago, 0) == 0);
        snprintf(name, sizeof name, "%u.4", pid);
        file_write(live_path(name), "", 0); /* somebody has it: a thread of whom /proc tells that he has ended, say */
        int locked = open(live_path(name), O_RDWR | O_CLOEXEC);
        CHECK(flock(locked, LOCK_SH) == 0);
        file_write(live_path(number(mine)), header, REC_LIVE_HEADER_BYTES); /* is being made */
        snprintf(name, sizeof name, "%u.2", pid);
        file_write(live_path(name), header, sizeof header); /* not ours */
        if (discard)
            live_discard(log_path);
        else
            CHECK(live_adopt(log_path) == 0);
        CHECK(live_count() == 3 && live_exists(name) && live_exists(number(mine)));
        close(locked);
        directory_remove_files();
    }
    waitpid(zombie, NULL, 0);
}

int main(void)
{
    uint32_t pid = dead_pid();

    directory_make();
    test_reading(pid);
    test_adoption(pid);
    test_longer(pid);
    test_interruption(pid);
    test_torn_end(pid);
    test_torn_end_of_session(pid);
    test_running();
    test_guests(pid);
    test_foreign(pid);
    test_cut(pid);
    test_damaged(pid);
    test_no_permission(pid);
    test_while_running();
    directory_remove_files();
    test_unborn(pid);
    free(bytes.data);
    directory_remove();
    return check_summary();
}
