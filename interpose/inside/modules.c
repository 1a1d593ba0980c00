/* Address -> module, by the loader's own lock-free index where glibc has it
 * (2.35 and later), by the modules present at start elsewhere. */
#include "interpose/inside/modules.h"

#include "format/encode.h"
#include "interpose/inside/clock.h"
#include "interpose/inside/context.h"
#include "interpose/inside/hints.h"
#include "interpose/inside/loader_list.h"
#include "interpose/inside/memory_map.h"
#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#define PATH_BYTES 4096

/* In the context's scratch: a directory with a path below it, then a module's segments. */
#define SEGMENTS_AT (3 * PATH_BYTES)
_Static_assert(SEGMENTS_AT + ENCODE_SEGMENTS_MAX * sizeof(struct encode_segment) <= CONTEXT_SCRATCH_BYTES, "scratch");

static uint64_t loader_start, loader_bytes; /* the same in a forked child */
static bool may_wait_for_loader; /* for its lock, which in a child a thread of the parent may have held */

/* A module as its program headers and the loader describe it. */
struct image {
    uint64_t bias, start, end;
    const ElfW(Phdr) * headers;
    unsigned header_count;
    const char *name;
    const void *link_map;
};

#if defined(DLFO_STRUCT_HAS_EH_DBASE) && !defined(MALLOSCOPE_NO_FIND_OBJECT) /* the headers know it */
extern __typeof__(_dl_find_object) _dl_find_object __attribute__((weak));
#define HAVE_FIND_OBJECT (_dl_find_object != NULL)

static bool loader_knows(uint64_t address)
{
    struct dl_find_object found;

    return HAVE_FIND_OBJECT && _dl_find_object((void *)address, &found) == 0;
}

static bool find_object(uint64_t address, struct image *ret)
{
    struct dl_find_object found;

    if (!HAVE_FIND_OBJECT || _dl_find_object((void *)address, &found) != 0)
        return false;
    const ElfW(Ehdr) *header = found.dlfo_map_start;
    if (!memory_can_read(&current_context->own_stack.text, (uint64_t)header) || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return false; /* its first segment does not hold the headers */
    *ret = (struct image){
        .bias = found.dlfo_link_map->l_addr,
        .start = (uint64_t)found.dlfo_map_start,
        .end = (uint64_t)found.dlfo_map_end,
        .headers = (const void *)((const char *)header + header->e_phoff),
        .header_count = header->e_phnum,
        .name = found.dlfo_link_map->l_name,
        .link_map = found.dlfo_link_map,
    };
    return true;
}
#else
#define HAVE_FIND_OBJECT 0

static bool loader_knows(uint64_t address)
{
    (void)address;
    return false;
}

static bool find_object(uint64_t address, struct image *ret)
{
    (void)address, (void)ret;
    return false;
}
#endif

/* The mapped segment around an address; empty: it is in none. */
struct span {
    uint64_t start, end;
};

static struct span segment_of(const struct image *image, uint64_t address)
{
    for (unsigned i = 0; i < image->header_count; i++) {
        const ElfW(Phdr) *header = &image->headers[i];
        uint64_t start = image->bias + header->p_vaddr;
        if (header->p_type == PT_LOAD && header->p_flags & PF_R && address - start < header->p_memsz)
            return (struct span){ start, start + header->p_memsz };
    }
    return (struct span){ address, address };
}

static struct encode_text build_id_of(const struct image *image)
{
    for (unsigned i = 0; i < image->header_count; i++) {
        const ElfW(Phdr) *header = &image->headers[i];
        uint64_t start = image->bias + header->p_vaddr;
        if (header->p_type != PT_NOTE || header->p_memsz > segment_of(image, start).end - start)
            continue;
        const char *at = (const char *)start, *end = at + header->p_memsz;
        while (end - at >= (long)sizeof(ElfW(Nhdr))) {
            const ElfW(Nhdr) *note = (const void *)at;
            const char *name = at + sizeof *note, *data = name + ((note->n_namesz + 3) & ~3u);
            if (note->n_descsz > (size_t)(end - at) || data + note->n_descsz > end)
                break;
            if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0)
                return (struct encode_text){ data, note->n_descsz > 64 ? 64 : note->n_descsz };
            at = data + ((note->n_descsz + 3) & ~3u);
        }
    }
    return (struct encode_text){ NULL, 0 };
}

