#include "analyze/model/code.h"

#include "analyze/hash.h"

#include <string.h>

struct module {
    uint32_t file; /* 0: not announced */
    uint64_t bias, ns; /* ns: when it was loaded */
};

struct pc {
    uint64_t pc; /* 0: not announced */
    uint32_t module, session_pc; /* session_pc 0: it has none yet */
    bool exact;
};

struct code_process {
    struct numbered modules, pcs;
    uint64_t realtime_from_ns; /* CLOCK_REALTIME less CLOCK_MONOTONIC, modulo 2^64; 0: unknown */
    uint32_t *session_pcs; /* by number, of small ones: for a look that costs nothing. 0: it has none, or see pcs */
    size_t session_pc_capacity;
    struct numbered numbers; /* uint32_t, by the session's pc: the process's first for it. Where they are kept */
};

static void free_process(struct code_process *p)
{
    if (!p)
        return;
    numbered_release(&p->modules);
    numbered_release(&p->pcs);
    free(p->session_pcs);
    numbered_release(&p->numbers);
    free(p);
}

void code_init(struct code *c)
{
    *c = (struct code){ .pc_count = 1 };
    c->pcs = grow(NULL, &c->pc_capacity, 1, sizeof *c->pcs);
    c->pcs[0].is_located = true;
    c->files = grow(NULL, &c->file_capacity, 1, sizeof *c->files);
    c->files[c->file_count++].path = copy_text("", 0);
    c->locations = grow(NULL, &c->location_capacity, 1, sizeof *c->locations);
    c->location_count = 1;
}

void code_release(struct code *c)
{
    for (size_t i = 0; i < c->file_count; i++)
        free(c->files[i].path);
    free(c->files);
    hash_table_release(&c->file_table);
    free(c->locations);
    hash_table_release(&c->location_table);
    free(c->pcs);
    hash_table_release(&c->pc_table);
    for (size_t i = 0; i < c->process_capacity; i++)
        free_process(c->processes[i]);
    free(c->processes);
    *c = (struct code){ 0 };
}

static bool is_file(const struct code_file *file, struct text path, struct text build_id)
{
    return file->build_id_bytes == build_id.bytes && memcmp(file->build_id, build_id.data, build_id.bytes) == 0 &&
           strlen(file->path) == path.bytes && memcmp(file->path, path.data, path.bytes) == 0;
}

/* No system has longer paths, but a chunk that unpacks from some hundred bytes may have one of a megabyte: of such
 * a one the beginning is kept, and that it was longer shows. */
#define PATH_BYTES_MOST 8192
#define CUT_MARK "..."

static uint32_t file_of(struct code *c, struct text path, struct text build_id)
{
    char cut[PATH_BYTES_MOST];

    path.bytes = strnlen(path.data, path.bytes);
    if (path.bytes > PATH_BYTES_MOST) {
        memcpy(cut, path.data, sizeof cut);
        memcpy(cut + sizeof cut - strlen(CUT_MARK), CUT_MARK, strlen(CUT_MARK));
        path = (struct text){ cut, sizeof cut };
    }
    if (build_id.bytes > sizeof c->files->build_id)
        build_id.bytes = sizeof c->files->build_id;
    uint64_t hash = hash_add_bytes(hash_add_bytes(0, path.data, path.bytes), build_id.data, build_id.bytes);
    struct hash_search s = hash_table_search(&c->file_table, hash);
    while (hash_table_next(&c->file_table, &s))
        if (is_file(&c->files[s.number], path, build_id))
            return s.number;
    c->files = grow(c->files, &c->file_capacity, c->file_count + 1, sizeof *c->files);
    struct code_file *file = &c->files[c->file_count];
    file->path = copy_text(path.data, path.bytes);
    file->build_id_bytes = build_id.bytes;
    memcpy(file->build_id, build_id.data, build_id.bytes);
    hash_table_add(&c->file_table, hash, (uint32_t)c->file_count);
    return (uint32_t)c->file_count++;
}

