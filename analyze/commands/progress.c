#include "analyze/commands/progress.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#define FIRST_NS 1000000000ull
#define AGAIN_NS 200000000ull

static volatile sig_atomic_t interrupted; /* by a signal of which no pass has taken notice yet */
static bool is_over[PROGRESS_NAMES + 1];  /* passes of this kind end at once */

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Once: the signal itself takes the handler away. */
static void wait_for_interrupt(void)
{
    static bool waits;
    struct sigaction old;

    if (!waits && sigaction(SIGINT, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        sigaction(SIGINT, &(struct sigaction){ .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND }, NULL);
    waits = true;
}

void progress_begin(struct progress *p, enum progress_kind kind, const char *what)
{
    *p = (struct progress){ .what = what, .kind = kind, .began_ns = now_ns(), .is_terminal = isatty(STDERR_FILENO) };
    wait_for_interrupt();
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
    if (!p->was_interrupted)
        return;
    interrupted = 0;
    is_over[PROGRESS_READS] |= p->kind != PROGRESS_COPIES;
    is_over[PROGRESS_NAMES] |= p->kind == PROGRESS_NAMES;
}
