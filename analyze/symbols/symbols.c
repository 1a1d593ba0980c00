/* The places and what is known of them. Before a file is read, what an earlier run has
 * found in the same files is looked up in the cache; what is read is added to it.
 *
 * Names come as payloads of format/names.h from all of the worker's pipe, the cache and a
 * log, none of which is believed. */
#include "analyze/symbols/symbols.h"

#include "analyze/symbols/cache.h"
#include "analyze/symbols/find_file.h"
#include "analyze/symbols/names_writer.h"
#include "analyze/symbols/perf_map.h"
#include "analyze/symbols/texts.h"
#include "analyze/symbols/worker.h"
#include "analyze/util.h"
#include "format/checksum.h"
#include "format/names.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SLICE_PLACES 1000        /* fewer are not worth a process of their own */
#define SLICE_BYTES (32u << 20)  /* nor are smaller files */
#define CACHED_BYTES_MAX (32u << 20) /* of a module; what would be more begins anew */

struct module {
    char *path;
    uint8_t build_id[64];
    size_t build_id_bytes;
    uint32_t pid; /* of generated code */
    uint64_t began_ns;
    bool is_jit, looked_for;
    struct module_files files;
    const char *problem;
    uint8_t *cached; /* rows of a length and a payload: what the cache's file has, then what is new */
    size_t cached_bytes, cached_capacity;
};

struct place {
    uint64_t address;
    uint32_t module;
    uint32_t first, count; /* in frames */
    bool resolved, taken; /* taken: from a log, by symbols_take() */
};

struct symbols {
    struct symbols_options options;
    char *cache; /* directory; NULL: none */
    struct module *modules;
    size_t module_count, module_capacity;
    uint32_t *module_table; /* hash of what tells a module apart -> 1 + module */
    size_t module_table_capacity;
    struct place *places;
    size_t place_count, place_capacity;
    uint32_t *table; /* hash of (module, address) -> 1 + place */
    size_t table_capacity;
    struct symbols_frame *frames;
    size_t frame_count, frame_capacity;
    struct texts texts;
    size_t unresolved;
};

struct symbols *symbols_new(const struct symbols_options *options)
{
    struct symbols *s = alloc_zeroed(1, sizeof *s);

    if (options)
        s->options = *options;
    if (!s->options.no_cache)
        s->cache = cache_directory();
    if (!s->options.jobs) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        s->options.jobs = cores < 1 ? 1 : cores > 16 ? 16 : (unsigned)cores;
    }
    return s;
}

void symbols_free(struct symbols *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->module_count; i++) {
        free(s->modules[i].path);
        free(s->modules[i].cached);
        module_files_release(&s->modules[i].files);
    }
    texts_release(&s->texts);
    free(s->cache);
    free(s->modules);
    free(s->module_table);
    free(s->places);
    free(s->table);
    free(s->frames);
    free(s);
}

/* ---- modules and places ------------------------------------------------------------- */

static bool is_same_module(const struct module *a, const struct module *b)
{
    return a->is_jit == b->is_jit && a->pid == b->pid && a->began_ns == b->began_ns &&
           a->build_id_bytes == b->build_id_bytes && memcmp(a->build_id, b->build_id, a->build_id_bytes) == 0 &&
           strcmp(a->path, b->path) == 0;
}

static uint32_t *module_slot(const struct symbols *s, const struct module *m)
{
    uint64_t key = checksum(m->path, strlen(m->path)) ^ checksum(m->build_id, m->build_id_bytes) * 31 ^ m->began_ns;
    size_t at = (size_t)(key * 0x9e3779b97f4a7c15ull >> 32) & (s->module_table_capacity - 1);

    while (s->module_table[at] && !is_same_module(&s->modules[s->module_table[at] - 1], m))
        at = (at + 1) & (s->module_table_capacity - 1);
    return &s->module_table[at];
}

static uint32_t add_module(struct symbols *s, const struct module *wanted)
{
    if (s->module_count * 2 >= s->module_table_capacity) {
        s->module_table_capacity = s->module_table_capacity ? s->module_table_capacity * 2 : 64;
        free(s->module_table);
        s->module_table = alloc_zeroed(s->module_table_capacity, sizeof *s->module_table);
        for (uint32_t i = 0; i < s->module_count; i++)
            *module_slot(s, &s->modules[i]) = i + 1;
    }
    uint32_t *slot = module_slot(s, wanted);
    if (!*slot) {
        s->modules = grow(s->modules, &s->module_capacity, s->module_count + 1, sizeof *s->modules);
        struct module *m = &s->modules[s->module_count];
        *m = *wanted;
        m->path = copy_text(wanted->path, strlen(wanted->path));
        *slot = (uint32_t)++s->module_count;
    }
    return *slot - 1;
}

