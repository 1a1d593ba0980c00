#include "analyze/render/breakdown.h"

#include "analyze/render/text.h"

#include <string.h>


/* --- modules ---------------------------------------------------------------------- */

struct module {
    uint32_t file;
    uint64_t allocations, bytes, peak_bytes, leaked_bytes; /* in units until they are all summed */
    size_t sites;
};

static int by_bytes(const void *left, const void *right, void *code)
{
    const struct module *a = left, *b = right;
    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return code_compare_files(code, a->file, b->file);
}

static struct module *sum_modules(const struct facts *f, const struct sites *sites, size_t *ret_count)
{
    const struct code *code = &f->told.code;
    struct module *modules = alloc_zeroed(code->file_count + 1, sizeof *modules);
    size_t count = 0;

    for (size_t i = 0; i < sites->count; i++) {
        const struct site *site = &sites->sites[i];
        struct module *m = &modules[code->locations[site->location].file];
        m->allocations += site->sum.allocations;
        m->bytes += site->sum.bytes;
        m->peak_bytes += site->sum.peak_bytes;
        m->leaked_bytes += site->sum.leaked_bytes;
        m->sites++;
    }
    for (uint32_t i = 0; i < code->file_count; i++) {
        const struct module m = modules[i];
        if (m.sites)
            modules[count++] = (struct module){
                i, settings_rounded(&f->settings, m.allocations), settings_rounded(&f->settings, m.bytes),
                settings_rounded(&f->settings, m.peak_bytes), settings_rounded(&f->settings, m.leaked_bytes), m.sites };
    }
    qsort_r(modules, count, sizeof *modules, by_bytes, (void *)code);
    *ret_count = count;
    return modules;
}

void modules_print(const struct facts *f, const struct sites *sites, size_t most)
{
    size_t count;
    _cleanup_free_ struct module *modules = sum_modules(f, sites, &count);
    struct module rest = { 0 };

    if (count < 2 || !most)
        return;
    printf("\nModules of the call sites\nallocations     %%      bytes     %%    at peak       left  module\n");
    for (size_t i = 0; i < count; i++) {
        const struct module *m = &modules[i];
        if (i >= most) {
            rest.allocations += m->allocations;
            rest.bytes += m->bytes;
            rest.peak_bytes += m->peak_bytes;
            rest.leaked_bytes += m->leaked_bytes;
            rest.sites++;
            continue;
        }
        printf("%11s %5s %10s %5s %10s %10s  ", text_count(m->allocations), text_share(m->allocations, f->allocations),
               text_bytes(m->bytes), text_share(m->bytes, f->allocated_bytes), text_bytes(m->peak_bytes),
               text_bytes(m->leaked_bytes));
        const char *path = f->told.code.files[m->file].path, *name = *path ? text_base_name(path) : "(in no file)";
        text_print_safe(name, strlen(name));
        putchar('\n');
    }
    if (rest.sites)
        printf("%11s %5s %10s %5s %10s %10s  ... %zu more\n", text_count(rest.allocations),
               text_share(rest.allocations, f->allocations), text_bytes(rest.bytes), text_share(rest.bytes, f->allocated_bytes),
               text_bytes(rest.peak_bytes), text_bytes(rest.leaked_bytes), rest.sites);
}

json_t *modules_json(const struct facts *f, const struct sites *sites)
{
    json_t *list = json_array();
    size_t count;
    _cleanup_free_ struct module *modules = sum_modules(f, sites, &count);

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}",
                                              "module", text_json(f->told.code.files[modules[i].file].path),
                                              "sites", (json_int_t)modules[i].sites,
                                              "allocations", (json_int_t)modules[i].allocations,
                                              "bytes", (json_int_t)modules[i].bytes,
                                              "peak_bytes", (json_int_t)modules[i].peak_bytes,
                                              "leaked_bytes", (json_int_t)modules[i].leaked_bytes));
    return list;
}

/* --- threads ---------------------------------------------------------------------- */

struct thread_row {
    const char *name; /* not terminated at its length */
    size_t length;    /* of the part that it has in common with others of its row */
    size_t count;     /* threads */
    uint32_t tid, pid;
    uint32_t first;   /* index in told.threads */
    struct facts_thread sum;
};

static size_t stem(const char *name)
{
    size_t length = strlen(name);

    while (length && name[length - 1] >= '0' && name[length - 1] <= '9')
        length--;
    return length ? length : strlen(name);
}