static bool is_same(const struct code_location *a, const struct code_location *b)
{
    return a->file == b->file && a->address == b->address && a->process == b->process && a->exact == b->exact;
}

static uint64_t hash_of(const struct code_location *l)
{
    return hash_add(hash_add(hash_add(0, l->file), l->address), (uint64_t)l->process << 1 | l->exact);
}

static uint32_t location_of(struct code *c, const struct code_location *location)
{
    uint64_t hash = hash_of(location);
    struct hash_search s = hash_table_search(&c->location_table, hash);

    while (hash_table_next(&c->location_table, &s))
        if (is_same(&c->locations[s.number], location))
            return s.number;
    c->locations = grow(c->locations, &c->location_capacity, c->location_count + 1, sizeof *c->locations);
    c->locations[c->location_count] = *location;
    hash_table_add(&c->location_table, hash, (uint32_t)c->location_count);
    return (uint32_t)c->location_count++;
}

/* --- a process's own ------------------------------------------------------------ */

static struct code_process *process_of(const struct code *c, uint32_t process)
{
    return process < c->process_capacity ? c->processes[process] : NULL;
}

static struct code_process *make_process(struct code *c, uint32_t process)
{
    c->processes = grow(c->processes, &c->process_capacity, (size_t)process + 1, sizeof(struct code_process *));
    if (!c->processes[process]) {
        struct code_process *p = c->processes[process] = alloc_zeroed(1, sizeof *p);
        p->modules.element_bytes = sizeof(struct module);
        p->pcs.element_bytes = sizeof(struct pc);
        p->numbers.element_bytes = sizeof(uint32_t);
    }
    return c->processes[process];
}

/* What was built while the process ran was loaded later than that began. */
static void note_load(struct code *c, const struct code_process *p, const struct module *module)
{
    struct code_file *file = &c->files[module->file];
    uint64_t loaded_ns = p->realtime_from_ns ? module->ns + p->realtime_from_ns : 0;

    if (loaded_ns && (!file->loaded_ns || loaded_ns < file->loaded_ns))
        file->loaded_ns = loaded_ns;
}

struct loads {
    struct code *code;
    const struct code_process *process;
};

static void note_load_of(void *data, uint32_t number, void *element)
{
    const struct loads *loads = data;
    const struct module *module = element;

    (void)number;
    if (module->file)
        note_load(loads->code, loads->process, module);
}

/* In the log's order, of chunks, other threads' may come before the one that begins the process. */
static void start_process(struct code *c, uint32_t process, uint64_t realtime_ns, uint64_t ns)
{
    struct code_process *p = make_process(c, process);

    bool is_first = !p->realtime_from_ns;
    p->realtime_from_ns = realtime_ns ? realtime_ns - ns : 0;
    if (is_first && p->realtime_from_ns)
        numbered_each(&p->modules, note_load_of, &(struct loads){ c, p });
}

void code_take(struct code *c, uint32_t process, const struct event *event, uint64_t ns)
{
    if (event->other == REC_PROCESS_START) {
        start_process(c, process, event->process.realtime_ns, ns);
    } else if (event->other == REC_MODULE_LOAD) {
        struct code_process *p = make_process(c, process);
        struct module *module = numbered_make(&p->modules, event->module.id);
        *module = (struct module){ .file = file_of(c, event->module.path, event->module.build_id), .bias = event->module.bias, .ns = ns };
        note_load(c, p, module);
    } else if (event->other == REC_PC) {
        struct pc *pc = numbered_make(&make_process(c, process)->pcs, event->pc.id);
        *pc = (struct pc){ .pc = event->pc.pc, .module = event->pc.module, .session_pc = pc->session_pc, .exact = event->pc.exact };
    }
}