/* The path is only lent. */
static struct module file_module(const char *path, const void *build_id, size_t build_id_bytes)
{
    struct module m = { .path = (char *)path, .build_id_bytes = build_id_bytes };

    if (m.build_id_bytes > sizeof m.build_id)
        m.build_id_bytes = sizeof m.build_id;
    if (m.build_id_bytes)
        memcpy(m.build_id, build_id, m.build_id_bytes);
    return m;
}

#define MAP_PATH_BYTES 64

static struct module jit_module(uint32_t pid, uint64_t began_ns, char path[MAP_PATH_BYTES])
{
    snprintf(path, MAP_PATH_BYTES, "/tmp/perf-%u.map", pid);
    return (struct module){ .path = path, .pid = pid, .began_ns = began_ns, .is_jit = true };
}

uint32_t symbols_module(struct symbols *s, const char *path, const void *build_id, size_t build_id_bytes)
{
    struct module wanted = file_module(path, build_id, build_id_bytes);
    return add_module(s, &wanted);
}

uint32_t symbols_jit(struct symbols *s, uint32_t pid, uint64_t began_ns)
{
    char path[MAP_PATH_BYTES];
    struct module wanted = jit_module(pid, began_ns, path);
    return add_module(s, &wanted);
}

size_t symbols_module_count(const struct symbols *s)
{
    return s->module_count;
}

const char *symbols_path(const struct symbols *s, uint32_t module)
{
    return s->modules[module].path;
}

static uint32_t *table_place(const struct symbols *s, uint32_t module, uint64_t address)
{
    uint64_t key = (address ^ (uint64_t)module << 40) * 0x9e3779b97f4a7c15ull;
    size_t at = (size_t)(key >> 28) & (s->table_capacity - 1);

    for (; s->table[at]; at = (at + 1) & (s->table_capacity - 1)) {
        const struct place *p = &s->places[s->table[at] - 1];
        if (p->module == module && p->address == address)
            break;
    }
    return &s->table[at];
}

uint32_t symbols_want(struct symbols *s, uint32_t module, uint64_t address)
{
    if (s->place_count * 2 >= s->table_capacity) {
        s->table_capacity = s->table_capacity ? s->table_capacity * 2 : 4096;
        free(s->table);
        s->table = alloc_zeroed(s->table_capacity, sizeof *s->table);
        for (uint32_t i = 0; i < s->place_count; i++)
            *table_place(s, s->places[i].module, s->places[i].address) = i + 1;
    }
    uint32_t *slot = table_place(s, module, address);
    if (!*slot) {
        s->places = grow(s->places, &s->place_capacity, s->place_count + 1, sizeof *s->places);
        s->places[s->place_count] = (struct place){ .address = address, .module = module };
        *slot = (uint32_t)++s->place_count;
        s->unresolved++;
    }
    return *slot - 1;
}

size_t symbols_frames(const struct symbols *s, uint32_t place, const struct symbols_frame **ret_frames)
{
    const struct place *p = &s->places[place];

    *ret_frames = s->frames + p->first;
    return p->count;
}

const char *symbols_problem(const struct symbols *s, uint32_t module)
{
    return s->modules[module].problem;
}

/* ---- names that come in ----------------------------------------------------------------- */

/* A payload that is read. Most of its texts are there many times. */
struct intake {
    struct names_decoder decoder;
    const char *kept[NAMES_TEXTS_MAX]; /* by number; NULL: not yet, or it is empty */
};

static void intake_free(struct intake **in)
{
    free(*in);
}
#define _cleanup_intake_ __attribute__((cleanup(intake_free)))

/* NULL: not even a module is there. */
static struct intake *intake_begin(const void *payload, size_t bytes)
{
    struct intake *in = alloc_zeroed(1, sizeof *in);

    if (names_decoder_begin(&in->decoder, payload, bytes))
        return in;
    free(in);
    return NULL;
}

static const char *keep_string(struct symbols *s, struct intake *in, const struct names_string *string)
{
    if (string->number >= NAMES_TEXTS_MAX)
        return texts_keep(&s->texts, string->text.data, string->text.bytes);
    const char **kept = &in->kept[string->number];
    if (!*kept)
        *kept = texts_keep(&s->texts, string->text.data, string->text.bytes);
    return *kept;
}

