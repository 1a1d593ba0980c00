/* The part of `doctor` that asks: can anything be recorded here? Its core is a
 * real recording of a small program; the other checks say why it failed, or what
 * it could not show. */
#include "analyze/commands/findings.h"
#include "analyze/launch/confinement.h"
#include "analyze/launch/handshake.h"
#include "analyze/launch/limits.h"
#include "analyze/launch/machine.h"
#include "analyze/launch/shim.h"
#include "analyze/launch/target.h"
#include "analyze/log/live.h"
#include "analyze/render/text.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#define LITTLE_ROOM (64u << 20) /* bytes */
#define FEW_DESCRIPTORS 32

/* Its path, or NULL. */
static char *examine_shim(struct findings *f)
{
    struct failure failure;
    struct shim shim;
    char *path;

    if (shim_find(&path, &failure) != 0) {
        say(f, LEVEL_FAIL, "library", "%s", failure.text);
        return NULL;
    }
    if (shim_read(path, &shim) == 0)
        say(f, LEVEL_OK, "library", "%s; needs glibc %s, here is %s", path, shim.version, gnu_get_libc_version());
    return path;
}

static void examine_place(struct findings *f, const struct log_file *file)
{
    struct disk_place place;

    place_read(file->fd, &place);
    const char *much = text_bytes(place.free_bytes);
    _cleanup_free_ char *directory = copy_text(file->path, (size_t)(strrchr(file->path, '/') + 1 - file->path));
    if (!place.maps)
        say(f, LEVEL_FAIL, "log's place", "%s: its file system (%s) has no shared mappings; name a local disk with -o",
            directory, place.file_system);
    else if (place.is_network)
        say(f, LEVEL_WARN, "log's place", "%s: on a network or user-space file system (%s), %s free: slower, and what "
            "a killed program did may be lost; name a local disk with -o", directory, place.file_system, much);
    else if (place.free_bytes < LITTLE_ROOM)
        say(f, LEVEL_WARN, "log's place", "%s: only %s free (%s), and an event takes some 6 to 10 bytes; name a "
            "roomier place with -o", directory, much, place.file_system);
    else if (place.is_memory)
        say(f, LEVEL_NOTE, "log's place", "%s: in memory (%s), %s free: the log takes memory while it grows", directory,
            place.file_system, much);
    else
        say(f, LEVEL_OK, "log's place", "%s: %s, %s free%s", directory, place.file_system, much,
            place.allocates ? "" : "; no fallocate: room is made by writing zeros");
}

static void examine_handshake(struct findings *f, const char *shim, const struct log_file *file,
                              struct handshake *ret_handshake)
{
    int error = handshake_try(shim, file, ret_handshake);
    struct handshake h = *ret_handshake;

    if (error)
        say(f, LEVEL_FAIL, "recording", "a program of our own could not be recorded: %s", strerror(-error));
    else if (h.too_slow)
        say(f, LEVEL_FAIL, "recording", "a program of our own, with the library, did not end in time");
    else if (!h.ran)
        say(f, LEVEL_FAIL, "recording", "a program of our own did not run with the library: %s", *h.said ? h.said :
            "is /proc missing?");
    else if (!h.loaded)
        say(f, LEVEL_FAIL, "recording", "the library is not loaded by LD_PRELOAD, or cannot write beside the log: nothing "
            "was recorded of a program of our own");
    else if (h.has_own_malloc)
        say(f, LEVEL_NOTE, "recording", "the library is loaded by LD_PRELOAD; that it records cannot be seen, for this "
            "build of malloscope has a malloc of its own");
    else if (h.blocks != HANDSHAKE_BLOCKS || h.lost_events)
        say(f, LEVEL_FAIL, "recording", "of a program of our own %u of %u blocks were recorded, and %s events lost%s%s",
            h.blocks, HANDSHAKE_BLOCKS, text_count(h.lost_events), h.lost_reason ? ": " : "",
            h.lost_reason ? strerror(h.lost_reason) : "");
    else
        say(f, LEVEL_OK, "recording", "the library is loaded by LD_PRELOAD, and a program of our own was recorded whole");
}

static void examine_log(struct findings *f, const char *shim, const char *output, const char *program,
                        struct handshake *ret_handshake)
{
    struct log_file file;
    struct failure failure;

    if (log_file_make(output, program, getpid(), false, false, &file, &failure) != 0) {
        say(f, LEVEL_FAIL, "log's place", "%s", failure.text);
        if (!shim || log_file_make("/tmp/malloscope-doctor.%p.%n", program, getpid(), false, false, &file, &failure) != 0)
            return;
    } else {
        examine_place(f, &file);
    }
    if (shim)
        examine_handshake(f, shim, &file, ret_handshake);
    live_discard(file.path);
    log_file_discard(&file);
}

