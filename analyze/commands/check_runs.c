/* Each run is a process of its own, which does what `record` does: that changes its environment and its signals, and
 * so each run begins as the first one did. */
#include "analyze/commands/check_runs.h"

#include "analyze/command.h"
#include "analyze/commands/check_late.h"
#include "analyze/commands/record_run.h"
#include "analyze/options.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const int ending_signals[] = { SIGINT, SIGTERM, SIGHUP };
#define ENDING_SIGNALS (sizeof ending_signals / sizeof *ending_signals)

static volatile sig_atomic_t come; /* the signal that is to end us */
static volatile sig_atomic_t recorder; /* 0: none runs */

/* From a terminal the program gets it as well, from elsewhere through us only. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    come = number;
    if (recorder > 0 && info->si_code != SI_KERNEL)
        kill((pid_t)recorder, number);
}

static void take_signals(void)
{
    struct sigaction now;

    for (size_t i = 0; i < ENDING_SIGNALS; i++)
        if (sigaction(ending_signals[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
            sigaction(ending_signals[i], &(struct sigaction){ .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO }, NULL);
}

static void give_signals_back(void)
{
    struct sigaction now;

    for (size_t i = 0; i < ENDING_SIGNALS; i++)
        if (sigaction(ending_signals[i], NULL, &now) == 0 && now.sa_sigaction == on_signal)
            signal(ending_signals[i], SIG_DFL);
}

/* The program has the names of log and library in its environment, and programs copy that: they have the same length wherever
 * they are, or the figures would depend on it. */
#define DIRECTORY_BYTES 128 /* or a multiple */

static char *directory_in(const char *place)
{
    size_t bytes = strlen(place) + strlen("/malloscope-check.XXXXXX");
    char padding[DIRECTORY_BYTES];

    memset(padding, '.', sizeof padding);
    return format_text("%s/malloscope-check.%.*sXXXXXX", place, (int)((DIRECTORY_BYTES - bytes % DIRECTORY_BYTES) % DIRECTORY_BYTES), padding);
}

int check_runs_begin(struct check_runs *r, struct failure *ret_failure)
{
    const char *place = getenv("TMPDIR");

    place = place && *place ? place : "/tmp";
    _cleanup_free_ char *real = realpath(place, NULL);
    r->directory = directory_in(real ? real : place); /* what is not there, it will say */
    if (!mkdtemp(r->directory))
        return fail(ret_failure, errno, "%s: no directory for logs can be made there: %s; set TMPDIR to another place", r->directory,
                    strerror(errno));
    r->log = format_text("%s/run.mscope", r->directory); /* in each run the same: programs copy their environment */
    r->said = format_text("%s/said", r->directory);
    /* In a directory of its own: a program that empties all that it finds in TMPDIR would empty the library. Found also by a
     * program that has become another user's. LD_PRELOAD can hold neither space nor colon. */
    _cleanup_free_ char *library = format_text("%s/library", r->directory);
    if (!strpbrk(library, " :") && mkdir(library, 0711) == 0 && chmod(library, 0711) == 0 && chmod(r->directory, 0711) == 0)
        r->link = format_text("%s/libmalloscope.so", library);
    take_signals();
    return 0;
}

/* In the run's process. */
static int replace(int number, const char *path, int flags)
{
    int fd = open(path, flags, 0600);

    if (fd < 0 || (fd != number && dup2(fd, number) < 0)) {
        complain("%s: cannot be opened: %s", path, strerror(errno));
        return EXIT_NOT_TRACED;
    }
    if (fd != number)
        close(fd);
    return 0;
}

/* As a pattern of names (format/output_name.h). */
static char *pattern_of(const char *path)
{
    char *pattern = alloc_zeroed(2 * strlen(path) + 1, 1);

    for (size_t used = 0; *path; path++) {
        pattern[used++] = *path;
        if (*path == '%')
            pattern[used++] = '%';
    }
    return pattern;
}

/* What `record` takes from the environment: without everything there is nothing to compare, and the figures would be others
 * elsewhere. Only where the library is has to stay. */
