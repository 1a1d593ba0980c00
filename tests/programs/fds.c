/* fds DIRECTORY [tight [locked]]: a program that is rough with descriptors. It lists what
 * is open at its start, closes everything, and puts a file of its own on every
 * number from 3 to 1023, using the heap so much that buffers are written out in
 * each of these states. tight: no number at all is left to anybody else; locked: and
 * the limit cannot be lifted again. */
#define TRUTH_BUFFERED
#include "truth.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct linux_dirent64 {
    uint64_t inode;
    int64_t offset;
    unsigned short bytes;
    unsigned char type;
    char name[];
};

/* Without opendir, which allocates. */
static void list_descriptors(const char *when)
{
    char buffer[4096], open_ones[1024] = "";
    int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);

    for (long got; (got = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0;)
        for (long at = 0; at < got;) {
            const struct linux_dirent64 *entry = (const void *)(buffer + at);
            int fd = entry->name[0] == '.' ? -1 : atoi(entry->name);
            if (fd >= 0 && fd != directory && fd < own_descriptors())
                open_ones[fd] = 1;
            at += entry->bytes;
        }
    close(directory);
    for (int fd = 0; fd < 1024; fd++)
        if (open_ones[fd])
            say("%s: descriptor %d, flags %#x and %#x\n", when, fd, fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
}

static void use_heap(void)
{
    void *blocks[16] = { NULL };

    for (size_t i = 0; i < 8000; i++) {
        void **block = &blocks[i * 5 % 16];
        t_free(*block);
        *block = t_malloc(i % 777 + (i & 7) * 100000);
    }
    for (size_t i = 0; i < 16; i++)
        t_free(blocks[i]);
    truth_flush();
}

static void close_all(void)
{
    if (close_range(3, (unsigned)truth_fd - 1, 0) != 0 || close_range((unsigned)truth_fd + 1, ~0u, 0) != 0)
        for (int fd = 3; fd < 4096; fd++)
            if (fd != truth_fd)
                close(fd);
}

int main(int argc, char **argv)
{
    bool tight = argc > 2;
    char path[1024];
    struct stat own, st;
    struct rlimit limit;

    if (argc < 2)
        return 99;
    list_descriptors("at the start");
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = tight || limit.rlim_max < 2048 ? 1024 : 2048;
    if (argc > 3)
        limit.rlim_max = limit.rlim_cur;
    setrlimit(RLIMIT_NOFILE, &limit);
    int moved = fcntl(3, F_DUPFD, (int)limit.rlim_cur - 1);
    truth_fd = moved < 0 ? (int)limit.rlim_cur - 1 : moved;
    use_heap();

    close_all();
    list_descriptors("after closing all");
    use_heap();
    list_descriptors("after closing all and using the heap");

    snprintf(path, sizeof path, "%s/own", argv[1]);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    say("open gives %d\n", fd);
    fstat(fd, &own);
    for (int to = fd + 1; to < 1024; to++)
        if (to != truth_fd)
            dup2(fd, to);
    use_heap();
    unsigned foreign = 0, with_flags = 0;
    for (int at = fd; at < 1024; at++) {
        if (at == truth_fd)
            continue;
        foreign += fstat(at, &st) != 0 || st.st_ino != own.st_ino || st.st_dev != own.st_dev;
        with_flags += fcntl(at, F_GETFD) != 0;
    }
    fstat(fd, &st);
    say("%u of the descriptors are another file, %u have other flags; the file has %ld bytes, is at %ld\n", foreign,
        with_flags, (long)st.st_size, (long)lseek(fd, 0, SEEK_CUR));

    pid_t child = fork();
    if (child == 0) {
        use_heap();
        _exit(0);
    }
    waitpid(child, NULL, 0);
    fstat(fd, &st);
    say("after a child: %ld bytes\n", (long)st.st_size);

    close_all();
    use_heap();
    list_descriptors("after closing all again");
    say("open gives %d\n", open(path, O_RDONLY));
    return 0;
}