static int by_name(const void *left, const void *right)
{
    const struct thread_row *a = left, *b = right;
    size_t least = a->length < b->length ? a->length : b->length;
    int names = memcmp(a->name, b->name, least);
    if (names || a->length != b->length)
        return names ? names : a->length < b->length ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

static int by_thread_bytes(const void *left, const void *right)
{
    const struct thread_row *a = left, *b = right;
    if (a->sum.allocated_bytes != b->sum.allocated_bytes)
        return a->sum.allocated_bytes > b->sum.allocated_bytes ? -1 : 1;
    if (a->sum.allocations != b->sum.allocations)
        return a->sum.allocations > b->sum.allocations ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

static void add_thread(struct thread_row *row, const struct thread_row *more)
{
    row->count += more->count;
    row->sum.allocations += more->sum.allocations;
    row->sum.allocated_bytes += more->sum.allocated_bytes;
    row->sum.frees += more->sum.frees;
    row->sum.temporary += more->sum.temporary;
}

static size_t merge(struct thread_row *rows, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        rows[i].length = stem(rows[i].name);
    qsort(rows, count, sizeof *rows, by_name);
    for (size_t i = 0; i < count; i++) {
        struct thread_row *last = kept ? &rows[kept - 1] : NULL;
        if (last && last->length == rows[i].length && memcmp(last->name, rows[i].name, last->length) == 0)
            add_thread(last, &rows[i]);
        else
            rows[kept++] = rows[i];
    }
    return kept;
}

static struct thread_row *thread_rows(const struct facts *f, bool merged, size_t *ret_count)
{
    const struct threads *threads = &f->told.threads;
    struct thread_row *rows = alloc_zeroed(threads->count + 1, sizeof *rows);
    size_t count = 0;

    for (uint32_t i = 0; i < threads->count; i++) {
        const struct thread *t = &threads->of[i];
        const char *name = t->name ? t->name : "";
        if (f->part.thread_count && !f->threads[i].allocations)
            continue;
        rows[count++] = (struct thread_row){ .name = name, .length = strlen(name), .count = 1, .tid = t->tid,
                                             .pid = f->told.processes[t->process].pid, .first = i, .sum = f->threads[i] };
    }
    if (merged)
        count = merge(rows, count);
    qsort(rows, count, sizeof *rows, by_thread_bytes);
    *ret_count = count;
    return rows;
}

/* "worker-*" of several; the whole name of one. */
static char *row_name(const struct thread_row *row)
{
    if (row->count == 1)
        return copy_text(row->name, strlen(row->name));
    return format_text("%.*s%s", (int)row->length, row->name, row->name[row->length] ? "*" : "");
}

void threads_print(const struct facts *f, bool merged, size_t most)
{
    bool has_temporary = settings_all_recorded(&f->settings);
    size_t count;
    _cleanup_free_ struct thread_row *rows = thread_rows(f, merged, &count);
    struct thread_row rest = { 0 };

    printf("\nThreads%s\n allocations     %%      bytes     %% temporary %s  name\n", merged ? ", by name" : "",
           merged ? "threads" : "    tid     pid");
    for (size_t i = 0; i < count; i++) {
        const struct thread_row *row = &rows[i];
        if (i >= most) {
            add_thread(&rest, row);
            continue;
        }
        printf("%12s %5s %10s %5s %9s ", text_count(row->sum.allocations), text_share(row->sum.allocations, f->allocations),
               text_bytes(row->sum.allocated_bytes), text_share(row->sum.allocated_bytes, f->allocated_bytes),
               has_temporary ? text_count(row->sum.temporary) : "-");
        if (merged)
            printf("%7s  ", text_count(row->count));
        else
            printf("%7u %7u  ", row->tid, row->pid);
        _cleanup_free_ char *name = row_name(row);
        text_print_safe(name, strlen(name));
        putchar('\n');
    }
    if (rest.count)
        printf("%12s %5s %10s %5s %9s ... %s more\n", text_count(rest.sum.allocations),
               text_share(rest.sum.allocations, f->allocations), text_bytes(rest.sum.allocated_bytes),
               text_share(rest.sum.allocated_bytes, f->allocated_bytes), has_temporary ? text_count(rest.sum.temporary) : "-",
               text_count(rest.count));
}

json_t *threads_json(const struct facts *f, bool merged)
{
    bool has_temporary = settings_all_recorded(&f->settings);
    json_t *list = json_array();
    size_t count;
    _cleanup_free_ struct thread_row *rows = thread_rows(f, merged, &count);

    for (size_t i = 0; i < count; i++) {
        const struct thread_row *row = &rows[i];
        _cleanup_free_ char *name = row_name(row);
        json_array_append_new(list, json_pack("{s:o, s:I, s:o, s:o, s:I, s:I, s:I, s:o}", "name", text_json(name),
                                              "threads", (json_int_t)row->count,
                                              "tid", row->count == 1 ? json_integer(row->tid) : json_null(),
                                              "pid", row->count == 1 ? json_integer(row->pid) : json_null(),
                                              "allocations", (json_int_t)row->sum.allocations,
                                              "bytes", (json_int_t)row->sum.allocated_bytes,
                                              "frees", (json_int_t)row->sum.frees, "temporary",
                                              has_temporary ? json_integer((json_int_t)row->sum.temporary) : json_null()));
    }
    return list;
}
