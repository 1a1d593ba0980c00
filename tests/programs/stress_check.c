/* stress_check TRUTH LOG: compares what stress has kept of itself with what the log has. Of each thread, all
 * that was done must be in the log, in its order, and what was announced may be. What else is in the log must
 * be libc's or the loader's: by the stack, or where there are none by the size; frees by what they free.
 * Prints each difference, then 'N events, N told, N in flight, N others, N processes'; exit status 1 for differences. */
#include "kept_truth.h"

#include "analyze/log/reader.h"
#include "analyze/model/code.h"
#include "analyze/model/stacks.h"
#include "format/record.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LATE_NS 20000 /* a free's stamp may be earlier than its block's, if another thread allocated that */
#define SHOWN 20

static const struct log *the_log;
static unsigned differences;
static uint64_t event_count, told_count, flight_count, other_count;

/* --- what was told --------------------------------------------------------- */

struct told {
    uint32_t pid, tid, level, part; /* of a part, the image's place among those of the same pid and tid */
    const struct kept_event **events;
    size_t count, capacity, at;
};

static struct told *told;
static size_t told_lists, told_capacity;
static uint32_t *first_told, *next_told; /* hash of (pid, tid) -> list; of a list, the next one of its hash */
#define TOLD_HASHES 65536u

static uint32_t told_hash(uint32_t pid, uint32_t tid)
{
    return (uint32_t)(((uint64_t)pid << 32 | tid) * 0x9e3779b97f4a7c15ull >> 48);
}

static struct told *find_told(uint32_t pid, uint32_t tid, uint32_t level, bool make)
{
    uint32_t *at = &first_told[told_hash(pid, tid)];

    for (; *at; at = &next_told[*at - 1])
        if (told[*at - 1].pid == pid && told[*at - 1].tid == tid && told[*at - 1].level == level)
            return &told[*at - 1];
    if (!make)
        return NULL;
    size_t capacity = told_capacity;
    *at = (uint32_t)told_lists + 1;
    told = grow(told, &told_capacity, told_lists + 1, sizeof *told);
    next_told = grow(next_told, &capacity, told_lists + 1, sizeof *next_told);
    told[told_lists] = (struct told){ .pid = pid, .tid = tid, .level = level };
    return &told[told_lists++];
}

static void read_truth(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    const struct kept_header *header = fd < 0 ? MAP_FAILED : mmap(NULL, KEPT_BYTES, PROT_READ, MAP_SHARED, fd, 0);

    if (header == MAP_FAILED) {
        printf("%s: cannot be read\n", path);
        exit(2);
    }
    uint32_t count = atomic_load(&((struct kept_header *)(uintptr_t)header)->pieces);
    for (uint32_t i = 1; i < count && i < KEPT_PIECES; i++) {
        const struct kept_piece *piece = (const struct kept_piece *)header + i;
        struct told *list = NULL; /* of a piece without events, pid and tid may not be there yet */
        for (unsigned k = 0; k < KEPT_PIECE_EVENTS; k++) {
            if (!piece->events[k].state)
                continue; /* not written yet; or the thread was cancelled while it announced, and went on behind it */
            list = list ? list : find_told(piece->pid, piece->tid, piece->level, true);
            list->events = grow(list->events, &list->capacity, list->count + 1, sizeof *list->events);
            list->events[list->count++] = &piece->events[k];
        }
    }
}

/* --- what is the system's -------------------------------------------------- */

/* By process: the blocks that are not the program's. */
struct others {
    uint64_t *addresses; /* hash; low bit: is live. Those that were are kept: a child may free them */
    size_t count, capacity;
    bool forked; /* has what another process had */
};

static struct others *others;

static uint64_t *place_of(struct others *o, uint64_t address)
{
    size_t at = (size_t)(address * 0x9e3779b97f4a7c15ull >> 20) & (o->capacity - 1);

    while (o->addresses[at] && (o->addresses[at] & ~1ull) != address)
        at = (at + 1) & (o->capacity - 1);
    return &o->addresses[at];
}

static void others_add(struct others *o, uint64_t address)
{
    if (o->count * 2 >= o->capacity) {
        struct others old = *o;
        *o = (struct others){ .capacity = old.capacity ? old.capacity * 2 : 64, .forked = old.forked, .count = old.count };
        o->addresses = alloc_zeroed(o->capacity, sizeof *o->addresses);
        for (size_t i = 0; i < old.capacity; i++)
            if (old.addresses[i])
                *place_of(o, old.addresses[i] & ~1ull) = old.addresses[i];
        free(old.addresses);
    }
    uint64_t *place = place_of(o, address);
    o->count += !*place;
    *place = address | 1;
}