bool code_read(struct code *c, const struct log *log, bool (*goes_on)(void *data, double progress), void *data)
{
    _cleanup_free_ struct decoder *decoder = alloc_zeroed(1, sizeof *decoder);
    _cleanup_free_ uint8_t *buffer = alloc_zeroed(1, REC_CHUNK_PAYLOAD_MAX);
    struct event e;

    for (size_t i = 0; i < log->chunk_count; i++) {
        const struct log_chunk *chunk = &log->chunks[i];
        if (goes_on && !goes_on(data, (double)i / (double)log->chunk_count))
            return false;
        if (chunk->stream == UINT32_MAX || !chunk->payload_bytes)
            continue;
        int got = log_load(log, chunk, buffer) == 0 ? 1 : -1;
        if (got == 1)
            log_decoder_begin(decoder, chunk, buffer);
        while (got == 1 && (got = decoder_next(decoder, &e)) == 1)
            if (e.type == EVENT_OTHER)
                code_take(c, chunk->process, &e, log_ns(log, chunk->ticks_are_ns, e.ticks));
        if (got < 0 && !chunk->torn && c->bad_chunks++ == 0)
            c->bad_offset = chunk->offset;
    }
    return true;
}

bool code_is_announced(const struct code *c, uint32_t process, uint32_t number)
{
    const struct code_process *p = process_of(c, process);
    const struct pc *pc = p ? numbered_find(&p->pcs, number) : NULL;
    return pc && pc->pc;
}

/* --- the session's -------------------------------------------------------------- */

/* False: not all that it takes has been announced. */
static bool find_place(const struct code_process *p, uint32_t process, const struct pc *pc, bool is_last, struct code_location *ret_place)
{
    static const struct module none;
    const struct module *module = numbered_find(&p->modules, pc->module);

    if (!pc->pc || (pc->module && !(module && module->file) && !is_last))
        return false;
    if (!module || pc->pc - module->bias > INT64_MAX) /* before the module: whoever wrote this, it is not in there */
        module = &none;
    *ret_place = (struct code_location){ module->file, pc->pc - module->bias, module->file ? 0 : process, pc->exact };
    return true;
}

static uint32_t add_pc(struct code *c, const struct code_pc *pc)
{
    c->pcs = grow(c->pcs, &c->pc_capacity, c->pc_count + 1, sizeof *c->pcs);
    c->pcs[c->pc_count] = *pc;
    return (uint32_t)c->pc_count++;
}

static uint32_t pc_at(struct code *c, const struct code_location *place, uint32_t process, uint32_t number)
{
    uint64_t hash = hash_of(place);
    struct hash_search s = hash_table_search(&c->pc_table, hash);

    while (hash_table_next(&c->pc_table, &s))
        if (is_same(&c->pcs[s.number].place, place))
            return s.number;
    uint32_t pc = add_pc(c, &(struct code_pc){ .place = *place, .process = process, .number = number, .is_known = true });
    hash_table_add(&c->pc_table, hash, pc);
    return pc;
}

/* Small is what does not take more than pcs do. */
static void remember(struct code_process *p, uint32_t number, uint32_t session_pc)
{
    if (number >= p->pcs.group_count * NUMBERED_TOGETHER * 2)
        return;
    p->session_pcs = grow(p->session_pcs, &p->session_pc_capacity, (size_t)number + 1, sizeof *p->session_pcs);
    p->session_pcs[number] = session_pc;
}

static void keep_number(struct code_process *p, uint32_t number, uint32_t session_pc)
{
    uint32_t *kept = numbered_make(&p->numbers, session_pc);

    if (!*kept)
        *kept = number;
}

static uint32_t make_pc(struct code *c, uint32_t process, uint32_t number)
{
    struct code_process *p = make_process(c, process);
    struct pc *pc = numbered_make(&p->pcs, number);
    struct code_location place;

    if (!pc->session_pc)
        pc->session_pc = find_place(p, process, pc, false, &place) ? pc_at(c, &place, process, number) :
                         add_pc(c, &(struct code_pc){ .process = process, .number = number });
    remember(p, number, pc->session_pc);
    if (c->keeps_numbers)
        keep_number(p, number, pc->session_pc);
    return pc->session_pc;
}

