#include "analyze/file_size_limit.h"

#include <signal.h>

static struct sigaction inherited = { .sa_handler = SIG_DFL };

void file_size_limit_survive(void)
{
    sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, &inherited);
}

void file_size_limit_give_back(void)
{
    sigaction(SIGXFSZ, &inherited, NULL);
}
