/* A libFuzzer target for what the library looks at inside a traced process, of others' making: the first byte says
 * what the bytes are, E a file that is about to be executed, or B a seccomp filter. Neither may lead to anything but a
 * judgement, and that soon. */
#include "interpose/outside/exec_target.h"
#include "interpose/outside/filter.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char program_path[PATH_MAX];

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz_exec: not so: %s\n", what);
    abort();
}

static void judge_program(const uint8_t *data, size_t size)
{
    int fd = open(program_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

    demand(fd >= 0 && write(fd, data, size) == (ssize_t)size, "a file can be written");
    close(fd);
    bool is_loader = false, is_loader_again = false;
    enum rec_untraced judged = exec_target_judge(program_path, &is_loader);
    demand(judged <= REC_UNTRACED_STATIC_PASSES, "a judgement is one");
    demand(exec_target_judge(program_path, &is_loader_again) == judged && is_loader_again == is_loader, "it is the same again");
}

static void judge_filter(const uint8_t *data, size_t size)
{
    size_t count = size / sizeof(struct sock_filter);
    struct sock_filter *code = memcpy(malloc(count * sizeof *code + 1), data, count * sizeof *code);
    const struct sock_fprog filter = { (unsigned short)(count < BPF_MAXINSNS ? count : BPF_MAXINSNS), code };

    enum filter_verdict verdict = filter_judge(&filter);
    demand(verdict <= FILTER_LETS_LIVE, "a verdict is one");
    demand(verdict != FILTER_LETS_LIVE || filter_allows(&filter, SYS_write), "what lets write live allows it");
    free(code);
}

static void remove_files(void)
{
    unlink(program_path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *temporary = getenv("TMPDIR");

    (void)argc;
    (void)argv;
    snprintf(program_path, sizeof program_path, "%s/fuzz_exec-%d", temporary && *temporary ? temporary : "/tmp", getpid());
    atexit(remove_files);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size && *data == 'E')
        judge_program(data + 1, size - 1);
    else if (size && *data == 'B')
        judge_filter(data + 1, size - 1);
    return 0;
}