uint32_t code_pc(struct code *c, uint32_t process, uint32_t number)
{
    const struct code_process *p = process_of(c, process);

    return p && number < p->session_pc_capacity && p->session_pcs[number] ? p->session_pcs[number] : make_pc(c, process, number);
}

uint32_t code_number(const struct code *c, uint32_t process, uint32_t pc)
{
    const struct code_process *p = process_of(c, process);
    const uint32_t *kept = p ? numbered_find(&p->numbers, pc) : NULL;
    return kept ? *kept : 0;
}

struct ending {
    struct code *c;
    struct code_process *p;
    uint32_t process;
};

/* One that was used before it was announced keeps the number that it got then. */
static void settle(void *data, uint32_t number, void *element)
{
    const struct ending *e = data;
    struct pc *pc = element;
    struct code_location place;

    if (!find_place(e->p, e->process, pc, true, &place))
        return;
    if (!pc->session_pc)
        pc->session_pc = pc_at(e->c, &place, e->process, number);
    struct code_pc *known = &e->c->pcs[pc->session_pc];
    if (!known->is_known) {
        known->place = place;
        known->is_known = true;
    }
}

static void settle_all(struct code *c, uint32_t process)
{
    struct code_process *p = process_of(c, process);

    if (p)
        numbered_each(&p->pcs, settle, &(struct ending){ c, p, process });
}

void code_end_process(struct code *c, uint32_t process)
{
    settle_all(c, process);
    if (process_of(c, process)) {
        free_process(c->processes[process]);
        c->processes[process] = NULL;
    }
}

/* --- locations ------------------------------------------------------------------ */

static void locate(struct code *c, uint32_t pc)
{
    c->pcs[pc].location = c->pcs[pc].is_known ? location_of(c, &c->pcs[pc].place) : 0;
    c->pcs[pc].is_located = true;
}

uint32_t code_location(struct code *c, uint32_t pc)
{
    const struct code_pc *asked = &c->pcs[pc];

    if (!asked->is_located) {
        struct code_process *p = asked->is_known ? NULL : process_of(c, asked->process);
        struct pc *own = p ? numbered_find(&p->pcs, asked->number) : NULL;
        if (own)
            settle(&(struct ending){ c, p, asked->process }, asked->number, own);
        locate(c, pc);
    }
    return c->pcs[pc].location;
}

int code_compare_files(const struct code *c, uint32_t left, uint32_t right)
{
    const struct code_file *a = &c->files[left], *b = &c->files[right];
    int paths = left == right ? 0 : strcmp(a->path, b->path);
    size_t bytes = a->build_id_bytes < b->build_id_bytes ? a->build_id_bytes : b->build_id_bytes;
    int ids = paths || left == right ? paths : memcmp(a->build_id, b->build_id, bytes);

    return ids ? ids : (a->build_id_bytes > b->build_id_bytes) - (a->build_id_bytes < b->build_id_bytes);
}

static int by_place(const void *left, const void *right, void *data)
{
    const struct code *c = data;
    const struct code_location *a = &c->pcs[*(const uint32_t *)left].place, *b = &c->pcs[*(const uint32_t *)right].place;
    int files = code_compare_files(c, a->file, b->file);

    if (files)
        return files;
    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    return a->process != b->process ? (a->process < b->process ? -1 : 1) : a->exact - b->exact;
}

void code_locate_all(struct code *c)
{
    _cleanup_free_ uint32_t *order = NULL;
    size_t count = 0, capacity = 0;

    for (uint32_t i = 0; i < c->process_capacity; i++)
        settle_all(c, i);
    for (uint32_t i = 1; i < c->pc_count; i++)
        if (!c->pcs[i].is_located) {
            order = grow(order, &capacity, count + 1, sizeof *order);
            order[count++] = i;
        }
    if (count)
        qsort_r(order, count, sizeof *order, by_place, c);
    for (size_t i = 0; i < count; i++)
        locate(c, order[i]);
}
