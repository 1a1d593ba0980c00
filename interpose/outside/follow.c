/* The hard problem is where this runs: in a vfork child, whose memory is its
 * parent's, so that what it maps and then leaves behind by a successful exec is a
 * leak there; on a small alternate stack; in the middle of malloc. So a new
 * environment is pointers to texts that exist already, and one new text for
 * LD_PRELOAD; mostly it fits on the stack. */
#include "interpose/outside/follow.h"

#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"
#include "interpose/outside/exec_target.h"
#include "interpose/outside/listing.h"

#include <dlfcn.h>
#include <string.h>

#define PRELOAD "LD_PRELOAD="
#define OURS "MALLOSCOPE_"
#define SESSION "MALLOSCOPE_SESSION="
#define KEPT_MAX 32

static struct {
    const char *shim; /* our path, as the loader has it; NULL: unknown */
    size_t shim_length;
    const char *session;         /* SESSION and its value; NULL: there is none */
    const char *entry[KEPT_MAX]; /* MALLOSCOPE_*, the session included */
    size_t name_length[KEPT_MAX]; /* with the = */
    size_t count;
} kept;

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static void keep(const char *entry, char *copy)
{
    const char *equals = strchr(entry, '=');

    if (!equals || kept.count == KEPT_MAX)
        return;
    kept.entry[kept.count] = strcpy(copy, entry);
    kept.name_length[kept.count++] = (size_t)(equals + 1 - entry);
    if (begins_with(entry, SESSION))
        kept.session = copy;
}

void follow_prepare(char *const *environment, const struct config *config)
{
    Dl_info self;
    size_t bytes = 0;

    session.follow = config->follow;
    if (dladdr(&kept, &self) && self.dli_fname) {
        kept.shim = self.dli_fname;
        kept.shim_length = strlen(kept.shim);
    }
    for (char *const *at = environment; at && *at; at++)
        bytes += begins_with(*at, OURS) ? strlen(*at) + 1 : 0;
    char *texts = bytes ? sys_map(-1, 0, bytes) : NULL;
    for (char *const *at = environment; texts && *at; at++) {
        if (begins_with(*at, OURS)) {
            keep(*at, texts);
            texts += strlen(*at) + 1;
        }
    }
    if (!config->joins)
        kept.session = NULL; /* one that cannot be understood */
}

bool follow_concerns_exec(void)
{
    return kept.shim && (kept.session || !follow_wants_exec());
}

bool follow_wants_exec(void)
{
    return session.follow == FOLLOW_EXEC || session.follow == FOLLOW_ALL;
}

static bool can_open(const char *path, int flags)
{
    long fd = sys_open(path, flags, 0);

    if (fd >= 0)
        sys_close((int)fd);
    return fd != -ENOENT && fd != -EACCES && fd != -ENOTDIR;
}

static bool can_record(void)
{
    /* Within such limits the loader would fail to load us, and say so, or no live file could be made; or the program
     * would lack the memory that we have: 2 MB of what it can write. */
    if (sys_file_size_limit() < REC_LIVE_HEADER_BYTES + REC_LIVE_SLOT_BYTES || sys_descriptor_limit() < 8 ||
        sys_limit(RLIMIT_AS) < 256u << 20 || sys_limit(RLIMIT_DATA) < REC_LEAST_DATA_LIMIT)
        return false;
    /* Neither the session's id nor a pid has a slash: the first begins the log's path. */
    return can_open(kept.shim, O_RDONLY) && (!kept.session || can_open(strchr(kept.session, '/'), O_RDWR));
}

/* The next of LD_PRELOAD's paths from *at, and its length; 0 at the end. */
static size_t next_path(const char **at)
{
    *at += strspn(*at, ": ");
    return strcspn(*at, ": ");
}

static bool is_shim(const char *path, size_t length)
{
    return length == kept.shim_length && memcmp(path, kept.shim, length) == 0;
}

static bool has_shim(const char *paths)
{
    for (size_t length; (length = next_path(&paths)); paths += length)
        if (is_shim(paths, length))
            return true;
    return false;
}

/* LD_PRELOAD with the shim before all, or without it. `to` has room for old, the
 * shim and two bytes more. Returns the bytes used, 0 where no path is left. */
static size_t write_preload(char *to, const char *old, bool with_shim)
{
    size_t name = strlen(PRELOAD);
    const char *paths = old ? old + name : "";
    char *at = to + name;

    memcpy(to, PRELOAD, name);
    if (with_shim) {
        memcpy(at, kept.shim, kept.shim_length);
        at += kept.shim_length;
    }
    for (size_t length; (length = next_path(&paths)); paths += length) {
        if (is_shim(paths, length))
            continue;
        if (at != to + name)
            *at++ = paths > old + name && paths[-1] == ' ' ? ' ' : ':';
        memcpy(at, paths, length);
        at += length;
    }
    *at++ = 0;
    return at == to + name + 1 ? 0 : (size_t)(at - to);
}

bool follow_preloads_sanitizer(char *const *given)
{
    for (; given && *given; given++) {
        const char *paths = begins_with(*given, PRELOAD) ? *given + strlen(PRELOAD) : "";
        for (size_t length; (length = next_path(&paths)); paths += length) {
            const char *slash = memrchr(paths, '/', length);
            if (exec_target_is_sanitizer(slash ? slash + 1 : paths))
                return true;
        }
    }
    return false;
}

