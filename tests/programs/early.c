/* Allocations before there is much of a process: from a library that is
 * initialised before all others, from the program's .preinit_array, and around
 * dlsym, which allocates itself. */
#include "truth.h"

#include <dlfcn.h>
#include <pthread.h>

void *early_block(void);

static void *from_preinit;

static void preinit(int argc, char **argv, char **environment)
{
    (void)argc;
    (void)argv;
    (void)environment;
    from_preinit = t_malloc(11);
    from_preinit = t_realloc(from_preinit, 5000);
}

__attribute__((section(".preinit_array"), used)) static void (*const at_preinit)(int, char **, char **) = preinit;

static void *in_thread(void *unused)
{
    (void)unused;
    t_free(t_malloc(66));
    return t_malloc(77);
}

int main(void)
{
    void *p = t_malloc(22), *q = NULL;
    pthread_t thread;

    for (int i = 0; i < 3; i++) {
        pthread_create(&thread, NULL, in_thread, NULL);
        pthread_join(thread, &q);
        t_free(q);
    }

    if (dlsym(RTLD_DEFAULT, "there is no such symbol"))
        say("BAD\n");
    say("%s\n", strstr(dlerror(), "no such symbol") ? "good" : "BAD");
    void *(*next_malloc)(size_t) = (void *(*)(size_t))(uintptr_t)dlsym(RTLD_NEXT, "malloc");
    say("%s\n", next_malloc ? "good" : "BAD");
    t_free(p);
    t_free(t_realloc(from_preinit, 33));
    t_free(t_realloc(early_block(), 44));
    return 0;
}