/* False: no block of the system was there. */
static bool others_remove(uint32_t process, uint64_t address)
{
    struct others *o = &others[process];
    uint64_t *place = o->capacity ? place_of(o, address) : NULL;

    if (place && *place & 1) {
        *place &= ~1ull;
        return true;
    }
    /* Of a parent that has ended before, the log does not tell. */
    for (size_t i = 0; o->forked && i < the_log->process_count; i++) {
        place = others[i].capacity && the_log->processes[i].image < the_log->processes[process].image
                    ? place_of(&others[i], address) : NULL;
        if (place && *place)
            return true;
    }
    return false;
}

struct early_free {
    uint32_t process;
    uint64_t address, ns;
};

static struct early_free *early;
static size_t early_count, early_capacity;

/* --- the comparison -------------------------------------------------------- */

static struct code code;
static struct stacks stacks;
static uint32_t *tids; /* by stream */

static void differ(uint32_t pid, uint32_t tid, const char *what, unsigned kind, unsigned function, uint64_t address, uint64_t size)
{
    static const char *const kinds[] = { "", " free", " begin", " end", " failed", " freed", " failed" };

    if (++differences <= SHOWN)
        printf("%u %u: %s: %s%s %#" PRIx64 " %" PRIu64 "\n", pid, tid, what, rec_function_name(function),
               kinds[kind % 7], address, size);
}

static bool is_event(const struct kept_event *k, const struct event *e)
{
    static const uint8_t kinds[] = { [KEPT_ALLOC] = EVENT_ALLOC, [KEPT_FREE] = EVENT_FREE,
                                     [KEPT_REALLOC_BEGIN] = EVENT_REALLOC_BEGIN, [KEPT_REALLOC_END] = EVENT_REALLOC_END };

    if (e->type != kinds[k->kind])
        return false;
    if (k->kind != KEPT_REALLOC_BEGIN && k->function != e->function)
        return false;
    if (k->kind == KEPT_ALLOC || k->kind == KEPT_REALLOC_END) {
        if (k->size != e->size || (k->alignment ? 1ull << k->alignment : 0) != e->alignment)
            return false;
        return k->state == KEPT_ANNOUNCED || k->address == e->address;
    }
    return k->address == e->address;
}

/* What was announced only may be missing: before what the thread did then, as in a destructor. Where that is
 * of the same size, its address tells: of what is still allocated no other block has it. */
static bool take(struct told *list, const struct event *e)
{
    size_t done = list->at, at = list->at;

    while (done < list->count && list->events[done]->state != KEPT_DONE)
        done++;
    if (done < list->count && is_event(list->events[done], e))
        at = done;
    while (at < done && !is_event(list->events[at], e))
        at++;
    if (at == list->count || !is_event(list->events[at], e))
        return false;
    list->at = at + 1;
    flight_count += at < done;
    return true;
}

/* A handler's first: while it is at work what it interrupted does nothing, and then the handler's next event, a
 * malloc of its own size, fits nothing of another level. The other way round a free that is still to come would fit. */
static bool was_told(uint32_t pid, uint32_t tid, const struct event *e)
{
    for (uint32_t level = KEPT_LEVELS; level-- > 0;) {
        struct told *list = find_told(pid, tid, level, false);
        if (list && take(list, e))
            return true;
    }
    return false;
}

