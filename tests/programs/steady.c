/* steady FILE COUNT [PROCESSES [daemon]]  allocates and frees COUNT blocks of STEADY_SIZE
 * bytes in each process, as fast as it can. FILE is mapped shared and has the number of
 * allocations that each has done: what a kill at any moment leaves there is the truth.
 * daemon: the first process ends at once, and the others go on without it. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEADY_SIZE 7777
#define PROCESSES_MAX 16

static void work(volatile uint64_t *done, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        void *block = malloc(STEADY_SIZE);
        if (!block)
            _exit(3);
        *done = i + 1;
        free(block);
    }
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;
    unsigned processes = argc > 3 ? (unsigned)atoi(argv[3]) : 1;
    int daemon = argc > 4 && strcmp(argv[4], "daemon") == 0;
    int fd = argc > 1 ? open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (fd < 0 || processes > PROCESSES_MAX || ftruncate(fd, PROCESSES_MAX * sizeof(uint64_t)) != 0)
        return 2;
    volatile uint64_t *done = mmap(NULL, PROCESSES_MAX * sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (done == MAP_FAILED)
        return 2;
    for (unsigned i = 1; i < processes; i++)
        if (fork() == 0) {
            if (daemon)
                setsid();
            work(&done[i], count);
            _exit(0);
        }
    if (daemon)
        return 0;
    work(&done[0], count);
    while (wait(NULL) > 0)
        ;
    return 0;
}
