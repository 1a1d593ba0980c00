/* interrupted_return: a signal handler returns, and each instruction of the return is interrupted by another signal, whose
 * handler allocates 1001, 1002, ... bytes. Prints how many there were. x86-64: it sets the processor's trap flag. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#define TRAP_FLAG 0x100

static volatile int traps;

/* The kernel takes the registers of the first signal's frame, and with them the flag as it was before. */
static void on_trap(int number)
{
    (void)number;
    traps++;
    free(malloc(1000 + (size_t)traps));
}

static void return_by_steps(int number)
{
    (void)number;
    __asm__ volatile("pushf; orl %0, (%%rsp); popf" : : "i"(TRAP_FLAG) : "memory", "cc");
}

int main(void)
{
    struct sigaction first = { .sa_handler = return_by_steps }, second = { .sa_handler = on_trap };

    sigaction(SIGUSR1, &first, NULL);
    sigaction(SIGTRAP, &second, NULL);
    raise(SIGUSR1);
    printf("%d\n", traps);
    return 0;
}
