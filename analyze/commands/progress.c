#include "analyze/commands/progress.h"

#include "analyze/new_file.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#define FIRST_NS 1000000000ull
#define AGAIN_NS 200000000ull
#define TWICE_NS 50000000ull /* what timeout(1) sends to us and to our group is one signal */

static volatile sig_atomic_t interrupted; /* by a signal of which no pass has taken notice yet */
static volatile sig_atomic_t has_come;    /* the first: the next ends the program */
static uint64_t came_ns;
static bool is_over[PROGRESS_NAMES + 1];  /* passes of this kind end at once */

static const int ending_signals[] = { SIGINT, SIGTERM, SIGHUP };
#define ENDING_SIGNALS (sizeof ending_signals / sizeof *ending_signals)

static void on_end(int number);
static void change_handlers(void (*from)(int number), void (*to)(int number));

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Once: the next one ends the program, whichever it is. But a terminal that is closed sends SIGHUP more than once, and so does
 * the shell in it. */
static void on_interrupt(int number)
{
    interrupted = has_come = 1;
    came_ns = now_ns();
    change_handlers(on_interrupt, on_end);
    if (number == SIGHUP)
        signal(SIGHUP, SIG_IGN);
}

/* Between passes, while output is written, and where one has come before: no part of that looks like the whole. */
static void on_end(int number)
{
    static const char text[] = "malloscope: ended by a signal: the output is not whole\n";

    if (has_come && now_ns() - came_ns < TWICE_NS)
        return;
    new_file_abandon();
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    signal(number, SIG_DFL);
    raise(number);
}

/* While a pass goes on, which can end. What is ignored, as SIGHUP under nohup, stays so. What reads logs may write (dump), and
 * of a write that the signal interrupts stdio would lose all; what waits, for a pipe or a server, is to be interrupted. */
static void wait_for_interrupt(enum progress_kind kind)
{
    struct sigaction now, action = { .sa_handler = on_interrupt, .sa_flags = kind == PROGRESS_READS ? SA_RESTART : 0 };

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < ENDING_SIGNALS; i++)
        sigaddset(&action.sa_mask, ending_signals[i]);
    for (size_t i = 0; i < ENDING_SIGNALS && !has_come; i++)
        if (sigaction(ending_signals[i], NULL, &now) == 0 && (now.sa_handler == SIG_DFL || now.sa_handler == on_end))
            sigaction(ending_signals[i], &action, NULL);
}

/* Async-signal-safe. */
static void change_handlers(void (*from)(int number), void (*to)(int number))
{
    struct sigaction now;

    for (size_t i = 0; i < ENDING_SIGNALS; i++)
        if (sigaction(ending_signals[i], NULL, &now) == 0 && now.sa_handler == from)
            signal(ending_signals[i], to);
}

void progress_begin(struct progress *p, enum progress_kind kind, const char *what)
{
    *p = (struct progress){ .what = what, .kind = kind, .began_ns = now_ns(), .is_terminal = isatty(STDERR_FILENO) };
    wait_for_interrupt(kind);
}

bool progress_goes_on(void *data, double progress)
{
    struct progress *p = data;

    if (interrupted || is_over[p->kind]) {
        p->was_interrupted = true;
        return false;
    }
    if (!p->is_terminal)
        return true;
    uint64_t now = now_ns();
    if (now - p->began_ns >= FIRST_NS && now - p->shown_ns >= AGAIN_NS) {
        if (progress < 0)
            fprintf(stderr, "\r%s", p->what);
        else
            fprintf(stderr, "\r%s %3.0f %%", p->what, progress * 100);
        fflush(stderr);
        p->shown_ns = now;
        p->is_shown = true;
    }
    return true;
}

void progress_end(struct progress *p)
{
    if (p->is_shown)
        fprintf(stderr, "\r\033[K");
    p->is_shown = false;
    change_handlers(on_interrupt, on_end);
    if (!p->was_interrupted)
        return;
    interrupted = 0;
    is_over[PROGRESS_READS] |= p->kind != PROGRESS_COPIES;
    is_over[PROGRESS_NAMES] |= p->kind == PROGRESS_NAMES;
}