enum rec_untraced follow_judge(enum rec_untraced of_file, char *const *environment)
{
    bool passes = session.follow == FOLLOW_ALL && of_file == REC_UNTRACED_STATIC && !listing_is_environment(environment);

    if (of_file != REC_UNTRACED_WITHDRAWN && !passes)
        return of_file;
    if (follow_preloads_sanitizer(environment))
        return passes ? of_file : REC_UNTRACED_SANITIZER;
    if (!can_record())
        return passes ? of_file : REC_UNTRACED_UNREACHABLE;
    return passes ? REC_UNTRACED_STATIC_PASSES : REC_UNTRACED_WITHDRAWN;
}

bool follow_gives_on(enum rec_untraced reason)
{
    return reason == REC_UNTRACED_WITHDRAWN || reason == REC_UNTRACED_STATIC_PASSES;
}

static bool has_name(char *const *given, size_t number)
{
    for (; *given; given++)
        if (strncmp(*given, kept.entry[number], kept.name_length[number]) == 0)
            return true;
    return false;
}

struct findings {
    size_t count;          /* of variables */
    size_t preloads, texts; /* number of LD_PRELOADs to be rewritten, bytes that they may take */
    bool has_preload, right, foreign;
};

static struct findings look(char *const *given, bool recorded)
{
    struct findings f = { .right = true };

    for (; given[f.count]; f.count++) {
        const char *entry = given[f.count];
        if (begins_with(entry, PRELOAD)) {
            f.has_preload = true;
            if (has_shim(entry + strlen(PRELOAD)) != recorded) {
                f.right = false;
                f.texts += strlen(entry) + kept.shim_length + 2;
            }
        } else if (begins_with(entry, OURS)) {
            /* A `malloscope record` that is itself recorded sends its program into its own log. */
            f.foreign |= begins_with(entry, SESSION) && (!kept.session || strcmp(entry, kept.session) != 0);
            f.right &= recorded;
        }
    }
    if (recorded && !f.has_preload) {
        f.right = false;
        f.texts += strlen(PRELOAD) + kept.shim_length + 2;
    }
    for (size_t i = 0; recorded && f.right && i < kept.count; i++)
        f.right = has_name(given, i);
    return f;
}

static void fill(char **variables, char *text, char *const *given, bool recorded, bool has_preload)
{
    char **at = variables;

    for (char *const *from = given; *from; from++) {
        bool preload = begins_with(*from, PRELOAD);
        if (preload && has_shim(*from + strlen(PRELOAD)) != recorded) {
            size_t used = write_preload(text, *from, recorded);
            if (used)
                *at++ = text;
            text += used;
        } else if (preload || recorded || !begins_with(*from, OURS)) {
            *at++ = *from;
        }
    }
    if (recorded && !has_preload) {
        write_preload(text, NULL, true);
        *at++ = text;
    }
    for (size_t i = 0; recorded && i < kept.count; i++)
        if (!has_name(given, i))
            *at++ = (char *)(uintptr_t)kept.entry[i];
    *at = NULL;
}

/* What this thread has mapped for an environment. Where another process did it,
 * that was a vfork child, and this thread goes on only when the child has become
 * another program: what it left is given back then. */
static __thread struct {
    void *at;
    size_t bytes;
    uint32_t pid;
} in_use;

static void *map(struct follow_environment *e, size_t bytes)
{
    if (sys_forbidden)
        return NULL;
    uint32_t pid = sys_pid();

    if (in_use.at && in_use.pid != pid) {
        sys_unmap(in_use.at, in_use.bytes);
        in_use.at = NULL;
    }
    e->mapped = sys_map(-1, 0, bytes);
    e->mapped_bytes = bytes;
    if (e->mapped && !in_use.at) { /* else we are in a signal handler amid another exec */
        in_use.bytes = bytes;
        in_use.pid = pid;
        in_use.at = e->mapped;
    }
    return e->mapped;
}

static char *const none[] = { NULL };

static size_t pointers_bytes(const struct findings *f)
{
    return (f->count + 1 + kept.count + 1) * sizeof(char *);
}

size_t follow_environment_bytes(char *const *given, bool recorded)
{
    struct findings f = look(given ? given : none, recorded);
    return pointers_bytes(&f) + f.texts;
}

void follow_make_environment(struct follow_environment *e, char *const *given, bool recorded)
{
    char *const *from = given ? given : none;
    struct findings f = look(from, recorded);

    e->variables = given;
    e->mapped = NULL;
    if (f.right || f.foreign)
        return;
    size_t pointers = pointers_bytes(&f), bytes = pointers + f.texts;
    char **variables = bytes <= sizeof e->small ? e->small : e->room ? e->room : map(e, bytes);
    if (!variables)
        return;
    fill(variables, (char *)variables + pointers, from, recorded, f.has_preload);
    e->variables = variables;
}

void follow_release_environment(struct follow_environment *e)
{
    if (!e->mapped)
        return;
    if (in_use.at == e->mapped)
        in_use.at = NULL;
    sys_unmap(e->mapped, e->mapped_bytes);
}
