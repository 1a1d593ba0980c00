/* Stands in for posix_spawn and posix_spawnp: see outside/exec_call.h. glibc has two of
 * each on x86-64: until 2.15 a script without a first line that names its interpreter was
 * given to the shell, and programs that were linked then still get that. So each of ours
 * has the version of the one that it stands for (exports.map).
 *
 * And for the functions that let the new process change its directory, for there its path
 * begins: see outside/spawn_directory.h. */
#include "interpose/outside/spawn.h"

#include "interpose/inside/sys.h"
#include "interpose/outside/exec_call.h"
#include "interpose/outside/spawn_directory.h"
#include "interpose/stand_in.h"

#if defined(__x86_64__) && defined(__GLIBC__)
#define HAS_OLD_SPAWN
#define OLD_VERSION "GLIBC_2.2.5"
#endif

typedef posix_spawn_file_actions_t actions_type;

static struct {
    spawn_function *spawn, *spawnp, *old_spawn, *old_spawnp;
} real;

#ifdef HAS_OLD_SPAWN
static void find_old(const char *name, spawn_function **ret)
{
    void *found = dlvsym(RTLD_NEXT, name, OLD_VERSION);
    if (found)
        memcpy(ret, &found, sizeof found);
}
#endif

void spawn_prepare(void)
{
#ifdef HAS_OLD_SPAWN
    find_old("posix_spawn", &real.old_spawn);
    find_old("posix_spawnp", &real.old_spawnp);
#endif
    stand_in_find("posix_spawn", &real.spawn);
    stand_in_find("posix_spawnp", &real.spawnp);
}

static int by_spawn(const struct exec_call *c, char *const *environment)
{
    spawn_function *really = *c->spawn;
    return really ? really(c->ret_pid, c->path, c->actions, c->attributes, c->arguments, environment) : ENOSYS;
}

static int run(spawn_function *const *really, bool searches, pid_t *ret_pid, const char *path, const actions_type *actions,
               const posix_spawnattr_t *attributes, char *const *arguments, char *const *environment)
{
    return exec_call_run(&(struct exec_call){ by_spawn, .path = path, .searches = searches, .directory = AT_FDCWD,
                                              .arguments = arguments, .environment = environment, .spawn = really,
                                              .ret_pid = ret_pid, .actions = actions, .attributes = attributes });
}

#ifdef HAS_OLD_SPAWN
/* Each with its version: one without any would do for both, and come first. */
#define STAND_IN(function, name, version) \
    EXPORT spawn_function function;       \
    __asm__(".symver " #function ", " name version)
STAND_IN(malloscope_spawn, "posix_spawn", "@@GLIBC_2.15");
STAND_IN(malloscope_spawnp, "posix_spawnp", "@@GLIBC_2.15");
STAND_IN(malloscope_old_spawn, "posix_spawn", "@" OLD_VERSION);
STAND_IN(malloscope_old_spawnp, "posix_spawnp", "@" OLD_VERSION);

int malloscope_old_spawn(pid_t *ret_pid, const char *path, const actions_type *actions, const posix_spawnattr_t *attributes,
                         char *const arguments[], char *const environment[])
{
    return run(&real.old_spawn, false, ret_pid, path, actions, attributes, arguments, environment);
}

int malloscope_old_spawnp(pid_t *ret_pid, const char *file, const actions_type *actions, const posix_spawnattr_t *attributes,
                          char *const arguments[], char *const environment[])
{
    return run(&real.old_spawnp, true, ret_pid, file, actions, attributes, arguments, environment);
}
#else
#define malloscope_spawn posix_spawn
#define malloscope_spawnp posix_spawnp
#endif

EXPORT int malloscope_spawn(pid_t *ret_pid, const char *path, const actions_type *actions, const posix_spawnattr_t *attributes,
                            char *const arguments[], char *const environment[])
{
    return run(&real.spawn, false, ret_pid, path, actions, attributes, arguments, environment);
}

EXPORT int malloscope_spawnp(pid_t *ret_pid, const char *file, const actions_type *actions, const posix_spawnattr_t *attributes,
                             char *const arguments[], char *const environment[])
{
    return run(&real.spawnp, true, ret_pid, file, actions, attributes, arguments, environment);
}

/* Only those that the C library has: programs may ask whether they are there. Looked up when they
 * are called, as most programs never do. */
#define ADD_CHDIR(name)                                       \
    EXPORT int name(actions_type *actions, const char *path) \
    {                                                         \
        int (*really)(actions_type *, const char *) = NULL;   \
        stand_in_find(#name, &really);                        \
        int error = really ? really(actions, path) : ENOSYS;  \
        if (!error)                                           \
            spawn_directory_add(actions, path, -1);           \
        return error;                                         \
    }
#define ADD_FCHDIR(name)                                      \
    EXPORT int name(actions_type *actions, int fd)            \
    {                                                         \
        int (*really)(actions_type *, int) = NULL;            \
        stand_in_find(#name, &really);                        \
        int error = really ? really(actions, fd) : ENOSYS;    \
        if (!error)                                           \
            spawn_directory_add(actions, NULL, fd);           \
        return error;                                         \
    }

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 29)
ADD_CHDIR(posix_spawn_file_actions_addchdir_np)
ADD_FCHDIR(posix_spawn_file_actions_addfchdir_np)
#endif
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 41)
ADD_CHDIR(posix_spawn_file_actions_addchdir)
ADD_FCHDIR(posix_spawn_file_actions_addfchdir)
#endif

EXPORT int posix_spawn_file_actions_destroy(actions_type *actions)
{
    static int (*really)(actions_type *);

    if (!really)
        stand_in_find(__func__, &really);
    spawn_directory_forget(actions);
    return really ? really(actions) : ENOSYS;
}
