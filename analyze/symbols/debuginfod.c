/* The library is loaded when it is asked for, not linked: it brings a whole network client
 * with it, and is not there on many machines. */
#include "analyze/symbols/debuginfod.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

struct client;

static struct {
    bool tried;
    struct client *(*begin)(void);
    void (*end)(struct client *client);
    void (*tell)(struct client *client, int (*progress)(struct client *client, long done, long all));
    int (*find[2])(struct client *client, const unsigned char *build_id, int build_id_bytes, char **ret_path);
} library;

static bool load_library(void)
{
    if (!library.tried) {
        void *handle = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
        library.tried = true;
        if (handle) {
            *(void **)&library.begin = dlsym(handle, "debuginfod_begin");
            *(void **)&library.end = dlsym(handle, "debuginfod_end");
            *(void **)&library.tell = dlsym(handle, "debuginfod_set_progressfn");
            *(void **)&library.find[DEBUGINFOD_DEBUG_FILE] = dlsym(handle, "debuginfod_find_debuginfo");
            *(void **)&library.find[DEBUGINFOD_BINARY] = dlsym(handle, "debuginfod_find_executable");
        }
    }
    return library.begin && library.end && library.find[0] && library.find[1];
}

static const struct symbols_options *asking; /* of the request at hand */

static int stops(struct client *client, long done, long all)
{
    (void)client;
    (void)done;
    (void)all;
    return !asking->goes_on(asking->goes_on_data, -1);
}

char *debuginfod_find(const struct symbols_options *options, enum debuginfod_kind kind, const void *build_id, size_t build_id_bytes, const char **ret_problem)
{
    const char *urls = getenv("DEBUGINFOD_URLS");
    char *path = NULL;

    if (!urls || !*urls) {
        *ret_problem = ": --debuginfod: the variable DEBUGINFOD_URLS names no server";
        return NULL;
    }
    if (!load_library()) {
        *ret_problem = ": --debuginfod: libdebuginfod.so.1 cannot be loaded: install libdebuginfod1";
        return NULL;
    }
    struct client *client = library.begin();
    if (!client)
        return NULL;
    asking = options;
    if (library.tell && options->goes_on)
        library.tell(client, stops);
    int fd = library.find[kind](client, build_id, (int)build_id_bytes, &path);
    library.end(client);
    if (fd < 0)
        return NULL;
    close(fd);
    return path;
}
