#include "analyze/symbols/worker.h"

#include "analyze/symbols/names_writer.h"
#include "analyze/symbols/sanitized.h"
#include "analyze/util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE_BYTES_MAX (4u << 20)
#define ASKED_EVERY_MS 200

/* What comes through the pipe: this, then so many bytes. The last one says how it ended. */
struct message {
    uint32_t kind, bytes;
};
enum { MESSAGE_NAMES, MESSAGE_END /* plus an enum names_outcome; with what is lacking */ };

struct child {
    struct worker_task *task; /* NULL: none runs here */
    pid_t pid;
    int fd;
    uint8_t *buffer;
    size_t used, capacity;
    bool ended; /* it has said so */
};

/* ---- in the child -------------------------------------------------------------------- */

static void write_all(int fd, const void *data, size_t bytes)
{
    for (const char *at = data; bytes;) {
        ssize_t written = write(fd, at, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            _exit(1);
        at += written;
        bytes -= (size_t)written;
    }
}

static void send_message(int fd, uint32_t kind, const void *data, size_t bytes)
{
    const struct message message = { kind, (uint32_t)bytes };

    write_all(fd, &message, sizeof message);
    write_all(fd, data, bytes);
}

static void send_names(void *data, const void *payload, size_t bytes)
{
    send_message(*(int *)data, MESSAGE_NAMES, payload, bytes);
}

static void add_names(void *data, uint64_t address, const struct symbols_frame *frames, size_t count)
{
    names_writer_add(data, address, frames, count);
}

static enum names_outcome read_names(const struct module_names *names, void (*take)(void *data, const void *payload, size_t bytes),
                       void *data, char ret_lacks[NAMES_LACKS_BYTES])
{
    struct names_writer *writer = names_writer_begin("", "", 0, take, data);
    enum names_outcome outcome = module_names_read(names, add_names, writer, ret_lacks);

    names_writer_end(writer);
    return outcome;
}

static void limit_to(int what, rlim_t most)
{
    struct rlimit limit;

    if (getrlimit(what, &limit) == 0 && limit.rlim_cur > most) {
        limit.rlim_cur = most;
        setrlimit(what, &limit);
    }
}

static _Noreturn void be_child(const struct worker_task *task, int fd)
{
    signal(SIGINT, SIG_IGN); /* the parent hears of Ctrl-C and the others, and ends us */
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    limit_to(RLIMIT_CORE, 0);
    limit_to(RLIMIT_CPU, 10 + task->bytes / (8u << 20));
#ifndef SANITIZED
    limit_to(RLIMIT_AS, (4ull << 30) + 8 * task->bytes);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0)
        dup2(nowhere, STDERR_FILENO); /* what libc says of a heap that a library has damaged */
#endif
    char lacks[NAMES_LACKS_BYTES];
    enum names_outcome outcome = read_names(&task->names, send_names, &fd, lacks);
    send_message(fd, MESSAGE_END + outcome, lacks, strlen(lacks));
    _exit(0);
}

/* ---- in the parent ------------------------------------------------------------------- */

static bool start(struct child *c, struct worker_task *task)
{
    int ends[2];

    fflush(NULL); /* lest the child writes it once more */
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        be_child(task, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return false;
    }
    c->task = task;
    c->pid = pid;
    c->fd = ends[0];
    c->used = 0;
    c->ended = false;
    return true;
}

/* What a child died of counts for more than what the next one, without it, comes to. */
static void end(struct worker_task *task, enum names_outcome outcome, const char *lacks, size_t bytes)
{
    if (task->ret_outcome == WORKER_GOOD)
        task->ret_outcome = (enum worker_outcome)outcome;
    snprintf(task->ret_lacks, sizeof task->ret_lacks, "%.*s", (int)bytes, lacks);
}