static void forget_settings(void)
{
    for (char **entry = environ; entry && *entry;) {
        if (strncmp(*entry, "MALLOSCOPE_", 11) != 0 || strncmp(*entry, "MALLOSCOPE_SHIM=", 16) == 0) {
            entry++;
            continue;
        }
        _cleanup_free_ char *name = copy_text(*entry, strcspn(*entry, "="));
        unsetenv(name);
        entry = environ; /* it has moved */
    }
}

static int record_once(const struct check_runs *r)
{
    forget_settings();
    int refused = replace(STDERR_FILENO, r->said, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);
    refused = refused ? refused : replace(STDIN_FILENO, r->input ? r->input : "/dev/null", O_RDONLY);
    refused = refused ? refused : replace(STDOUT_FILENO, r->shows_output ? r->said : "/dev/null", O_WRONLY | O_APPEND);
    _cleanup_free_ char *pattern = pattern_of(r->log);
    return refused ? refused : record_run(&(struct record_options){ .output = pattern, .quiet = true, .compress = true, .threshold = 100, .shim_link = r->link,
                                                                   .elsewhere = "name another place with TMPDIR" },
                                          r->command);
}

bool check_runs_record(struct check_runs *r)
{
    sigset_t ending, mask;
    int status;

    if (come)
        return false;
    sigemptyset(&ending);
    for (size_t i = 0; i < ENDING_SIGNALS; i++)
        sigaddset(&ending, ending_signals[i]);
    fflush(stdout);
    sigprocmask(SIG_BLOCK, &ending, &mask);
    pid_t pid = fork();
    if (pid == 0) {
        give_signals_back();
        sigprocmask(SIG_SETMASK, &mask, NULL);
        int code = record_once(r);
        fflush(stderr);
        _exit(code);
    }
    recorder = pid;
    sigprocmask(SIG_SETMASK, &mask, NULL);
    if (pid < 0) {
        complain("cannot make a process: %s", strerror(errno));
        return false;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) { }
    recorder = 0;
    check_late_wait(r->log, check_runs_go_on, NULL);
    if (r->shows_output)
        check_runs_repeat(r);
    return !come && access(r->log, R_OK) == 0;
}

/* Up to the same word, which the program cannot know, what stands at a line's beginning is no command. */
static char *stop_commands(void)
{
    unsigned char dice[16];
    char *word = copy_text("", 0);

    if (getentropy(dice, sizeof dice) != 0)
        abort(); /* never for so few */
    for (size_t i = 0; i < sizeof dice; i++) {
        _cleanup_free_ char *before = word;
        word = format_text("%s%02x", before, dice[i]);
    }
    fprintf(stderr, "::stop-commands::%s\n", word);
    return word;
}

void check_runs_repeat(const struct check_runs *r)
{
    _cleanup_fclose_ FILE *said = fopen(r->said, "re");
    _cleanup_free_ char *word = NULL;
    char part[4096], last = '\n';

    fflush(stdout);
    for (size_t bytes; said && (bytes = fread(part, 1, sizeof part, said)) > 0; last = part[bytes - 1]) {
        if (r->is_read_by_github && !word)
            word = stop_commands();
        fwrite(part, 1, bytes, stderr);
    }
    if (word)
        fprintf(stderr, "%s::%s::\n", last == '\n' ? "" : "\n", word);
}

void check_runs_forget(struct check_runs *r)
{
    DIR *all = opendir(r->directory);

    for (struct dirent *one; all && (one = readdir(all));)
        if (one->d_name[0] != '.')
            unlinkat(dirfd(all), one->d_name, 0);
    if (all)
        closedir(all);
}

void check_runs_end(struct check_runs *r)
{
    if (r->log) {
        check_runs_forget(r);
        if (r->link) {
            unlink(r->link);
            *strrchr(r->link, '/') = 0;
            rmdir(r->link);
        }
        rmdir(r->directory);
        give_signals_back();
    }
    free(r->directory);
    free(r->log);
    free(r->said);
    free(r->link);
    r->directory = r->log = r->said = r->link = NULL;
    if (come)
        raise(come);
}

bool check_runs_go_on(void *data, double progress)
{
    (void)data;
    (void)progress;
    return !come;
}
