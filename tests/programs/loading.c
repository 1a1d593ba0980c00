/* Libraries that come and go in ways of their own:
 *
 *   loading storm ROUNDS LIBRARY...   two threads open, use and close them at the same
 *                                     time, while two others allocate
 *   loading deepbind|dlmopen LIBRARY  loaded so that it finds a malloc of its own
 *   loading origin LIBRARY NAME       it opens NAME, which only its RUNPATH leads to */
#include "truth.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

static char **libraries;
static int library_count, rounds;
static atomic_bool enough;

static void *find(void *library, const char *name)
{
    void *found = library ? dlsym(library, name) : NULL;

    if (!found)
        say("BAD: %s\n", dlerror());
    return found;
}

static void *opens_and_closes(void *start)
{
    for (int i = 0; i < rounds; i++) {
        void *library = dlopen(libraries[(i + (int)(intptr_t)start) % library_count], RTLD_NOW | RTLD_LOCAL);
        void (*use)(void) = (void (*)(void))(uintptr_t)find(library, "use");
        if (use)
            use();
        if (library)
            dlclose(library);
    }
    return NULL;
}

static void *allocates_always(void *unused)
{
    (void)unused;
    for (size_t i = 1; !enough; i = i % 1000 + 1) {
        t_free(t_realloc(t_malloc(i), 2 * i));
        usleep(100);
    }
    return NULL;
}

static void storm(void)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, i < 2 ? opens_and_closes : allocates_always, (void *)(intptr_t)i);
    for (int i = 0; i < 4; i++) {
        if (i == 2)
            enough = true;
        pthread_join(threads[i], NULL);
    }
}

/* Uses a library of plugin_library.c. Its block is not this malloc's if it has a
 * namespace of its own. */
static void allocate_in(void *library, bool frees)
{
    void *(*allocate)(size_t *) = (void *(*)(size_t *))(uintptr_t)find(library, "allocate");
    size_t size;

    if (!allocate)
        return;
    void *block = allocate(&size);
    say("%zu bytes: %s\n", size, block ? "good" : "BAD");
    if (frees)
        t_free(block);
    dlclose(library);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 2 ? argv[1] : "";

    if (strcmp(mode, "storm") == 0) {
        rounds = atoi(argv[2]);
        libraries = argv + 3;
        library_count = argc - 3;
        storm();
    } else if (strcmp(mode, "deepbind") == 0) {
        dlopen("libthere-is-none.so", RTLD_NOW);
        say("%s\n", strstr(dlerror(), "there-is-none") ? "good" : "BAD");
        allocate_in(dlopen(argv[2], RTLD_NOW | RTLD_DEEPBIND), true);
    } else if (strcmp(mode, "dlmopen") == 0) {
        allocate_in(dlmopen(LM_ID_NEWLM, argv[2], RTLD_NOW), false);
    } else if (strcmp(mode, "origin") == 0 && argc > 3) {
        void *library = dlopen(argv[2], RTLD_NOW);
        void *(*opens)(const char *, int) = (void *(*)(const char *, int))(uintptr_t)find(library, "opens");
        for (int way = 0; opens && way < 3; way++) {
            void *found = opens(argv[3], way);
            if (find(found, "allocate"))
                dlclose(found); /* the next way must look for it again */
        }
    }
    t_free(t_malloc(77));
    say("done\n");
    return 0;
}
