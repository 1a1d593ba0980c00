/* plugin LIBRARY LIBRARY ROUNDS: opens and closes both in turn, so that the
 * second comes to lie where the first was, while another thread allocates from
 * code of its own. Sizes say who allocates: 7001 the first, 7002 the second
 * library, less than 1000 the thread. */
#define TRUTH_BUFFERED
#include "truth.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_bool enough;

static NOINLINE void own_code(size_t size)
{
    t_free(t_malloc(size));
}

static void *allocates_always(void *unused)
{
    (void)unused;
    for (size_t i = 0; !enough; i = (i + 1) % 1000) {
        own_code(i);
        if (i % 100 == 0)
            usleep(500);
    }
    truth_flush();
    return NULL;
}

static void use(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *(*allocate)(size_t *) = library ? (void *(*)(size_t *))(uintptr_t)dlsym(library, "allocate") : NULL;
    size_t size;

    if (!allocate) {
        say("%s: cannot be used\n", path);
        return;
    }
    void *block = allocate(&size);
    truth("malloc", block, size, 0);
    void *kept = allocate(&size);
    truth("malloc", kept, size, 0);
    t_free(block);
    dlclose(library);
    t_free(kept); /* after its code has gone */
}

int main(int argc, char **argv)
{
    pthread_t thread;

    if (argc < 4)
        return 99;
    pthread_create(&thread, NULL, allocates_always, NULL);
    for (int i = 0; i < atoi(argv[3]); i++) {
        use(argv[1]);
        use(argv[2]);
    }
    enough = true;
    pthread_join(thread, NULL);
    truth_flush();
    say("done\n");
    return 0;
}