/* Takes what is whole in the buffer. False: it is no row of messages. */
static bool take_messages(struct child *c, void (*take)(void *data, const void *payload, size_t bytes))
{
    size_t at = 0;

    while (c->used - at >= sizeof(struct message) && !c->ended) {
        struct message message;
        memcpy(&message, c->buffer + at, sizeof message);
        if (message.bytes > MESSAGE_BYTES_MAX || message.kind > MESSAGE_END + NAMES_DAMAGED)
            return false;
        if (c->used - at - sizeof message < message.bytes)
            break;
        if (message.kind == MESSAGE_NAMES)
            take(c->task->data, c->buffer + at + sizeof message, message.bytes);
        else
            c->ended = true;
        if (c->ended)
            end(c->task, (enum names_outcome)(message.kind - MESSAGE_END), (const char *)c->buffer + at + sizeof message, message.bytes);
        at += sizeof message + message.bytes;
    }
    memmove(c->buffer, c->buffer + at, c->used - at);
    c->used -= at;
    return true;
}

/* True: there may be more to come. */
static bool receive(struct child *c, void (*take)(void *data, const void *payload, size_t bytes))
{
    c->buffer = grow(c->buffer, &c->capacity, c->used + 65536, 1);
    ssize_t got = read(c->fd, c->buffer + c->used, 65536);
    if (got < 0 && errno == EINTR)
        return true;
    if (got <= 0)
        return false;
    c->used += (size_t)got;
    return take_messages(c, take) && !c->ended;
}

/* The child is done with, for good or bad. False: its task is to be done again, without what it died of. */
static bool finish(struct child *c)
{
    struct worker_task *task = c->task;

    close(c->fd);
    if (!c->ended)
        kill(c->pid, SIGKILL);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    c->task = NULL;
    if (c->ended)
        return true;
    task->ret_outcome = task->names.without_dwarf ? WORKER_NOTHING : WORKER_DIED;
    if (task->names.without_dwarf)
        return true;
    task->names.without_dwarf = true;
    return false;
}

/* All that is not done. */
static void stop(struct child *children, unsigned jobs, struct worker_task *tasks, size_t begun, size_t count)
{
    for (unsigned i = 0; i < jobs; i++)
        if (children[i].task) {
            struct worker_task *task = children[i].task;
            finish(&children[i]);
            task->ret_outcome = WORKER_STOPPED;
        }
    for (size_t i = begun; i < count; i++)
        tasks[i].ret_outcome = WORKER_STOPPED;
}

/* No child can be had: the risk is ours. */
static void do_here(struct worker_task *task, void (*take)(void *data, const void *payload, size_t bytes))
{
    char lacks[NAMES_LACKS_BYTES];
    enum names_outcome outcome = read_names(&task->names, take, task->data, lacks);
    end(task, outcome, lacks, strlen(lacks));
}

static void serve(struct child *c, struct worker_task *task, void (*take)(void *data, const void *payload, size_t bytes))
{
    if (!start(c, task))
        do_here(task, take);
}

void workers_run(struct worker_task *tasks, size_t count, unsigned jobs,
                 void (*take)(void *data, const void *payload, size_t bytes),
                 bool (*goes_on)(void *data, double progress), void *goes_on_data)
{
    _cleanup_free_ struct child *children = alloc_zeroed(jobs, sizeof *children);
    _cleanup_free_ struct pollfd *polled = alloc_zeroed(jobs, sizeof *polled);
    size_t begun = 0;

    for (;;) {
        unsigned running = 0;
        if (goes_on && !goes_on(goes_on_data, (double)begun / (double)(count + 1))) {
            stop(children, jobs, tasks, begun, count);
            break;
        }
        for (unsigned i = 0; i < jobs; i++) {
            while (!children[i].task && begun < count)
                serve(&children[i], &tasks[begun++], take);
            polled[i] = (struct pollfd){ children[i].task ? children[i].fd : -1, POLLIN, 0 };
            running += children[i].task != NULL;
        }
        if (!running)
            break;
        if (poll(polled, jobs, goes_on ? ASKED_EVERY_MS : -1) <= 0)
            continue;
        for (unsigned i = 0; i < jobs; i++) {
            struct child *c = &children[i];
            struct worker_task *task = c->task;
            if (task && polled[i].revents && !receive(c, take) && !finish(c))
                serve(c, task, take);
        }
    }
    for (unsigned i = 0; i < jobs; i++)
        free(children[i].buffer);
}
