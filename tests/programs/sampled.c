/* sampled threads|forks COUNT: so many threads at once, or children one after the other, that
 * each make one allocation of each of three sizes that nobody else asks for, so that what each
 * one's first draws are decides. tests/shim/test_select.py knows the sizes. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile sink;
static pthread_barrier_t all_are_here;

static void allocate(void)
{
    sink = malloc(1009);
    sink = malloc(2017);
    sink = malloc(4051);
}

static void *work(void *argument)
{
    allocate();
    pthread_barrier_wait(&all_are_here); /* else one would take over the other's state */
    return argument;
}

int main(int argc, char **argv)
{
    int count = argc == 3 ? atoi(argv[2]) : 0;

    if (count < 1)
        return 2;
    sink = malloc(100000); /* the parent's own state is there, and must not be its children's */
    if (strcmp(argv[1], "forks") == 0) {
        for (int i = 0; i < count; i++) {
            pid_t child = fork();
            if (child == 0) {
                allocate();
                exit(0);
            }
            if (child < 0 || waitpid(child, NULL, 0) != child)
                return 3;
        }
        return 0;
    }
    pthread_t *threads = malloc((size_t)count * sizeof *threads);
    pthread_barrier_init(&all_are_here, NULL, (unsigned)count);
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, work, NULL) != 0)
            return 3;
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
