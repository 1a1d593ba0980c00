/* odd_exec WORD...: calls of exec and posix_spawn that are rarely made.
 *
 *   bad                   arguments that cannot be read, or are not there: results and errno
 *   in HOW DIR... PROGRAM spawns PROGRAM, a relative path, after file actions that go to each
 *                         DIR; HOW: chdir, fchdir, none
 *   old PROGRAM           by the old version of posix_spawn, and of posix_spawnp; new: the usual
 *   spawn NAME=VALUE... -- PROGRAM ...   with these variables; exec: the same by execve
 *   refused WORD...       the same after a system call was forbidden */
#include "children.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>

extern char **environ;
int execveat(int directory, const char *path, char *const *arguments, char *const *environment, int flags);

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                           char *const *, char *const *);
#ifdef __x86_64__
spawn_function old_spawn, old_spawnp;
__asm__(".symver old_spawn, posix_spawn@GLIBC_2.2.5");
__asm__(".symver old_spawnp, posix_spawnp@GLIBC_2.2.5");
#else
#define old_spawn posix_spawn
#define old_spawnp posix_spawnp
#endif

static void tell_end(const char *what, int error, pid_t child)
{
    say("%s: error %d, status %#x\n", what, error, error ? 0 : await_child(child));
}

static int by(spawn_function *function, const char *what, char **words)
{
    pid_t child = 0;
    int error = function(&child, words[0], NULL, NULL, words, environ);

    tell_end(what, error, child);
    return 0;
}

static int in_directory(char **words)
{
    const char *how = *words++;
    posix_spawn_file_actions_t actions, copy;
    pid_t child = 0;

    for (int round = 0; round < 2; round++) { /* in the same place, whatever was there before */
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 9, "/dev/null", O_RDONLY, 0);
        char **at = words;
        for (; at[1]; at++) {
            if (strcmp(how, "chdir") == 0)
                posix_spawn_file_actions_addchdir_np(&actions, *at);
            else if (strcmp(how, "fchdir") == 0)
                posix_spawn_file_actions_addfchdir_np(&actions, open(*at, O_RDONLY | O_DIRECTORY));
        }
        copy = actions;
        int error = posix_spawn(&child, *at, &copy, NULL, at, environ);
        tell_end("spawn", error, child);
        error = posix_spawnp(&child, *at, &actions, NULL, at, environ);
        tell_end("spawnp", error, child);
        posix_spawn_file_actions_destroy(&actions);
    }
    return 0;
}

static void tell(const char *what, int result)
{
    say("%s: %d errno %d\n", what, result, errno);
    errno = 0;
}

static void forked(const char *what, const char *path, char *const *arguments, char *const *environment)
{
    pid_t child = fork();
    if (child == 0) {
        tell(what, execve(path, arguments, environment));
        _exit(77);
    }
    tell_end(what, 0, child);
}

/* A list whose texts are there, but not its end; or a text without one. */
static void *at_an_edge(const void *data, size_t bytes)
{
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    mprotect(pages + 4096, 4096, PROT_NONE);
    return memcpy(pages + 4096 - bytes, data, bytes);
}

static int bad(void)
{
    char *const words[] = { (char *)"true", NULL }, *nothing = NULL;
    char *const *volatile nowhere = (char *const *)16, *const *volatile high = (char *const *)~0xfffull;
    char *const text_nowhere[] = { (char *)"A=b", (char *)16, NULL };
    char *const *no_end = at_an_edge(words, sizeof *words);
    char *const no_text_end[] = { at_an_edge("xxxx", 4), NULL }, *const last_text[] = { at_an_edge("A=b", 4), NULL };
    char *const *last_list = at_an_edge(words, sizeof words);
    const char *const bin_true = "/bin/true", *volatile bad_path = (const char *)16;
    static char long_text[140000];
    char *const long_texts[] = { long_text, NULL };
    pid_t child;

    memset(long_text, 'x', sizeof long_text - 1);
    memcpy(long_text, "LD_PRELOAD=", 11);
    errno = 0;
    tell("path", execve(bad_path, words, environ));
    tell("unended path", execve(no_text_end[0], words, environ));
    tell("path at", execveat(AT_FDCWD, bad_path, words, environ, 0));
    tell("arguments", execve(bin_true, nowhere, environ));
    tell("arguments", execv(bin_true, high));
    tell("argument", execve(bin_true, text_nowhere, environ));
    tell("variables", execve(bin_true, words, nowhere));
    tell("variables", execvpe("true", words, high));
    tell("variable", execve(bin_true, words, text_nowhere));
    tell("unended variables", execve(bin_true, words, no_end));
    tell("unended variable", execve(bin_true, words, no_text_end));
    tell("fexecve", fexecve(open(bin_true, O_RDONLY | O_CLOEXEC), words, text_nowhere));
    tell("long variable", execve(bin_true, words, long_texts));
    tell("long argument", execve(bin_true, long_texts, environ));
    forked("no arguments", bin_true, NULL, environ);
    forked("empty arguments", bin_true, &nothing, environ);
    forked("no variables", bin_true, words, NULL);
    forked("nothing", bin_true, NULL, NULL);
    forked("the last variable", bin_true, words, last_text);
    forked("the last list", bin_true, last_list, last_list);
    say("spawn, path: %d\n", posix_spawn(&child, bad_path, NULL, NULL, words, environ));
    say("spawn, variables: %d\n", posix_spawn(&child, bin_true, NULL, NULL, words, nowhere));
    say("spawn, variable: %d\n", posix_spawn(&child, bin_true, NULL, NULL, words, text_nowhere));
    environ = (char **)(uintptr_t)text_nowhere;
    tell("environ", execv(bin_true, words));
    return 0;
}

static int with_variables(bool spawns, char **words)
{
    char **variables = words;
    pid_t child = 0;

    while (*words && strcmp(*words, "--") != 0)
        words++;
    *words++ = NULL;
    if (!spawns)
        return execve(*words, words, variables);
    tell_end("spawned", posix_spawn(&child, *words, NULL, NULL, words, variables), child);
    return 0;
}

/* A system call that these programs do not need, and the recorder does. */
static void refuse_fallocate(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fallocate, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof filter / sizeof *filter, filter };

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    say("refused: %d\n", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
}

static int act(char **words)
{
    const char *word = *words++;

    if (strcmp(word, "bad") == 0)
        return bad();
    if (!*words)
        return 2;
    if (strcmp(word, "in") == 0)
        return in_directory(words);
    if (strcmp(word, "old") == 0)
        return by(old_spawn, "spawn", words) + by(old_spawnp, "spawnp", words);
    if (strcmp(word, "new") == 0)
        return by(posix_spawn, "spawn", words) + by(posix_spawnp, "spawnp", words);
    if (strcmp(word, "refused") == 0) {
        refuse_fallocate();
        return act(words);
    }
    return with_variables(strcmp(word, "spawn") == 0, words);
}

int main(int argc, char **argv)
{
    t_free(t_malloc(77));
    return argc > 1 ? act(argv + 1) : 2;
}
