/* spent FILE PROGRAM [ARGS...]  runs PROGRAM and writes to FILE what it alone has taken: CPU
 * time and wall time, in seconds. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    int status = -1;

    if (argc < 3)
        return 2;
    double start = now();
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &usage) != pid)
        return 2;
    double wall = now() - start;
    FILE *file = fopen(argv[1], "we");
    if (!file)
        return 2;
    fprintf(file, "%.6f %.6f\n", (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6, wall);
    fclose(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
