/* The unresolved places -> their names. Before a file is read, what an earlier run has found
 * in the same files is looked up in the cache; what is read is added to it. */
#include "analyze/symbols/symbols_inside.h"

#include "analyze/symbols/cache.h"
#include "analyze/symbols/perf_map.h"
#include "analyze/symbols/worker.h"
#include "analyze/util.h"

#include <string.h>

#define SLICE_PLACES 1000        /* fewer are not worth a process of their own */
#define SLICE_BYTES (32u << 20)  /* nor are smaller files */
#define CACHED_BYTES_MAX (32u << 20) /* of a module; what would be more begins anew */

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
        if (length > bytes - at || !symbols_take_from(s, module, rows + at, length))
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

    if (symbols_take_from(job->symbols, job->module, payload, bytes) &&
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
    qsort_r(ret_places, count, sizeof *ret_places, symbols_by_module, (void *)s);
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
        struct place *p = &s->places[symbols_find_place(s, g->module, g->addresses[i])];
        p->first = (uint32_t)s->frame_count;
        p->count = 1;
        symbols_add_frame(s, &(struct symbols_frame){ .function = texts_keep(&s->texts, names[i], strlen(names[i])) });
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
    find_files(&m->files, &s->options, m->path, m->build_id, m->build_id_bytes, m->loaded_ns);
    m->problem = m->files.problem;
}

const char symbols_stopped[] = ": was not read to its end: interrupted; names and lines may be missing";

static const char *problem_of(struct symbols *s, const struct worker_task *task)
{
    switch (task->ret_outcome) {
    case WORKER_LACKING: {
        _cleanup_free_ char *text = format_text(": a part of its debug information is in files that are not here (%s): names and lines may be missing", task->ret_lacks);
        return texts_keep(&s->texts, text, strlen(text));
    }
    case WORKER_DAMAGED:
        return ": its debug information cannot be read, or not all of it: it is damaged, or of a later kind; names and lines may be missing";
    case WORKER_DIED:
        return ": its debug information is damaged: reading it did not end well; names are from its symbols";
    case WORKER_NOTHING:
        return ": is damaged: reading it did not end well; its functions have no names";
    case WORKER_STOPPED:
        return symbols_stopped;
    default:
        return NULL;
    }
}

/* It may take long to fetch a file, or to read what the cache has. */
static bool goes_on(struct symbols *s)
{
    s->interrupted |= s->options.goes_on && !s->options.goes_on(s->options.goes_on_data, 0);
    return !s->interrupted;
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
    for (size_t i = 0; i < count && goes_on(s); i++) {
        if (s->modules[groups[i].module].is_jit) {
            resolve_generated(s, &groups[i]);
            continue;
        }
        prepare(s, groups[i].module);
        take_cached(s, groups[i].module);
    }
    count = find_groups(s, groups, addresses);
    for (size_t i = 0; i < count && goes_on(s); i++) /* asked again: it may have come while the last file was fetched */
        if (!s->modules[groups[i].module].is_jit)
            add_tasks(s, &batch, &groups[i]);
    workers_run(batch.tasks, batch.count, s->options.jobs, take_names, s->options.goes_on, s->options.goes_on_data);
    for (size_t i = 0; i < batch.count; i++) {
        struct module *m = &s->modules[((struct job *)batch.tasks[i].data)->module];
        s->interrupted |= batch.tasks[i].ret_outcome == WORKER_STOPPED;
        if (batch.tasks[i].ret_outcome != WORKER_GOOD)
            m->problem = problem_of(s, &batch.tasks[i]);
    }
    keep_in_cache(s, &batch);
    for (size_t i = 0; i < s->place_count; i++) {
        s->places[i].resolved = true;
        s->modules[s->places[i].module].nameless |= !s->places[i].count;
    }
    s->unresolved = 0;
    free(batch.tasks);
}