static void examine_limits(struct findings *f)
{
    struct rlimit bytes, descriptors;
    struct failure failure;

    if (limits_check(&failure) != 0)
        say(f, LEVEL_FAIL, "limits", "%s", failure.text);
    if (getrlimit(RLIMIT_FSIZE, &bytes) != 0 || getrlimit(RLIMIT_NOFILE, &descriptors) != 0)
        return;
    if (bytes.rlim_cur != RLIM_INFINITY)
        say(f, LEVEL_WARN, "limits", "files may have at most %s (ulimit -f): the log ends there, the program goes on",
            text_bytes(bytes.rlim_cur));
    if (descriptors.rlim_cur < FEW_DESCRIPTORS)
        say(f, LEVEL_WARN, "limits", "a process may have only %s descriptors (ulimit -n): recording takes 3 of them",
            text_count(descriptors.rlim_cur));
    else if (bytes.rlim_cur == RLIM_INFINITY)
        say(f, LEVEL_OK, "limits", "no limit of file size, %s descriptors", text_count(descriptors.rlim_cur));
}

static void examine_kernel(struct findings *f, const struct machine *machine)
{
    struct utsname name;

    uname(&name);
    if (!machine->wipes_on_fork)
        say(f, LEVEL_FAIL, "kernel", "%s %s has no MADV_WIPEONFORK, which recording needs: use Linux 4.14 or newer",
            name.sysname, name.release);
    else
        say(f, LEVEL_OK, "kernel", "%s %s; MADV_WIPEONFORK%s", name.sysname, name.release, machine->answers_maps ?
            ", PROCMAP_QUERY" : "; without PROCMAP_QUERY (Linux 6.11), stacks through code of a JIT take longer");
}

static void examine_clock(struct findings *f, const struct machine *machine, bool is_counter)
{
    if (is_counter)
        say(f, LEVEL_OK, "clock", "stamps are the CPU's counter");
    else
        say(f, LEVEL_NOTE, "clock", "stamps are clock_gettime's, for the kernel's clock source is %s: %u ns for each, "
            "two for a malloc and its free, instead of some 15", *machine->clock_source ? machine->clock_source :
            "unknown", machine->clock_ns);
}

static void examine_tools(struct findings *f)
{
    _cleanup_target_ struct target gnuplot = { 0 };
    struct failure failure;
    void *libunwind = dlopen(LIBUNWIND_SONAME, RTLD_LAZY | RTLD_LOCAL);

    if (libunwind)
        say(f, LEVEL_OK, "libunwind", "%s, for the stacks that the recorder's own unwinder cannot take", LIBUNWIND_SONAME);
    else
        say(f, LEVEL_NOTE, "libunwind", "%s is not there: the few stacks that the recorder's own unwinder cannot take are "
            "partial, and --call-graph=libunwind has none; install libunwind8", LIBUNWIND_SONAME);
    if (libunwind)
        dlclose(libunwind);
    if (target_find("gnuplot", &gnuplot, &failure) == 0)
        say(f, LEVEL_OK, "gnuplot", "%s", gnuplot.path);
    else
        say(f, LEVEL_NOTE, "gnuplot", "not found: `malloscope plot` needs it; install gnuplot-nox");
}

static void examine_confinement(struct findings *f)
{
    struct confinement c;
    unsigned before = f->counts[LEVEL_NOTE] + f->counts[LEVEL_WARN];

    confinement_read("", &c);
    if (c.seccomp > 0)
        say(f, LEVEL_NOTE, "seccomp", "a %s is active here (in a container?), and programs inherit it: what it forbids to "
            "the recorder shows in the check `recording`", c.seccomp == 1 ? "strict mode" : "filter");
    if (c.no_new_privs)
        say(f, LEVEL_NOTE, "privileges", "no_new_privs is set: set-user-ID programs run without their privileges, and can "
            "be recorded");
    if (c.selinux_enforces)
        say(f, LEVEL_NOTE, "SELinux", "enforcing: the loader ignores LD_PRELOAD in a program that enters another domain; "
            "where `record` says that the library was never loaded, try permissive mode");
    if (*c.apparmor)
        say(f, LEVEL_NOTE, "AppArmor", "confined by %s: the log must be where that profile allows writing, and programs "
            "with profiles of their own may ignore LD_PRELOAD", c.apparmor);
    if (before == f->counts[LEVEL_NOTE] + f->counts[LEVEL_WARN])
        say(f, LEVEL_OK, "confinement", "no seccomp filter, no_new_privs, enforcing SELinux or AppArmor profile");
}

static void examine_environment(struct findings *f)
{
    const char *preload = getenv("LD_PRELOAD"), *audit = getenv("LD_AUDIT");

    if (preload && *preload)
        say(f, LEVEL_NOTE, "LD_PRELOAD", "is set, and stays behind malloscope's library: %s", preload);
    if (audit && *audit)
        say(f, LEVEL_NOTE, "LD_AUDIT", "is set: what that library allocates is not recorded: %s", audit);
    if (access("/etc/ld.so.preload", R_OK) == 0)
        say(f, LEVEL_NOTE, "LD_PRELOAD", "/etc/ld.so.preload is there: what it names is loaded into every program, after "
            "malloscope's library");
}

char *examine_machine(struct findings *f, const char *output, const char *program)
{
    struct handshake handshake = { 0 };
    struct machine machine;
    char *shim = examine_shim(f);

    machine_read(&machine);
    examine_environment(f);
    examine_log(f, shim, output, program, &handshake);
    examine_limits(f);
    examine_kernel(f, &machine);
    if (handshake.loaded)
        examine_clock(f, &machine, handshake.counter);
    examine_tools(f);
    examine_confinement(f);
    return shim;
}