/* Both parts of the tables are in one segment; between segments nothing is mapped. */
static struct cfi_tables tables_of(const struct image *image)
{
    for (unsigned i = 0; i < image->header_count; i++) {
        if (image->headers[i].p_type != PT_GNU_EH_FRAME)
            continue;
        uint64_t header = image->bias + image->headers[i].p_vaddr;
        struct span segment = segment_of(image, header);
        if (segment.start < segment.end)
            return (struct cfi_tables){ (const uint8_t *)header, (const uint8_t *)segment.start,
                                        (const uint8_t *)segment.end };
    }
    return (struct cfi_tables){ 0 };
}

/* The loader's name made absolute, in the context's scratch. */
static struct encode_text path_of(struct context *c, const char *name)
{
    char *path = c->scratch;
    size_t used = 0, length = strlen(name);

    if (length == 0)
        return (struct encode_text){ session.exe, strlen(session.exe) };
    if (name[0] != '/' && strchr(name, '/')) {
        long got = sys_forbidden ? 0 : sys_getcwd(path, PATH_BYTES - 1);
        if (got > 1)
            used = (size_t)got - 1; /* it counts its final 0 */
        path[used++] = '/';
    }
    if (length > 2 * PATH_BYTES)
        length = 2 * PATH_BYTES;
    memcpy(path + used, name, length);
    return (struct encode_text){ path, used + length };
}

static struct module *take_place(struct module_table *table)
{
    for (uint32_t i = 0; i < MODULES_MAX; i++) {
        if (atomic_load(&table->module[i].taken) || atomic_exchange(&table->module[i].taken, true))
            continue;
        uint32_t count = atomic_load(&table->count);
        while (count <= i && !atomic_compare_exchange_weak(&table->count, &count, i + 1))
            ;
        return &table->module[i];
    }
    return NULL;
}

static uint64_t get(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void put(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

static NOINLINE uint32_t announce(struct context *c, const struct image *image)
{
    struct module_table *table = &process->modules;
    struct module *module = take_place(table);
    struct encode_segment *segments = (struct encode_segment *)(c->scratch + SEGMENTS_AT);
    struct encode_module record = { .bias = image->bias, .segments = segments };

    if (!module)
        return 0;
    record.id = atomic_fetch_add(&table->last_id, 1) + 1;
    for (unsigned i = 0; i < image->header_count && record.segment_count < ENCODE_SEGMENTS_MAX; i++) {
        const ElfW(Phdr) *header = &image->headers[i];
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X))
            continue;
        uint64_t start = image->bias + header->p_vaddr;
        segments[record.segment_count++] = (struct encode_segment){ start, start + header->p_memsz };
    }
    record.build_id = build_id_of(image);
    record.path = path_of(c, image->name);
    c = context_room(c, ENCODE_TEXTS_MAX + record.path.bytes + record.build_id.bytes);
    if (!c)
        return 0;
    context_publish(c, encode_module_load(&c->encoder, c->at, clock_before_free(), &record));

    struct cfi_tables tables = tables_of(image);
    /* Who sees any of this sees that id is 0, or another. */
    atomic_thread_fence(memory_order_release);
    put(&module->start, image->start);
    put(&module->end, image->end);
    put(&module->link_map, (uint64_t)image->link_map);
    put(&module->header, (uint64_t)tables.header);
    put(&module->tables_start, (uint64_t)tables.start);
    put(&module->tables_end, (uint64_t)tables.end);
    atomic_store_explicit(&module->id, record.id, memory_order_release);
    return record.id;
}

/* 0: none that is known. A module may go while it is looked at, though not one
 * whose code runs or is on a stack. */
static uint32_t known_number(const struct module_table *table, uint64_t address, struct cfi_tables *ret_tables)
{
    uint32_t count = atomic_load_explicit(&table->count, memory_order_acquire);

    for (uint32_t i = 0; i < count; i++) {
        const struct module *module = &table->module[i];
        uint32_t id = atomic_load_explicit(&module->id, memory_order_acquire);
        if (!id || address < get(&module->start) || address >= get(&module->end))
            continue;
        *ret_tables = (struct cfi_tables){ (const uint8_t *)get(&module->header),
                                           (const uint8_t *)get(&module->tables_start),
                                           (const uint8_t *)get(&module->tables_end) };
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&module->id, memory_order_relaxed) == id)
            return id;
    }
    return 0;
}