static bool is_system(uint32_t node, uint64_t size)
{
    static const char *const names[] = { "ld-linux", "libc.so", "libc-2", "libpthread", "libdl", "libgcc_s" };

    if (stack_is_root(&stacks, node))
        return !KEPT_IS_SIZE(size);
    const struct code_location *place = &code.locations[code_location(&code, stacks.nodes[node].pc)];
    const char *path = code.files[place->file].path, *slash = strrchr(path, '/');
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(slash ? slash + 1 : path, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* An event that the program knows nothing of. */
static void take_other(uint32_t process, uint32_t pid, uint32_t tid, const struct event *e, uint64_t ns, uint32_t node)
{
    other_count++;
    switch (e->type) {
    case EVENT_ALLOC:
    case EVENT_REALLOC_END:
        if (!is_system(node, e->size)) {
            differ(pid, tid, "invented", e->type, e->function, e->address, e->size);
            return;
        }
        for (size_t i = 0; i < early_count; i++)
            if (early[i].process == process && early[i].address == e->address) {
                early[i] = early[--early_count];
                return;
            }
        others_add(&others[process], e->address);
        return;
    case EVENT_FREE:
    case EVENT_REALLOC_BEGIN:
        if (others_remove(process, e->address))
            return;
        early = grow(early, &early_capacity, early_count + 1, sizeof *early);
        early[early_count++] = (struct early_free){ process, e->address, ns };
        return;
    default:
        differ(pid, tid, "invented", e->type, e->function, 0, e->size);
    }
}

static void end_early(uint64_t ns)
{
    for (size_t i = 0; i < early_count;) {
        if (early[i].ns + LATE_NS > ns) {
            i++;
            continue;
        }
        differ(the_log->processes[early[i].process].pid, 0, "invented, of no block of the system's", EVENT_FREE, REC_FN_FREE,
               early[i].address, 0);
        early[i] = early[--early_count];
    }
}

static void read_code(void)
{
    struct reader *reader = reader_open(the_log);
    struct timed_event e;

    code_init(&code);
    while (reader_next(reader, &e)) {
        if (e.event.type != EVENT_OTHER)
            continue;
        code_take(&code, e.process, &e.event, e.ns);
        if (e.event.other == REC_PROCESS_START)
            others[e.process].forked |= e.event.process.start == REC_START_FORK;
    }
    reader_free(reader);
}

static void compare(void)
{
    struct stack_path *paths = alloc_zeroed(the_log->stream_count + 1, sizeof *paths);
    struct reader *reader = reader_open(the_log);
    struct timed_event t;
    uint64_t bad_offset;
    const char *reason;

    stacks.code = &code;
    uint32_t root = stacks_root(&stacks, 0);
    for (size_t i = 0; i < the_log->stream_count; i++)
        paths[i] = (struct stack_path){ .root = root, .process = the_log->streams[i].process };
    while (reader_next(reader, &t)) {
        const struct event *e = &t.event;
        if (e->type == EVENT_OTHER) {
            if (e->other == REC_THREAD_BEGIN)
                tids[t.stream] = e->thread.tid;
            continue;
        }
        event_count++;
        uint32_t node = paths[t.stream].root, pid = the_log->processes[t.process].pid;
        if (e->type == EVENT_ALLOC || e->type == EVENT_REALLOC_END)
            node = stack_path_follow(&paths[t.stream], &stacks, t.chunk, e);
        if (!was_told(pid, tids[t.stream], e))
            take_other(t.process, pid, tids[t.stream], e, t.ns, node);
        if (early_count)
            end_early(t.ns);
    }
    end_early(UINT64_MAX);
    if (reader_bad_chunks(reader, &bad_offset, &reason)) {
        printf("bad chunk at %" PRIu64 ": %s\n", bad_offset, reason);
        differences++;
    }
    reader_free(reader);
    for (size_t i = 0; i < told_lists; i++) {
        told_count += told[i].count;
        for (size_t at = told[i].at; at < told[i].count; at++) {
            const struct kept_event *k = told[i].events[at];
            if (k->state == KEPT_DONE)
                differ(told[i].pid, told[i].tid, "lost", k->kind, k->function, k->address, k->size);
        }
    }
}

int main(int argc, char **argv)
{
    struct failure failure;
    struct log *log;

    if (argc < 3)
        return 99;
    first_told = alloc_zeroed(TOLD_HASHES, sizeof *first_told);
    read_truth(argv[1]);
    if (log_open(argv[2], &log, &failure) != 0) {
        bool nothing = true;
        for (size_t i = 0; i < told_lists; i++)
            for (size_t k = 0; k < told[i].count; k++)
                nothing &= told[i].events[k]->state != KEPT_DONE;
        printf("%s\n", failure.text);
        return !nothing;
    }
    the_log = log;
    others = alloc_zeroed(log->process_count + 1, sizeof *others);
    tids = alloc_zeroed(log->stream_count + 1, sizeof *tids);
    read_code();
    compare();
    if (log->damaged_bytes || log->missing_chunks || log->lost_events) {
        printf("%" PRIu64 " bytes damaged, %" PRIu64 " chunks missing, %" PRIu64 " events lost\n", log->damaged_bytes,
               log->missing_chunks, log->lost_events);
        differences++;
    }
    printf("%" PRIu64 " events, %" PRIu64 " told, %" PRIu64 " in flight, %" PRIu64 " others, %zu processes\n", event_count,
           told_count, flight_count, other_count, log->recorded_count);
    return differences != 0;
}
