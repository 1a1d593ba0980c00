#include "format/signal_name.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

static const struct {
    const char *name;
    int number;
} names[] = {
    { "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT }, { "ILL", SIGILL }, { "TRAP", SIGTRAP }, { "ABRT", SIGABRT },
    { "IOT", SIGABRT }, { "BUS", SIGBUS }, { "FPE", SIGFPE }, { "USR1", SIGUSR1 }, { "SEGV", SIGSEGV }, { "USR2", SIGUSR2 },
    { "PIPE", SIGPIPE }, { "ALRM", SIGALRM }, { "TERM", SIGTERM }, { "CHLD", SIGCHLD }, { "CLD", SIGCHLD },
    { "CONT", SIGCONT }, { "TSTP", SIGTSTP }, { "TTIN", SIGTTIN }, { "TTOU", SIGTTOU }, { "URG", SIGURG }, { "XCPU", SIGXCPU },
    { "XFSZ", SIGXFSZ }, { "VTALRM", SIGVTALRM }, { "PROF", SIGPROF }, { "WINCH", SIGWINCH }, { "IO", SIGIO }, { "SYS", SIGSYS },
#ifdef SIGSTKFLT
    { "STKFLT", SIGSTKFLT },
#endif
#ifdef SIGPOLL
    { "POLL", SIGPOLL },
#endif
#ifdef SIGPWR
    { "PWR", SIGPWR },
#endif
};

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* Behind `start`, if the text begins with it, in any case; NULL: it does not. */
static const char *behind(const char *text, const char *start)
{
    for (; *start; text++, start++)
        if (upper(*text) != *start)
            return NULL;
    return text;
}

/* -1: it is no number, or a large one. */
static int number_of(const char *text)
{
    int number = 0;

    if (!*text)
        return -1;
    for (; *text >= '0' && *text <= '9' && number < 1000; text++)
        number = number * 10 + (*text - '0');
    return *text ? -1 : number;
}

/* "", or the sign and a number. */
static int offset_from(int signal, const char *rest, char sign)
{
    int number = !*rest ? 0 : *rest == sign ? number_of(rest + 1) : -1;
    return number < 0 ? 0 : sign == '+' ? signal + number : signal - number;
}

static int any_number(const char *name, int first, int last)
{
    const char *rest = behind(name, "SIG");

    if (number_of(name) >= 0)
        return number_of(name);
    name = rest ? rest : name;
    if ((rest = behind(name, "RTMIN")))
        return offset_from(first, rest, '+');
    if ((rest = behind(name, "RTMAX")))
        return offset_from(last, rest, '-');
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((rest = behind(name, names[i].name)) && !*rest)
            return names[i].number;
    return 0;
}

int signal_name_number(const char *name, int real_time_first, int real_time_last)
{
    const int number = any_number(name, real_time_first, real_time_last);
    const bool usual = number > 0 && number < 32 && number != SIGKILL && number != SIGSTOP;

    /* Those between are the C library's own. */
    return usual || (number >= real_time_first && number <= real_time_last) ? number : 0;
}