static void add_frame(struct symbols *s, const struct symbols_frame *frame)
{
    s->frames = grow(s->frames, &s->frame_capacity, s->frame_count + 1, sizeof *s->frames);
    struct symbols_frame *f = &s->frames[s->frame_count++];
    *f = *frame;
    if (!f->signature)
        f->signature = f->function;
}

static void take_frame(struct symbols *s, struct intake *in, const struct names_frame *from)
{
    add_frame(s, &(struct symbols_frame){
        .function = keep_string(s, in, &from->function),
        .signature = keep_string(s, in, &from->signature),
        .file = keep_string(s, in, &from->file),
        .line = from->line,
        .column = from->column,
    });
}

/* What is wanted and has nothing yet. from_log: it was not found out here. False: damage. */
static bool take_entries(struct symbols *s, uint32_t module, struct intake *in, bool from_log)
{
    struct names_decoder *d = &in->decoder;
    uint64_t address;
    uint32_t count;
    int got;

    while ((got = names_next(d, &address, &count)) == 1) {
        uint32_t *slot = s->table_capacity ? table_place(s, module, address) : NULL;
        uint32_t place = slot && *slot ? *slot - 1 : UINT32_MAX;
        bool is_new = place != UINT32_MAX && !s->places[place].resolved;
        size_t first = s->frame_count;
        for (uint32_t i = 0; i < count; i++) {
            struct names_frame frame;
            if (!names_next_frame(d, &frame)) {
                s->frame_count = first;
                return false;
            }
            if (is_new && s->frame_count < UINT32_MAX)
                take_frame(s, in, &frame);
        }
        if (!is_new)
            continue;
        struct place *p = &s->places[place];
        p->first = (uint32_t)first;
        p->count = (uint32_t)(s->frame_count - first);
        p->resolved = true;
        p->taken = from_log;
        s->unresolved--;
    }
    return got == 0;
}

int symbols_take(struct symbols *s, const void *payload, size_t bytes, uint32_t pid, uint64_t began_ns)
{
    _cleanup_intake_ struct intake *in = intake_begin(payload, bytes);
    char map_path[MAP_PATH_BYTES];

    if (!in)
        return -EBADMSG;
    const struct names_decoder *d = &in->decoder;
    _cleanup_free_ char *path = copy_text(d->path.data, d->path.bytes);
    struct module wanted = *path ? file_module(path, d->build_id.data, d->build_id.bytes) : jit_module(pid, began_ns, map_path);
    uint32_t *slot = s->module_table_capacity ? module_slot(s, &wanted) : NULL;
    if (!slot || !*slot)
        return 0; /* nobody has wanted anything of it */
    return take_entries(s, *slot - 1, in, true) ? 0 : -EBADMSG;
}

struct gift {
    const struct module *module;
    void (*take)(void *data, const void *payload, size_t bytes, uint32_t pid, uint64_t began_ns);
    void *data;
};

static void give_payload(void *data, const void *payload, size_t bytes)
{
    const struct gift *gift = data;
    gift->take(gift->data, payload, bytes, gift->module->pid, gift->module->began_ns);
}

static int by_module(const void *left, const void *right, void *data)
{
    const struct symbols *s = data;
    const struct place *a = &s->places[*(const uint32_t *)left], *b = &s->places[*(const uint32_t *)right];

    if (a->module != b->module)
        return a->module < b->module ? -1 : 1;
    return a->address < b->address ? -1 : a->address > b->address;
}

/* That a place of a module that was read whole has no name is worth telling, too. */
static bool is_found_out(const struct symbols *s, const struct place *p)
{
    const struct module *m = &s->modules[p->module];
    return p->resolved && !p->taken && (p->count || (m->looked_for && !m->problem));
}

void symbols_give(const struct symbols *s,
                  void (*take)(void *data, const void *payload, size_t bytes, uint32_t pid, uint64_t began_ns), void *data)
{
    _cleanup_free_ uint32_t *places = alloc_zeroed(s->place_count, sizeof *places);
    size_t count = 0;

    for (uint32_t i = 0; i < s->place_count; i++)
        if (is_found_out(s, &s->places[i]))
            places[count++] = i;
    qsort_r(places, count, sizeof *places, by_module, (void *)s);
    for (size_t i = 0; i < count;) {
        const struct module *m = &s->modules[s->places[places[i]].module];
        struct gift gift = { m, take, data };
        struct names_writer *writer = names_writer_begin(m->is_jit ? "" : m->path, m->build_id, m->build_id_bytes, give_payload, &gift);
        for (; i < count && &s->modules[s->places[places[i]].module] == m; i++) {
            const struct place *p = &s->places[places[i]];
            names_writer_add(writer, p->address, s->frames + p->first, p->count);
        }
        names_writer_end(writer);
    }
}

