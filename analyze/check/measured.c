/* A log's rows by names -> sites. Several stacks are one site where they differ further out than its frames go,
 * or in their lines only. */
#include "analyze/check/measured.h"

#include "analyze/check/numbered.h"
#include "analyze/hash.h"

#include <string.h>

static void *resized(void *array, size_t count, size_t element_bytes)
{
    void *larger = reallocarray(array, count, element_bytes);

    if (!larger)
        abort(); /* there is no memory */
    return larger;
}

bool measured_has_passed(const struct measured_site *site, const char *function)
{
    for (size_t i = 0; i < site->passed_count; i++)
        if (strcmp(site->passed[i], function) == 0)
            return true;
    return false;
}

static struct measured_passed *find_passed(const struct measured_place *place, const char *function)
{
    for (size_t i = 0; i < place->passed_count; i++)
        if (strcmp(place->passed[i].function, function) == 0)
            return &place->passed[i];
    return NULL;
}

uint64_t measured_passed(const struct measured_place *place, const char *function, enum verdict_kind kind)
{
    const struct measured_passed *passed = find_passed(place, function);
    return passed ? passed->last[kind] : 0;
}

static void add_passed(struct measured_site *site, struct measured_place *place, const char *function, const uint64_t *values)
{
    struct measured_passed *passed = find_passed(place, function);

    if (!measured_has_passed(site, function)) {
        site->passed = grow(site->passed, &site->passed_capacity, site->passed_count + 1, sizeof *site->passed);
        site->passed[site->passed_count++] = function;
    }
    if (!passed) {
        place->passed = resized(place->passed, place->passed_count + 1, sizeof *place->passed); /* there are few, of many places */
        passed = &place->passed[place->passed_count++];
        *passed = (struct measured_passed){ .function = function };
    }
    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++)
        passed->last[kind] += values[kind];
}

static void add_to_sums(struct measured *m, struct measured_site *site, struct measured_place *place, const struct by_name *b,
                        const struct by_name_row *row, size_t first, const uint64_t *values)
{
    size_t run = m->run_count - 1;
    uint32_t number = (uint32_t)(row - b->rows);

    for (size_t i = 0; i < first; i++) {
        char *name = site_function_name(&b->frames[row->frames[i]]);
        uint32_t known = measured_sum_number(&m->functions, name);
        bool is_counted = known != UINT32_MAX && m->functions.of[known].last_row == number; /* it has called itself */
        uint32_t passed = measured_sums_add(&m->functions, name, run, number, values);
        if (!is_counted)
            add_passed(site, place, m->functions.of[passed].name, values);
    }
    const struct by_name_frame *f = &b->frames[row->frames[first]];
    uint32_t function = measured_sums_add(&m->functions, site_function_name(f), run, number, values);
    m->functions.of[function].is_site = true;
    char *group = numbered_group(m->functions.of[function].name);
    m->functions.of[function].is_numbered = group;
    if (group) {
        uint32_t of_all = measured_sums_add(&m->functions, group, run, number, values);
        m->functions.of[of_all].is_site = m->functions.of[of_all].is_group = true;
    }
    if (!f->is_named) {
        uint32_t unnamed = measured_sums_add(&m->unnamed, *f->module ? site_module_name(f) : site_function_name(f), run, number, values);
        m->unnamed.of[unnamed].is_own |= site->is_own;
    }
    if (!*f->module)
        return;
    uint32_t module = measured_sums_add(&m->modules, site_module_name(f), run, number, values);
    m->modules.of[module].is_own |= site->is_own;
}

/* --- sites ------------------------------------------------------------------------- */

static uint32_t find_number(const struct measured *m, const char *key)
{
    struct hash_search s = hash_table_search(&m->table, hash_add_text(0, key));

    while (hash_table_next(&m->table, &s))
        if (strcmp(m->sites[s.number].key, key) == 0)
            return s.number;
    return UINT32_MAX;
}

