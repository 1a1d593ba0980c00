/* A log's rows by names -> sites. Several stacks are one site where they differ further out than its frames go,
 * or in their lines only. */
#include "analyze/check/measured.h"

#include "analyze/check/frame_name.h"
#include "analyze/check/numbered.h"
#include "analyze/check/passing.h"
#include "analyze/hash.h"
#include "analyze/render/frames.h"
#include "analyze/render/text.h"

#include <inttypes.h>
#include <string.h>

char *measured_module_name(const char *file_name)
{
    const char *ending = strstr(file_name, ".so.");
    return copy_text(file_name, ending ? (size_t)(ending + 3 - file_name) : strlen(file_name));
}

static char *safe_copy(const char *text) /* as it would come back from a file of JSON */
{
    json_t *json = text_json(text);
    char *copy = copy_text(json_string_value(json), json_string_length(json));
    json_decref(json);
    return copy;
}

static void *resized(void *array, size_t count, size_t element_bytes)
{
    void *larger = reallocarray(array, count, element_bytes);

    if (!larger)
        abort(); /* there is no memory */
    return larger;
}

/* A log that is being added. */
struct adding_log {
    struct by_name table;
    uint8_t *roles; /* by frame: 1 + enum site_role; 0: not asked yet */
    const char *module; /* whose language was asked for last */
    bool is_rust;
};

static struct passing passing_of(const struct by_name_frame *f)
{
    return (struct passing){ f->is_named ? f->function : NULL, f->signature, f->module, f->path, f->is_real, false };
}

static bool is_rust(struct adding_log *a, const char *module)
{
    if (a->module && strcmp(a->module, module) == 0)
        return a->is_rust;
    a->module = module;
    a->is_rust = false;
    for (size_t i = 0; i < a->table.frame_count && !a->is_rust; i++) {
        const struct passing p = passing_of(&a->table.frames[i]);
        a->is_rust = strcmp(p.module, module) == 0 && passing_shows_rust(&p);
    }
    return a->is_rust;
}

static enum site_role role_of(struct adding_log *a, uint32_t frame)
{
    if (!a->roles[frame]) {
        struct passing p = passing_of(&a->table.frames[frame]);
        p.is_rust = p.function && !p.source && is_rust(a, p.module);
        a->roles[frame] = (uint8_t)(1 + passing_role(&p));
    }
    return (enum site_role)(a->roles[frame] - 1);
}

/* The number of its module, among those of the row. */
static uint32_t module_number(const struct by_name *b, const struct by_name_row *row, uint32_t at)
{
    uint32_t first = 0;

    while (strcmp(b->frames[row->frames[first]].module, b->frames[row->frames[at]].module) != 0)
        first++;
    return first;
}

static uint32_t find_site(struct adding_log *a, const struct by_name_row *row)
{
    struct site_search search = { 0 };
    uint32_t site = 0;

    for (uint32_t i = 0; i < row->frame_count; i++)
        if (site_search_ends(&search, i, role_of(a, row->frames[i]), module_number(&a->table, row, i), i + 1 == row->frame_count, &site))
            break;
    return site;
}

static bool is_own_module(const struct by_name *b, const char *module)
{
    return b->program && strcmp(module, b->program) == 0;
}

/* A row's frames that are its site's. */
struct site_frames {
    uint32_t at[MEASURED_DEPTH + MEASURED_OWN + 1]; /* their numbers in the row */
    size_t count;
    size_t key_count; /* the first of them tell the site from others */
};

static bool has_line(const struct by_name_frame *f)
{
    return f->path && f->line;
}

/* What is outside of main is another C library's on another machine. Of a library that is deep the lines inside of it say
 * nothing to who calls it: the program's own functions further out are what tells two callers apart. */
static void find_frames(struct adding_log *a, const struct by_name_row *row, struct site_frames *ret)
{
    const struct by_name *b = &a->table;
    size_t own = 0;
    uint32_t first = find_site(a, row), at = first;
    bool any_line = false, ends = false;

    *ret = (struct site_frames){ .count = 0 };
    for (; at < row->frame_count && !ends && (ret->count < MEASURED_DEPTH || own < MEASURED_OWN); at++) {
        const struct by_name_frame *f = &b->frames[row->frames[at]];
        bool is_own = is_own_module(b, f->module);
        if (at > first && frames_is_start(f->function))
            break;
        if (ret->count >= MEASURED_DEPTH && !is_own)
            continue;
        ret->at[ret->count++] = at;
        own += is_own;
        any_line |= has_line(f);
        ends = strcmp(f->function, "main") == 0;
    }
    ret->key_count = ret->count;
    for (; at < row->frame_count && !any_line && !ends && !frames_is_start(b->frames[row->frames[at]].function); at++)
        if (has_line(&b->frames[row->frames[at]])) {
            ret->at[ret->count++] = at;
            any_line = true;
        }
}