/* ---- the cache ---------------------------------------------------------------------- */

static bool is_cached(const struct symbols *s, const struct module *m)
{
    return s->cache && m->build_id_bytes && m->files.stamp;
}

static struct cache_key key_of(const struct module *m)
{
    return (struct cache_key){ m->build_id, m->build_id_bytes, m->files.stamp };
}

static void add_row(struct module *m, const void *payload, size_t bytes)
{
    uint32_t length = (uint32_t)bytes;

    if (m->cached_bytes + bytes > CACHED_BYTES_MAX)
        m->cached_bytes = 0;
    m->cached = grow(m->cached, &m->cached_capacity, m->cached_bytes + sizeof length + bytes, 1);
    memcpy(m->cached + m->cached_bytes, &length, sizeof length);
    memcpy(m->cached + m->cached_bytes + sizeof length, payload, bytes);
    m->cached_bytes += sizeof length + bytes;
}

static void take_cached(struct symbols *s, uint32_t module)
{
    struct module *m = &s->modules[module];
    struct cache_key key = key_of(m);
    size_t bytes;
    _cleanup_free_ uint8_t *rows = is_cached(s, m) ? cache_read(s->cache, &key, &bytes) : NULL;

    if (!rows)
        return;
    for (size_t at = 0; bytes - at > sizeof(uint32_t);) {
        uint32_t length;
        memcpy(&length, rows + at, sizeof length);
        at += sizeof length;
        _cleanup_intake_ struct intake *in = length <= bytes - at ? intake_begin(rows + at, length) : NULL;
        if (!in || !take_entries(s, module, in, false))
            return;
        add_row(m, rows + at, length);
        at += length;
    }
}

/* ---- resolving ------------------------------------------------------------------------ */

struct job {
    struct symbols *symbols;
    uint32_t module;
};

static void take_names(void *data, const void *payload, size_t bytes)
{
    struct job *job = data;
    _cleanup_intake_ struct intake *in = intake_begin(payload, bytes);

    if (in && take_entries(job->symbols, job->module, in, false) &&
        is_cached(job->symbols, &job->symbols->modules[job->module]))
        add_row(&job->symbols->modules[job->module], payload, bytes);
}

/* One module's places that are to be resolved. */
struct group {
    uint32_t module;
    uint64_t *addresses;
    size_t count;
};

/* The unresolved places, by module and address. */
static size_t collect(const struct symbols *s, uint32_t *ret_places)
{
    size_t count = 0;

    for (uint32_t i = 0; i < s->place_count; i++)
        if (!s->places[i].resolved)
            ret_places[count++] = i;
    qsort_r(ret_places, count, sizeof *ret_places, by_module, (void *)s);
    return count;
}

static void resolve_generated(struct symbols *s, const struct group *g)
{
    struct module *m = &s->modules[g->module];
    _cleanup_free_ char *path = format_text("%s%s", s->options.sysroot ? s->options.sysroot : "", m->path);
    _cleanup_free_ char **names = alloc_zeroed(g->count, sizeof *names);

    m->problem = perf_map_read(path, m->began_ns, g->addresses, g->count, names);
    for (size_t i = 0; i < g->count; i++) {
        if (!names[i])
            continue;
        struct place *p = &s->places[*table_place(s, g->module, g->addresses[i]) - 1];
        p->first = (uint32_t)s->frame_count;
        p->count = 1;
        add_frame(s, &(struct symbols_frame){ .function = texts_keep(&s->texts, names[i], strlen(names[i])) });
        free(names[i]);
    }
}

/* Finds the files, asks the cache. */
static void prepare(struct symbols *s, uint32_t module)
{
    struct module *m = &s->modules[module];

    if (m->looked_for)
        return;
    m->looked_for = true;
    find_files(&m->files, &s->options, m->path, m->build_id, m->build_id_bytes);
    m->problem = m->files.problem;
}

