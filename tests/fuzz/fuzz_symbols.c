/* A libFuzzer target for what names of code are read from, but for ELF files, which worker.h's children read. The first byte
 * says what the bytes are:
 *   P  a perf map          C  a file of the cache        R  what such a file holds: rows of names
 *   N  a payload of names, which is given on and taken again   W  what a worker writes into its pipe */
#include "analyze/symbols/resolve.c" /* take_cached() */
#include "analyze/symbols/worker.c"  /* receive() */

#include "analyze/hash.h"
#include "format/layout.h"
#include "format/names.h"

#include <limits.h>
#include <stdio.h>

#define BUILD_ID "0123456789abcdefghij"
#define MODULE "/opt/libexample.so"
#define PLACES 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char directory[PATH_MAX - 64], map_path[PATH_MAX], cached_path[PATH_MAX];
static const struct cache_key key = { (const uint8_t *)BUILD_ID, sizeof BUILD_ID - 1, 1 };

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz_symbols: not so: %s\n", what);
    abort();
}

static void write_file(const char *path, const void *data, size_t bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    demand(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes, "a file can be written");
    close(fd);
}

static uint64_t address_of(size_t place)
{
    return place + 1 < PLACES ? place * place * 16 : UINT64_MAX;
}

/* One module, some of whose places are wanted. */
static struct symbols *wanting(void)
{
    struct symbols *s = symbols_new(&(struct symbols_options){ .no_cache = true, .jobs = 1 });
    uint32_t module = symbols_module(s, MODULE, BUILD_ID, sizeof BUILD_ID - 1, 0);

    for (size_t i = 0; i < PLACES; i++)
        symbols_want(s, module, address_of(i));
    s->modules[module].files.stamp = key.stamp;
    s->cache = copy_text(directory, strlen(directory));
    return s;
}

static size_t length(const char *text)
{
    return text ? strlen(text) : 0;
}