/* "??": it has none; what is in no module is as by_name has it. To be freed. */
static char *function_name(const struct by_name_frame *f)
{
    char *function = safe_copy(f->is_named ? f->function : *f->module ? MEASURED_NO_NAME : f->function);

    for (char *at = function; (at = strchr(at, '\n'));)
        *at = ' ';
    return function;
}

static char *module_name(const struct by_name_frame *f)
{
    _cleanup_free_ char *module = measured_module_name(f->module);
    return safe_copy(module);
}

/* "json_parse", "png_read (libpng16.so)", "?? (libpng16.so)". */
static void write_name(FILE *to, const struct by_name *b, const struct by_name_frame *f)
{
    bool is_own = is_own_module(b, f->module);
    _cleanup_free_ char *function = function_name(f), *module = module_name(f);

    frame_name_write(to, function, is_own ? "" : module);
    fputc('\n', to);
}

static void write_key(const struct by_name *b, const struct by_name_row *row, const struct site_frames *frames, char **ret_key, char **ret_lines)
{
    size_t bytes;
    FILE *key = open_memstream(ret_key, &bytes);
    FILE *lines = open_memstream(ret_lines, &bytes);

    if (!key || !lines)
        abort(); /* there is no memory */
    for (size_t i = 0; i < frames->count; i++) {
        const struct by_name_frame *f = &b->frames[row->frames[frames->at[i]]];
        if (i < frames->key_count)
            write_name(key, b, f);
        fprintf(lines, "%s%" PRIu32, i ? " " : "", f->line);
    }
    fclose(key);
    fclose(lines);
}

static struct verdict_frame *frames_of_row(const struct by_name *b, const struct by_name_row *row, const struct site_frames *of)
{
    struct verdict_frame *frames = alloc_zeroed(of->count, sizeof *frames);

    for (size_t i = 0; i < of->count; i++) {
        const struct by_name_frame *f = &b->frames[row->frames[of->at[i]]];
        frames[i] = (struct verdict_frame){ copy_text(f->function, strlen(f->function)), copy_text(f->module, strlen(f->module)),
                                            f->path ? copy_text(f->path, strlen(f->path)) : NULL, f->line,
                                            i && of->at[i] > of->at[i - 1] + 1 };
    }
    return frames;
}

/* --- sums -------------------------------------------------------------------------- */

static uint32_t find_sum_number(const struct measured_sums *sums, const char *name)
{
    struct hash_search s = hash_table_search(&sums->table, hash_add_text(0, name));

    while (hash_table_next(&sums->table, &s))
        if (strcmp(sums->of[s.number].name, name) == 0)
            return s.number;
    return UINT32_MAX;
}

const struct measured_sum *measured_find_sum(const struct measured_sums *sums, const char *name)
{
    uint32_t number = find_sum_number(sums, name);
    return number == UINT32_MAX ? NULL : &sums->of[number];
}

uint64_t measured_sum_value(const struct measured_sum *sum, size_t run, enum verdict_kind kind)
{
    return sum && run < sum->run_capacity ? sum->runs[run][kind] : 0;
}