const struct measured_site *measured_find(const struct measured *m, const char *key)
{
    uint32_t number = find_number(m, key);
    return number == UINT32_MAX ? NULL : &m->sites[number];
}

/* So much of a path is the same wherever the sources are, and tells two files of one name apart. */
static const char *end_of_path(const char *path)
{
    const char *end = path ? path : "";

    for (size_t at = strlen(end), slashes = 0; at-- > 0;)
        if (end[at] == '/' && ++slashes == 2)
            return end + at + 1;
    return end;
}

static struct measured_place *place_of(struct measured_site *site, const char *lines, const struct by_name *b, const struct by_name_row *row,
                                       const struct site_frames *frames)
{
    const char *source = end_of_path(b->frames[row->frames[frames->at[0]]].path);

    for (size_t i = 0; i < site->place_count; i++)
        if (strcmp(site->places[i].lines, lines) == 0 && strcmp(site->places[i].source, source) == 0)
            return &site->places[i];
    if (site->place_count == site->place_capacity) { /* most have one */
        site->place_capacity = site->place_capacity ? 2 * site->place_capacity : 1;
        site->places = resized(site->places, site->place_capacity, sizeof *site->places);
    }
    struct measured_place *place = &site->places[site->place_count++];
    *place = (struct measured_place){ .source = copy_text(source, strlen(source)) };
    place->lines = copy_text(lines, strlen(lines));
    place->frames = site_frames_copy(b, row, frames);
    place->frame_count = frames->count;
    return place;
}

static void add_row(struct measured *m, struct site_namer *a, const struct by_name_row *row)
{
    const struct by_name *b = &a->table;
    const uint64_t values[VERDICT_KINDS] = {
        [VERDICT_ALLOCATIONS] = row->costs[0][COST_ALLOCATIONS], [VERDICT_BYTES] = row->costs[0][COST_ALLOCATED],
        [VERDICT_PEAK] = row->costs[0][COST_PEAK], [VERDICT_LEAKED] = row->costs[0][COST_LEAKED],
        [VERDICT_LEAKED_BLOCKS] = row->leaked_blocks[0], [VERDICT_TEMPORARY] = row->costs[0][COST_TEMPORARY],
        [VERDICT_REALLOCATIONS] = row->reallocations[0],
    };
    _cleanup_free_ char *key = NULL, *lines = NULL;
    size_t run = m->run_count - 1;
    struct site_frames frames;

    site_frames_find(a, row, &frames);
    site_frames_key(b, row, &frames, &key, &lines);
    uint32_t number = find_number(m, key);
    if (number == UINT32_MAX) {
        number = (uint32_t)m->site_count;
        m->sites = grow(m->sites, &m->site_capacity, m->site_count + 1, sizeof *m->sites);
        const struct by_name_frame *f = &b->frames[row->frames[frames.at[0]]];
        m->sites[m->site_count++] = (struct measured_site){
            .key = copy_text(key, strlen(key)), .module = copy_text(f->module, strlen(f->module)), .frame_count = frames.key_count,
            .is_own = site_is_own_module(b, f->module) };
        hash_table_add(&m->table, hash_add_text(0, key), number);
    }
    struct measured_site *site = &m->sites[number];
    site->runs = grow(site->runs, &site->run_capacity, run + 1, sizeof *site->runs);
    struct measured_place *place = place_of(site, lines, b, row, &frames);
    add_to_sums(m, site, place, b, row, frames.at[0], values);
    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++) {
        site->runs[run][kind] += values[kind];
        place->last[kind] += values[kind];
        m->totals[run][kind] += values[kind];
    }
}

static void add_known(struct measured *m, const struct by_name *b)
{
    for (size_t i = 0; i < b->frame_count; i++) {
        const uint64_t count[VERDICT_KINDS] = { 1, site_is_own_module(b, b->frames[i].module) };
        if (b->frames[i].is_named)
            measured_sums_add(&m->known, site_function_name(&b->frames[i]), m->run_count - 1, (uint32_t)i, count);
    }
}

