/* The hard problem is where to keep what belongs to an object of the program's, which may
 * be copied, forgotten, or made anew at any place. The C library has left room in it for
 * later, which posix_spawn_file_actions_init clears: at its end stands the address of a
 * list of ours. The list's parts have their own pages, as the program's heap is the
 * program's. */
#include "interpose/outside/spawn_directory.h"

#include "interpose/inside/sys.h"

#include <string.h>

#define MAGIC 0x7269446e77617053ull

struct change {
    uint64_t magic; /* else it is something that the program has left in there */
    struct change *next;
    size_t bytes;
    int fd; /* -1: the path */
    char path[];
};

#if defined(__GLIBC__)
static char *place_in(posix_spawn_file_actions_t *actions)
{
    _Static_assert(sizeof actions->__pad >= 16 * sizeof(int), "room in posix_spawn_file_actions_t");
    return (char *)actions->__pad + sizeof actions->__pad - sizeof(struct change *);
}

static struct change *first_of(const posix_spawn_file_actions_t *actions)
{
    struct change *first;

    memcpy(&first, place_in((posix_spawn_file_actions_t *)(uintptr_t)actions), sizeof first);
    return first && sys_can_read((uint64_t)first) && first->magic == MAGIC ? first : NULL;
}

static void set_first(posix_spawn_file_actions_t *actions, struct change *first)
{
    memcpy(place_in(actions), &first, sizeof first);
}
#else
static struct change *first_of(const posix_spawn_file_actions_t *actions)
{
    (void)actions;
    return NULL;
}

static void set_first(posix_spawn_file_actions_t *actions, struct change *first)
{
    (void)actions;
    (void)first;
}
#endif

void spawn_directory_add(posix_spawn_file_actions_t *actions, const char *path, int fd)
{
    size_t length = path ? strlen(path) : 0, bytes = sizeof(struct change) + length + 1;
    struct change *last = first_of(actions), *added = sys_forbidden ? NULL : sys_map(-1, 0, bytes);

    if (!added)
        return;
    *added = (struct change){ .magic = MAGIC, .bytes = bytes, .fd = path ? -1 : fd };
    memcpy(added->path, path ? path : "", length + 1);
    while (last && last->next)
        last = last->next;
    if (last)
        last->next = added;
    else
        set_first(actions, added);
}

void spawn_directory_forget(posix_spawn_file_actions_t *actions)
{
    struct change *change = first_of(actions);

    if (!change)
        return;
    set_first(actions, NULL);
    for (struct change *next; change; change = next) {
        next = change->next;
        sys_unmap(change, change->bytes);
    }
}

int spawn_directory_open(const posix_spawn_file_actions_t *actions)
{
    long directory = AT_FDCWD;

    for (const struct change *c = actions ? first_of(actions) : NULL; c; c = c->next) {
        long from = c->fd >= 0 ? c->fd : directory;
        long opened = sys_call(SYS_openat, from, (long)(c->fd >= 0 ? "." : c->path), O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0, 0);
        if (directory >= 0)
            sys_close((int)directory);
        if (opened < 0)
            return opened == AT_FDCWD ? -ENOENT : (int)opened;
        directory = opened;
    }
    return (int)directory;
}