/* Reads all that has been found. */
static void look_at(const struct symbols *s)
{
    size_t unresolved = 0;

    for (uint32_t i = 0; i < PLACES; i++) {
        const struct symbols_frame *frames;
        size_t count = symbols_frames(s, i, &frames);
        for (size_t k = 0; k < count; k++)
            demand(length(frames[k].function) + length(frames[k].signature) + length(frames[k].file) < SIZE_MAX, "texts end");
        demand(count <= NAMES_FRAMES_MAX, "a place has so many frames");
        unresolved += !s->places[i].resolved;
    }
    demand(unresolved == s->unresolved, "what is unresolved is counted");
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void demand_same(const struct symbols *a, const struct symbols *b)
{
    for (uint32_t i = 0; i < PLACES; i++) {
        const struct symbols_frame *one, *other;
        size_t count = symbols_frames(a, i, &one);
        demand(symbols_frames(b, i, &other) == count, "what is given on has as many frames");
        for (size_t k = 0; k < count; k++)
            demand(is_same_text(one[k].function, other[k].function) && is_same_text(one[k].signature, other[k].signature) &&
                       is_same_text(one[k].file, other[k].file) && one[k].line == other[k].line && one[k].column == other[k].column,
                   "what is given on is the same");
    }
}

static void take_given(void *data, const void *payload, size_t bytes, uint32_t pid, uint64_t began_ns)
{
    demand(bytes <= REC_CHUNK_PAYLOAD_MAX, "it fits a chunk");
    demand(symbols_take(data, payload, bytes, pid, began_ns) == 0, "what is given can be taken");
}

static void read_payload(const uint8_t *data, size_t size)
{
    struct symbols *found = wanting(), *again = wanting(), *logged = wanting();

    symbols_take_from(found, 0, data, size);
    look_at(found);
    symbols_give(found, take_given, again);
    look_at(again);
    demand_same(found, again);
    symbols_take(logged, data, size, 7, 1);
    look_at(logged);
    symbols_free(found);
    symbols_free(again);
    symbols_free(logged);
}

static void read_map(const uint8_t *data, size_t size)
{
    uint64_t addresses[PLACES];
    char *names[PLACES] = { 0 };

    for (size_t i = 0; i < PLACES; i++)
        addresses[i] = address_of(i);
    write_file(map_path, data, size);
    demand(!perf_map_read(map_path, 0, addresses, PLACES, names), "a map of one's own is read");
    for (size_t i = 0; i < PLACES; i++) {
        demand(!names[i] || (*names[i] && !strchr(names[i], '\n')), "a name is the rest of a line");
        free(names[i]);
    }
}

/* As a file of the cache; raw: its header, too. */
static void read_cache(const uint8_t *data, size_t size, bool raw)
{
    struct symbols *s = wanting();

    unlink(cached_path);
    if (raw)
        write_file(cached_path, data, size);
    else
        cache_write(directory, &key, data, size);
    take_cached(s, 0);
    look_at(s);
    demand(s->modules[0].cached_bytes <= size, "what was taken from the cache is kept for it");
    /* What is kept makes a file that says the same. */
    struct symbols *again = wanting();
    unlink(cached_path);
    if (s->modules[0].cached_bytes)
        cache_write(directory, &key, s->modules[0].cached, s->modules[0].cached_bytes);
    take_cached(again, 0);
    look_at(again);
    demand(again->modules[0].cached_bytes == s->modules[0].cached_bytes, "what was kept is kept again");
    symbols_free(s);
    symbols_free(again);
}

/* The first byte says in what pieces the rest comes. */
static void read_pipe(const uint8_t *data, size_t size)
{
    struct symbols *s = wanting();
    struct job job = { s, 0 };
    struct worker_task task = { .data = &job };
    struct child child = { .task = &task };
    size_t piece = size ? 1 + data[0] : 1;
    int ends[2];

    demand(pipe2(ends, O_CLOEXEC) == 0, "a pipe can be made");
    child.fd = ends[0];
    bool goes_on = true;
    for (size_t at = 1; at < size && goes_on; at += piece) {
        size_t bytes = size - at < piece ? size - at : piece;
        demand(write(ends[1], data + at, bytes) == (ssize_t)bytes, "a pipe can be written");
        goes_on = receive(&child, take_names);
    }
    close(ends[1]);
    demand(!goes_on || !receive(&child, take_names), "it has an end");
    demand(task.ret_outcome <= WORKER_DAMAGED, "an outcome is one of a child that lived");
    close(ends[0]);
    free(child.buffer);
    look_at(s);
    symbols_free(s);
}

static void remove_files(void)
{
    unlink(map_path);
    unlink(cached_path);
    rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *temporary = getenv("TMPDIR");
    size_t used;

    (void)argc;
    (void)argv;
    memset(hash_key, 1, sizeof hash_key); /* the same bytes do the same each time */
    snprintf(directory, sizeof directory, "%s/fuzz_symbols-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    demand(mkdtemp(directory) != NULL, "a directory can be made");
    snprintf(map_path, sizeof map_path, "%s/map", directory);
    used = (size_t)snprintf(cached_path, sizeof cached_path, "%s/", directory);
    for (size_t i = 0; i < key.build_id_bytes; i++)
        used += (size_t)sprintf(cached_path + used, "%02x", key.build_id[i]);
    atexit(remove_files);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return -1;
    uint8_t *copy = memcpy(malloc(size > 1 ? size - 1 : 1), data + 1, size - 1);
    switch (*data) {
    case 'P':
        read_map(copy, size - 1);
        break;
    case 'C':
    case 'R':
        read_cache(copy, size - 1, *data == 'C');
        break;
    case 'N':
        read_payload(copy, size - 1);
        break;
    case 'W':
        read_pipe(copy, size - 1);
        break;
    }
    free(copy);
    return 0;
}
