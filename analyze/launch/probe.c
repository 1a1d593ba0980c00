#include "analyze/launch/probe.h"

#include "analyze/file_size_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_MAX (1u << 20)

static void become(char *const *arguments, char *const *changes, int output)
{
    int null = open("/dev/null", O_RDONLY);

    if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        _exit(127);
    if (null > 2)
        close(null);
    for (char **entry = environ; entry && *entry;) {
        if (strncmp(*entry, "MALLOSCOPE_", 11) != 0) {
            entry++;
            continue;
        }
        _cleanup_free_ char *name = copy_text(*entry, strcspn(*entry, "="));
        unsetenv(name);
        entry = environ; /* it has moved */
    }
    for (; *changes; changes++)
        putenv(*changes);
    file_size_limit_give_back();
    execv(arguments[0], arguments);
    _exit(127);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* True: it has closed its end in time. */
static bool read_until(int fd, int64_t end_ms, struct probe *probe)
{
    struct pollfd wait = { fd, POLLIN, 0 };
    char overflow[4096];
    size_t used = 0;

    for (;;) {
        int64_t left = end_ms - now_ms();
        int ready = left > 0 ? poll(&wait, 1, (int)left) : 0;
        if (ready == 0)
            return false;
        if (ready < 0)
            continue; /* a signal */
        size_t room = OUTPUT_MAX - used;
        ssize_t got = room ? read(fd, probe->output + used, room) : read(fd, overflow, sizeof overflow);
        if (got == 0)
            return true;
        used += got > 0 && room ? (size_t)got : 0;
    }
}

int probe_run(char *const *arguments, char *const *changes, unsigned seconds, struct probe *ret_probe)
{
    int ends[2];

    *ret_probe = (struct probe){ 0 };
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        become(arguments, changes, ends[1]);
    int error = pid < 0 ? -errno : 0;
    close(ends[1]);
    if (!error) {
        ret_probe->output = alloc_zeroed(1, OUTPUT_MAX + 1);
        ret_probe->too_slow = !read_until(ends[0], now_ms() + 1000 * (int64_t)seconds, ret_probe);
        if (ret_probe->too_slow)
            kill(pid, SIGKILL);
        while (waitpid(pid, &ret_probe->status, 0) < 0 && errno == EINTR)
            ;
    }
    close(ends[0]);
    return error;
}

void probe_release(struct probe *probe)
{
    free(probe->output);
    probe->output = NULL;
}