static const void *link_map_of(const struct dl_phdr_info *info)
{
    /* The loader's lock is held here, so its list stands still. */
    for (const struct link_map *map = loader_first_module(); map; map = map->l_next)
        if (map->l_addr == info->dlpi_addr && map->l_name == info->dlpi_name)
            return map;
    return NULL;
}

static int log_one(struct dl_phdr_info *info, size_t bytes, void *data)
{
    struct image image = { .bias = info->dlpi_addr, .start = ~0ull, .headers = info->dlpi_phdr,
                           .header_count = info->dlpi_phnum, .name = info->dlpi_name,
                           .link_map = link_map_of(info) };
    struct cfi_tables tables;

    (void)bytes;
    for (unsigned i = 0; i < image.header_count; i++) {
        const ElfW(Phdr) *header = &image.headers[i];
        uint64_t start = image.bias + header->p_vaddr;
        if (header->p_type != PT_LOAD)
            continue;
        if (start < image.start)
            image.start = start;
        if (start + header->p_memsz > image.end)
            image.end = start + header->p_memsz;
    }
    if (image.end == 0 || known_number(&process->modules, image.start, &tables))
        return 0;
    /* A program that is started by the loader's name has no AT_BASE. */
    uint64_t loader = getauxval(AT_BASE) ? getauxval(AT_BASE) : (uint64_t)&_r_debug;
    if (loader >= image.start && loader < image.end) {
        loader_start = image.start;
        loader_bytes = image.end - image.start;
    }
    announce(data, &image);
    return 0;
}

static int find_code(struct dl_phdr_info *info, size_t bytes, void *data)
{
    struct code_range *range = data;

    (void)bytes;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X) || range->start - start >= header->p_memsz)
            continue;
        *range = (struct code_range){ start, start + header->p_memsz };
        return 1;
    }
    return 0;
}

struct code_range modules_code_of(uint64_t address)
{
    struct code_range range = { address, address };

    dl_iterate_phdr(find_code, &range);
    return range;
}

bool module_find(struct context *c, uint64_t address, struct cfi_tables *ret_tables, uint32_t *ret_number)
{
    struct image image;

    *ret_number = known_number(&process->modules, address, ret_tables);
    if (HAVE_FIND_OBJECT) {
        if (!loader_knows(address)) /* it forgets a module before it unmaps it */
            return false;
        if (*ret_number)
            return true;
        if (!find_object(address, &image))
            return false;
        *ret_tables = tables_of(&image);
        *ret_number = announce(c, &image);
        return true;
    }
    if (!*ret_number && may_wait_for_loader) {
        dl_iterate_phdr(log_one, c); /* as libunwind does at each address that is new to it */
        *ret_number = known_number(&process->modules, address, ret_tables);
    }
    return *ret_number != 0;
}

/* Other code is at these addresses: all threads forget what they know of them. */
static void code_changed(uint64_t start, uint64_t end)
{
    pc_table_forget(&process->pcs, start, end);
    atomic_fetch_add(&process->modules.generation, 1);
}

bool module_came(uint64_t address)
{
    struct image image;

    if (!find_object(address, &image))
        return false;
    code_changed(image.start, image.end);
    return true;
}

void modules_begin(struct context *c, bool in_child)
{
    may_wait_for_loader = !in_child;
    if (!in_child || !HAVE_FIND_OBJECT) /* else each is announced when an address in it is met */
        dl_iterate_phdr(log_one, c);
}

bool modules_loader_calls(const void *caller)
{
    return (uint64_t)caller - loader_start < loader_bytes;
}

void modules_freed(struct context *c, const void *pointer)
{
    struct module_table *table = &process->modules;
    uint32_t count = atomic_load_explicit(&table->count, memory_order_acquire);

    for (uint32_t i = 0; i < count; i++) {
        struct module *module = &table->module[i];
        uint32_t id = atomic_load_explicit(&module->id, memory_order_acquire);
        if (!id || get(&module->link_map) != (uint64_t)pointer)
            continue;
        atomic_store(&module->id, 0);
        code_changed(get(&module->start), get(&module->end));
        atomic_store(&module->taken, false);
        c = context_room(c, ENCODE_EVENT_MAX);
        if (c)
            context_publish(c, encode_module_unload(&c->encoder, c->at, clock_before_free(), id));
    }
}
