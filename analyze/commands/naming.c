#include "analyze/commands/naming.h"

#include "analyze/commands/progress.h"
#include "analyze/options.h"
#include "analyze/render/text.h"
#include "analyze/symbols/debuginfod.h"
#include "analyze/util.h"

#include <string.h>

#define PROBLEMS_SHOWN 5
#define STRIPPED_SHOWN 3

struct naming {
    const struct log *log;
    struct code *code;
    struct symbols *symbols;
    uint32_t *modules; /* by file: 1 + the symbols' number; 0: not asked yet */
    size_t module_capacity;
    uint32_t *places; /* by location, likewise */
    size_t place_capacity;
    bool all; /* that code had were resolved */
    bool ignores_log;
    bool asks_servers;
    bool damaged; /* names in the log are */
    struct progress progress;
};

void naming_option(struct symbols_options *options, int option, const char *value)
{
    switch (option) {
    case NAMING_SYSROOT:
        options->sysroot = value;
        break;
    case NAMING_DEBUG_PATHS:
        options->debug_paths = value;
        break;
    case NAMING_DEBUGINFOD:
        options->debuginfod = true;
        break;
    case NAMING_NO_CACHE:
        options->no_cache = true;
        break;
    }
}

static uint32_t module_of(struct naming *n, const struct code_location *place)
{
    const struct code_file *file = &n->code->files[place->file];

    if (!place->file) {
        const struct log_process *process = &n->log->processes[place->process];
        return symbols_jit(n->symbols, process->pid, process->image);
    }
    n->modules = grow(n->modules, &n->module_capacity, place->file + 1, sizeof *n->modules);
    if (!n->modules[place->file])
        n->modules[place->file] = 1 + symbols_module(n->symbols, file->path, file->build_id, file->build_id_bytes,
                                                           file->loaded_ns);
    return n->modules[place->file] - 1;
}

static void want(struct naming *n, uint32_t location)
{
    const struct code_location *place = &n->code->locations[location];

    if (!location || (!place->file && !n->log))
        return;
    n->places = grow(n->places, &n->place_capacity, location + 1, sizeof *n->places);
    n->places[location] = 1 + symbols_want(n->symbols, module_of(n, place), code_symbol_address(place));
}

/* The last ones in the log count: they are of who knew the others and did it again. */
static void take_from_log(struct naming *n)
{
    _cleanup_free_ uint8_t *payload = NULL;

    if (!n->log || n->ignores_log || !n->log->names_count)
        return;
    payload = alloc_zeroed(1, REC_CHUNK_PAYLOAD_MAX);
    for (size_t i = n->log->names_count; i-- > 0;) {
        const struct log_names *names = &n->log->names[i];
        n->damaged |= log_load(n->log, &names->chunk, payload) != 0 ||
                      symbols_take(n->symbols, payload, names->chunk.payload_bytes, names->pid, names->image) != 0;
    }
}

static void resolve(struct naming *n)
{
    take_from_log(n);
    progress_begin(&n->progress, PROGRESS_NAMES, "looking up names:");
    symbols_resolve(n->symbols);
    progress_end(&n->progress);
    n->code->names_interrupted = symbols_were_interrupted(n->symbols);
}

void naming_resolve(struct naming *n, const uint32_t *locations, size_t count)
{
    for (size_t i = 0; i < count; i++)
        want(n, locations[i]);
    resolve(n);
}

static size_t frames_at(void *data, uint32_t location, const struct symbols_frame **ret_frames)
{
    struct naming *n = data;
    bool known = location < n->place_capacity && n->places[location];

    if (!location)
        return 0;
    if (!known && !n->all) {
        n->all = true;
        for (uint32_t i = 1; i < n->code->location_count; i++)
            want(n, i);
        resolve(n);
        known = location < n->place_capacity && n->places[location];
    }
    return known ? symbols_frames(n->symbols, n->places[location] - 1, ret_frames) : 0;
}

struct naming *naming_open(const struct log *log, struct code *code, const struct symbols_options *options,
                           struct namer *ret_namer)
{
    struct naming *n = alloc_zeroed(1, sizeof *n);

    n->log = log;
    n->code = code;
    code_locate_all(code); /* now: renderers hold pointers to locations while they ask for names */
    struct symbols_options asking = options ? *options : (struct symbols_options){ 0 };
    asking.goes_on = progress_goes_on;
    asking.goes_on_data = &n->progress;
    n->symbols = symbols_new(&asking);
    n->asks_servers = asking.debuginfod;
    *ret_namer = (struct namer){ n, frames_at };
    return n;
}

void naming_close(struct naming *n)
{
    if (!n)
        return;
    symbols_free(n->symbols);
    free(n->modules);
    free(n->places);
    free(n);
}

void naming_ignore_log(struct naming *n)
{
    n->ignores_log = true;
}

bool naming_was_interrupted(const struct naming *n)
{
    return symbols_were_interrupted(n->symbols);
}

const struct symbols *naming_symbols(const struct naming *n)
{
    return n->symbols;
}

const struct symbols *naming_symbols_of_all(struct naming *n)
{
    for (uint32_t i = 1; i < n->code->file_count; i++)
        module_of(n, &(struct code_location){ .file = i });
    return n->symbols;
}

/* One line for all: on a machine without debug packages it is most of them. */
void naming_complain_of_stripped(const struct naming *n)
{
    _cleanup_free_ char *names = copy_text("", 0);
    size_t count = 0;

    for (uint32_t i = 0; i < symbols_module_count(n->symbols); i++) {
        if (!symbols_lacks_debug_file(n->symbols, i) || count++ >= STRIPPED_SHOWN)
            continue;
        const char *path = symbols_path(n->symbols, i), *slash = strrchr(path, '/');
        char *longer = format_text("%s%s%s", names, count > 1 ? ", " : "", slash ? slash + 1 : path);
        free(names);
        names = longer;
    }
    if (count)
        complain("no debug file for %s (%s%s): functions that are not in the symbol table have no names; install the "
                 "debug packages, or say --debug-paths%s", text_counted(count, "module"), names,
                 count > STRIPPED_SHOWN ? ", ..." : "", n->asks_servers ? "" : " or --debuginfod");
}

void naming_complain(const struct naming *n)
{
    const char *failure = debuginfod_failure();
    size_t count = 0, nameless = 0;

    if (failure)
        complain("--debuginfod: %s; names may be missing", failure);
    for (uint32_t i = 0; i < symbols_module_count(n->symbols); i++) {
        const char *problem = symbols_problem(n->symbols, i);
        if (problem && !*symbols_path(n->symbols, i))
            nameless++;
        else if (problem && problem != symbols_stopped && count++ < PROBLEMS_SHOWN)
            complain("%s%s", symbols_path(n->symbols, i), problem);
    }
    if (nameless)
        complain("%s in the log without a path, as there was no /proc: %s functions have no names",
                 text_counted(nameless, "program"), nameless == 1 ? "its" : "their");
    if (symbols_were_interrupted(n->symbols))
        complain("interrupted: names are missing");
    if (n->damaged)
        complain("%s: names that were written into it are damaged; what is whole of them was used", n->log->path);
    if (count > PROBLEMS_SHOWN)
        complain("names are missing or fewer than they might be for %s", text_counted(count - PROBLEMS_SHOWN, "more file"));
}