/* Takes the name. A row counts once, whatever calls itself in its stack. */
static uint32_t add_to_sum(struct measured_sums *sums, char *name, size_t run, uint32_t row, const uint64_t *values)
{
    uint32_t number = find_sum_number(sums, name);

    if (number == UINT32_MAX) {
        number = (uint32_t)sums->count;
        sums->of = grow(sums->of, &sums->capacity, sums->count + 1, sizeof *sums->of);
        sums->of[sums->count++] = (struct measured_sum){ .name = name, .last_row = UINT32_MAX };
        hash_table_add(&sums->table, hash_add_text(0, name), number);
    } else {
        free(name);
    }
    struct measured_sum *sum = &sums->of[number];
    sum->runs = grow(sum->runs, &sum->run_capacity, run + 1, sizeof *sum->runs);
    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS && sum->last_row != row; kind++)
        sum->runs[run][kind] += values[kind];
    sum->last_row = row;
    return number;
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
        char *name = function_name(&b->frames[row->frames[i]]);
        uint32_t known = find_sum_number(&m->functions, name);
        bool is_counted = known != UINT32_MAX && m->functions.of[known].last_row == number; /* it has called itself */
        uint32_t passed = add_to_sum(&m->functions, name, run, number, values);
        if (!is_counted)
            add_passed(site, place, m->functions.of[passed].name, values);
    }
    const struct by_name_frame *f = &b->frames[row->frames[first]];
    uint32_t function = add_to_sum(&m->functions, function_name(f), run, number, values);
    m->functions.of[function].is_site = true;
    char *group = numbered_group(m->functions.of[function].name);
    m->functions.of[function].is_numbered = group;
    if (group) {
        uint32_t of_all = add_to_sum(&m->functions, group, run, number, values);
        m->functions.of[of_all].is_site = m->functions.of[of_all].is_group = true;
    }
    if (!f->is_named) {
        uint32_t unnamed = add_to_sum(&m->unnamed, *f->module ? module_name(f) : function_name(f), run, number, values);
        m->unnamed.of[unnamed].is_own |= site->is_own;
    }
    if (!*f->module)
        return;
    uint32_t module = add_to_sum(&m->modules, module_name(f), run, number, values);
    m->modules.of[module].is_own |= site->is_own;
}

static void begin_sums(struct measured_sums *sums)
{
    for (size_t i = 0; i < sums->count; i++)
        sums->of[i].last_row = UINT32_MAX;
}

static void release_sums(struct measured_sums *sums)
{
    for (size_t i = 0; i < sums->count; i++) {
        free(sums->of[i].name);
        free(sums->of[i].runs);
    }
    free(sums->of);
    hash_table_release(&sums->table);
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
    place->frames = frames_of_row(b, row, frames);
    place->frame_count = frames->count;
    return place;
}

static void add_row(struct measured *m, struct adding_log *a, const struct by_name_row *row)
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

    find_frames(a, row, &frames);
    write_key(b, row, &frames, &key, &lines);
    uint32_t number = find_number(m, key);
    if (number == UINT32_MAX) {
        number = (uint32_t)m->site_count;
        m->sites = grow(m->sites, &m->site_capacity, m->site_count + 1, sizeof *m->sites);
        const struct by_name_frame *f = &b->frames[row->frames[frames.at[0]]];
        m->sites[m->site_count++] = (struct measured_site){
            .key = copy_text(key, strlen(key)), .module = copy_text(f->module, strlen(f->module)), .frame_count = frames.key_count,
            .is_own = is_own_module(b, f->module) };
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
        const uint64_t count[VERDICT_KINDS] = { 1, is_own_module(b, b->frames[i].module) };
        if (b->frames[i].is_named)
            add_to_sum(&m->known, function_name(&b->frames[i]), m->run_count - 1, (uint32_t)i, count);
    }
}

bool measured_knows(const struct measured *m, const char *function, size_t run, bool in_program)
{
    return measured_sum_value(measured_find_sum(&m->known, function), run, in_program) > 0;
}

void measured_know(struct measured *m, const char *function, bool in_program)
{
    const uint64_t count[VERDICT_KINDS] = { 1, in_program };

    begin_sums(&m->known);
    add_to_sum(&m->known, copy_text(function, strlen(function)), m->run_count - 1, 0, count);
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
    struct adding_log a = { .module = NULL };

    by_name_init(&a.table, &(struct by_name_options){ .stacks = true, .lines = true });
    by_name_add(&a.table, source);
    a.roles = alloc_zeroed(a.table.frame_count + 1, sizeof *a.roles);
    begin_sums(&m->functions);
    begin_sums(&m->modules);
    begin_sums(&m->unnamed);
    begin_sums(&m->known);
    m->totals = grow(m->totals, &m->run_capacity, m->run_count + 1, sizeof *m->totals);
    m->run_count++;
    begin_places(m);
    for (size_t i = 0; i < a.table.row_count; i++)
        add_row(m, &a, &a.table.rows[i]);
    end_places(m);
    add_known(m, &a.table);
    by_name_release(&a.table);
    free(a.roles);
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
    release_sums(&m->functions);
    release_sums(&m->modules);
    release_sums(&m->unnamed);
    release_sums(&m->known);
    hash_table_release(&m->table);
    *m = (struct measured){ 0 };
}