bool measured_knows(const struct measured *m, const char *function, size_t run, bool in_program)
{
    return measured_sum_value(measured_find_sum(&m->known, function), run, in_program) > 0;
}

void measured_know(struct measured *m, const char *function, bool in_program)
{
    const uint64_t count[VERDICT_KINDS] = { 1, in_program };

    measured_sums_begin(&m->known);
    measured_sums_add(&m->known, copy_text(function, strlen(function)), m->run_count - 1, 0, count);
}

static void begin_places(struct measured *m)
{
    for (size_t i = 0; i < m->site_count; i++)
        for (size_t k = 0; k < m->sites[i].place_count; k++) {
            struct measured_place *place = &m->sites[i].places[k];
            memcpy(place->previous, place->last, sizeof place->last);
            memset(place->last, 0, sizeof place->last);
            for (size_t n = 0; n < place->passed_count; n++)
                memset(place->passed[n].last, 0, sizeof place->passed[n].last);
        }
}

static void end_places(struct measured *m)
{
    for (size_t i = 0; i < m->site_count && m->run_count > 1; i++)
        for (size_t k = 0; k < m->sites[i].place_count; k++) {
            struct measured_place *place = &m->sites[i].places[k];
            for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++)
                place->differs[kind] |= place->last[kind] != place->previous[kind];
        }
}

void measured_add(struct measured *m, const struct by_name_source *source)
{
    struct site_namer a;

    site_namer_begin(&a);
    site_namer_add(&a, source);
    measured_sums_begin(&m->functions);
    measured_sums_begin(&m->modules);
    measured_sums_begin(&m->unnamed);
    measured_sums_begin(&m->known);
    m->totals = grow(m->totals, &m->run_capacity, m->run_count + 1, sizeof *m->totals);
    m->run_count++;
    begin_places(m);
    for (size_t i = 0; i < a.table.row_count; i++)
        add_row(m, &a, &a.table.rows[i]);
    end_places(m);
    add_known(m, &a.table);
    site_namer_release(&a);
}

uint64_t measured_value(const struct measured_site *site, size_t run, enum verdict_kind kind)
{
    return run < site->run_capacity ? site->runs[run][kind] : 0;
}

void measured_range(const struct measured *m, const struct measured_site *site, enum verdict_kind kind, uint64_t *ret_least, uint64_t *ret_most)
{
    *ret_least = UINT64_MAX;
    *ret_most = 0;
    for (size_t run = 0; run < m->run_count; run++) {
        uint64_t value = measured_value(site, run, kind);
        *ret_least = value < *ret_least ? value : *ret_least;
        *ret_most = value > *ret_most ? value : *ret_most;
    }
    *ret_least = m->run_count ? *ret_least : 0;
}

static void release_place(struct measured_place *place)
{
    for (size_t i = 0; i < place->frame_count; i++) {
        free(place->frames[i].function);
        free(place->frames[i].module);
        free(place->frames[i].file);
    }
    free(place->frames);
    free(place->passed);
    free(place->source);
    free(place->lines);
}

void measured_release(struct measured *m)
{
    for (size_t i = 0; i < m->site_count; i++) {
        for (size_t k = 0; k < m->sites[i].place_count; k++)
            release_place(&m->sites[i].places[k]);
        free(m->sites[i].places);
        free(m->sites[i].passed);
        free(m->sites[i].key);
        free(m->sites[i].module);
        free(m->sites[i].runs);
    }
    free(m->sites);
    free(m->totals);
    measured_sums_release(&m->functions);
    measured_sums_release(&m->modules);
    measured_sums_release(&m->unnamed);
    measured_sums_release(&m->known);
    hash_table_release(&m->table);
    *m = (struct measured){ 0 };
}
