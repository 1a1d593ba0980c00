#include "analyze/symbols/asked_inside.h"
#include "analyze/symbols/sanitized.h"
#include "analyze/symbols/symbols_inside.h"

#include "analyze/util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPU_SECONDS_MOST 20

/* ---- in the child -------------------------------------------------------------------- */

void asked_begin_child(void)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    setrlimit(RLIMIT_CPU, &(struct rlimit){ CPU_SECONDS_MOST, CPU_SECONDS_MOST });
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
}

static void find_all_files(const struct symbols *s)
{
    struct symbols_options options = s->options;

    options.debuginfod = false; /* what no name was wanted of is not worth fetching */
    for (size_t i = 0; i < s->module_count; i++) {
        struct module *m = &s->modules[i];
        if (!m->is_jit && !m->looked_for)
            find_files(&m->files, &options, m->path, m->build_id, m->build_id_bytes, m->loaded_ns);
    }
}

static _Noreturn void be_child(const struct symbols *s, const struct symbols_asking *how, const struct symbols_asked *asked, size_t count,
                               volatile uint8_t *found)
{
    char **bare = alloc_zeroed(count, sizeof *bare);

    asked_begin_child();
#ifndef SANITIZED
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0)
        dup2(nowhere, STDERR_FILENO); /* what libraries say of damage */
#endif
    find_all_files(s);
    for (size_t k = 0; k < count; k++) {
        bare[k] = asked_bare_name(asked[k].name);
        for (size_t i = 0; i < s->module_count && !(found[k] & SYMBOLS_HAVE); i++) {
            const struct module *m = &s->modules[i];
            bool has = asked[k].is_module ? how->is_module(how->data, module_file_name(m), asked[k].name)
                                          : asked_file_has(m->files.binary, asked[k].name, bare[k]) ||
                                                asked_file_has(m->files.debug, asked[k].name, bare[k]);
            found[k] |= has && !m->is_jit ? SYMBOLS_HAVE : 0;
        }
    }
    for (size_t i = 0; i < s->module_count; i++) {
        const struct module *m = &s->modules[i];
        if (!m->is_jit && !how->is_left_out(module_file_name(m)))
            asked_read_dwarf(how, &s->options, module_file_name(m), &m->files, asked, bare, count, found);
    }
    for (size_t i = 0; i < s->module_count; i++)
        if (!s->modules[i].is_jit && !how->is_left_out(module_file_name(&s->modules[i])))
            asked_read_code(how, &s->modules[i].files, asked, bare, count, found);
    _exit(0);
}

/* ---- in the parent ------------------------------------------------------------------- */

void symbols_ask(const struct symbols *s, const struct symbols_asking *how, struct symbols_asked *asked, size_t count)
{
    if (!count)
        return;
    uint8_t *found = mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED)
        return;
    fflush(NULL); /* lest the child writes it once more */
    pid_t pid = fork();
    if (pid == 0)
        be_child(s, how, asked, count, found);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) { }
    for (size_t k = 0; k < count; k++)
        asked[k].found |= found[k] & (ASKED_IS_TOLD - 1);
    munmap(found, count);
}
