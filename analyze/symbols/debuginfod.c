/* The library is loaded when it is asked for, not linked: it brings a whole network client
 * with it, and is not there on many machines. */
#include "analyze/symbols/debuginfod.h"

#include "analyze/util.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct client;

static struct {
    bool tried;
    struct client *(*begin)(void);
    void (*end)(struct client *client);
    void (*tell)(struct client *client, int (*progress)(struct client *client, long done, long all));
    void (*say_to)(struct client *client, int fd);
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
            *(void **)&library.say_to = dlsym(handle, "debuginfod_set_verbose_fd");
            *(void **)&library.find[DEBUGINFOD_DEBUG_FILE] = dlsym(handle, "debuginfod_find_debuginfo");
            *(void **)&library.find[DEBUGINFOD_BINARY] = dlsym(handle, "debuginfod_find_executable");
        }
    }
    return library.begin && library.end && library.find[0] && library.find[1];
}

static const struct symbols_options *asking; /* of the request at hand */
static bool was_stopped;

static int stops(struct client *client, long done, long all)
{
    (void)client;
    (void)done;
    (void)all;
    was_stopped = !asking->goes_on(asking->goes_on_data, -1);
    return was_stopped;
}

/* ---- what goes wrong there ------------------------------------------------------------- */

static struct {
    bool kept_us_waiting; /* none is asked again, or each file would take as long */
    bool was_told;
    char *text; /* of the first failure */
} failure;

const char *debuginfod_failure(void)
{
    const char *text = failure.was_told ? NULL : failure.text;

    failure.was_told |= text != NULL;
    return text;
}

/* An answer 500 and a transfer that was cut are ENOENT to the library, as a file that a server does not have; the difference is in
 * what it says: "url 0 The requested URL returned error: 404". To be freed; NULL: it has said nothing of a failure. */
static char *read_words(FILE *said)
{
    char line[512];

    rewind(said);
    while (fgets(line, sizeof line, said)) {
        int at = 0;
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "url %*d %n", &at) == 0 && at && !strstr(line, "/buildid/") && !strstr(line, "returned error: 404"))
            return copy_text(line + at, strlen(line + at));
    }
    return NULL;
}

static time_t now_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void note_failure(int error, FILE *said, time_t began)
{
    _cleanup_free_ char *words = said ? read_words(said) : NULL;

    if (was_stopped || (error == ENOENT && !words))
        return;
    failure.kept_us_waiting |= error == ETIME;
    if (failure.text)
        return;
    if (error == ETIME)
        failure.text = format_text("the servers of DEBUGINFOD_URLS did not deliver within %lld s, and were not asked again (see DEBUGINFOD_TIMEOUT)",
                                   (long long)(now_seconds() - began));
    else
        failure.text = format_text("a server of DEBUGINFOD_URLS failed: %s", words ? words : strerror(error));
}

/* ---- asking ---------------------------------------------------------------------------- */

/* Who wants to read the library's words himself does. */
static FILE *listen_to(struct client *client)
{
    const char *is_verbose = getenv("DEBUGINFOD_VERBOSE");
    FILE *said = library.say_to && !(is_verbose && *is_verbose) ? tmpfile() : NULL;

    if (said)
        library.say_to(client, fileno(said));
    return said;
}

static char *ask(struct client *client, enum debuginfod_kind kind, const void *build_id, size_t build_id_bytes)
{
    _cleanup_fclose_ FILE *said = listen_to(client);
    time_t began = now_seconds();
    char *path = NULL;

    was_stopped = false;
    int fd = library.find[kind](client, build_id, (int)build_id_bytes, &path);
    if (fd < 0) {
        note_failure(-fd, said, began);
        return NULL;
    }
    close(fd);
    return path;
}

char *debuginfod_find(const struct symbols_options *options, enum debuginfod_kind kind, const void *build_id, size_t build_id_bytes, const char **ret_problem)
{
    const char *urls = getenv("DEBUGINFOD_URLS");

    if (!urls || !*urls) {
        *ret_problem = ": --debuginfod: the variable DEBUGINFOD_URLS names no server";
        return NULL;
    }
    if (!load_library()) {
        *ret_problem = ": --debuginfod: libdebuginfod.so.1 cannot be loaded: install libdebuginfod1";
        return NULL;
    }
    struct client *client = failure.kept_us_waiting ? NULL : library.begin();
    if (!client)
        return NULL;
    asking = options;
    if (library.tell && options->goes_on)
        library.tell(client, stops);
    char *path = ask(client, kind, build_id, build_id_bytes);
    library.end(client);
    return path;
}