static const char *problem_of(enum worker_outcome outcome)
{
    switch (outcome) {
    case WORKER_LACKING:
        return ": a part of its debug information is in files that are not here (.dwo, or one that dwz has made): names and lines may be missing";
    case WORKER_DAMAGED:
        return ": its debug information cannot be read, or not all of it: it is damaged, or of a later kind; names and lines may be missing";
    case WORKER_DIED:
        return ": its debug information is damaged: reading it did not end well; names are from its symbols";
    case WORKER_NOTHING:
        return ": is damaged: reading it did not end well; its functions have no names";
    default:
        return NULL;
    }
}

struct batch {
    struct worker_task *tasks;
    size_t count, capacity;
    struct job *jobs; /* by module */
};

static void add_tasks(struct symbols *s, struct batch *b, const struct group *g)
{
    const struct module *m = &s->modules[g->module];
    size_t slices = 1;

    if (!m->files.binary && !m->files.debug)
        return;
    if (m->files.bytes >= SLICE_BYTES && g->count >= SLICE_PLACES)
        slices = s->options.jobs;
    b->jobs[g->module] = (struct job){ s, g->module };
    for (size_t i = 0; i < slices; i++) {
        size_t from = g->count * i / slices, to = g->count * (i + 1) / slices;
        b->tasks = grow(b->tasks, &b->capacity, b->count + 1, sizeof *b->tasks);
        b->tasks[b->count++] = (struct worker_task){
            .names = { &s->options, m->files.binary, m->files.debug, g->addresses + from, to - from, false },
            .bytes = m->files.bytes,
            .data = &b->jobs[g->module],
        };
    }
}

static void keep_in_cache(struct symbols *s, const struct batch *b)
{
    bool wrote = false;

    for (size_t i = 0; i < s->module_count; i++) {
        struct module *m = &s->modules[i];
        bool is_new = b->jobs[i].symbols, good = true;
        for (size_t k = 0; k < b->count && is_new; k++)
            good &= b->tasks[k].data != &b->jobs[i] || b->tasks[k].ret_outcome == WORKER_GOOD;
        if (is_new && good && m->cached_bytes) {
            struct cache_key key = key_of(m);
            cache_write(s->cache, &key, m->cached, m->cached_bytes);
            wrote = true;
        }
        free(m->cached);
        m->cached = NULL;
        m->cached_bytes = m->cached_capacity = 0;
    }
    if (wrote)
        cache_trim(s->cache, CACHE_BYTES_MAX);
}

/* The groups of the places that are still unresolved; addresses has room for all of them. */
static size_t find_groups(struct symbols *s, struct group *groups, uint64_t *addresses)
{
    _cleanup_free_ uint32_t *places = alloc_zeroed(s->place_count, sizeof *places);
    size_t count = collect(s, places), group_count = 0;

    for (size_t i = 0; i < count; i++) {
        const struct place *p = &s->places[places[i]];
        if (!group_count || groups[group_count - 1].module != p->module)
            groups[group_count++] = (struct group){ p->module, addresses + i, 0 };
        groups[group_count - 1].count++;
        addresses[i] = p->address;
    }
    return group_count;
}

void symbols_resolve(struct symbols *s)
{
    struct batch batch = { 0 };

    if (!s->unresolved)
        return;
    _cleanup_free_ struct group *groups = alloc_zeroed(s->module_count, sizeof *groups);
    _cleanup_free_ uint64_t *addresses = alloc_zeroed(s->place_count, sizeof *addresses);
    _cleanup_free_ struct job *jobs = batch.jobs = alloc_zeroed(s->module_count, sizeof *jobs);
    size_t count = find_groups(s, groups, addresses);
    for (size_t i = 0; i < count; i++) {
        if (s->modules[groups[i].module].is_jit) {
            resolve_generated(s, &groups[i]);
            continue;
        }
        prepare(s, groups[i].module);
        take_cached(s, groups[i].module);
    }
    count = find_groups(s, groups, addresses);
    for (size_t i = 0; i < count; i++)
        if (!s->modules[groups[i].module].is_jit)
            add_tasks(s, &batch, &groups[i]);
    workers_run(batch.tasks, batch.count, s->options.jobs, take_names);
    for (size_t i = 0; i < batch.count; i++) {
        struct module *m = &s->modules[((struct job *)batch.tasks[i].data)->module];
        if (batch.tasks[i].ret_outcome != WORKER_GOOD)
            m->problem = problem_of(batch.tasks[i].ret_outcome);
    }
    keep_in_cache(s, &batch);
    for (size_t i = 0; i < s->place_count; i++)
        s->places[i].resolved = true;
    s->unresolved = 0;
    free(batch.tasks);
}
