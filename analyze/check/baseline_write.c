/* A platform's baseline -> the file's text, a line for each metric and each site, so that a reviewer sees what has changed.
 * The hard problem is to leave the other platforms' parts as they are, byte for byte: the text is cut where this
 * platform's begins and ends, and never written anew from what was read. */
#include "analyze/check/baseline.h"

#include "analyze/render/text.h"

#include <inttypes.h>
#include <string.h>

#define DUMP (JSON_COMPACT | JSON_ENCODE_ANY)

/* --- a part ---------------------------------------------------------------------------- */

static void write_json(FILE *to, json_t *value)
{
    json_dumpf(value, to, DUMP);
    json_decref(value);
}

static void write_text(FILE *to, const char *text)
{
    write_json(to, text_json(text));
}

static void write_scope(FILE *to, const struct baseline_scope *scope)
{
    const struct { const char *name, *value; } given[] = {
        { "within", scope->within }, { "mark", scope->mark }, { "exclude_modules", scope->exclude_modules },
        { "suppressions", scope->suppressions } };
    const char *between = "";

    if (!scope->within && !scope->mark && !scope->exclude_modules && !scope->suppressions && !scope->no_default_suppressions)
        return;
    fputs("      \"scope\": {", to);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (given[i].value) {
            fprintf(to, "%s\"%s\": ", between, given[i].name);
            write_text(to, given[i].value);
            between = ", ";
        }
    if (scope->no_default_suppressions)
        fprintf(to, "%s\"no_default_suppressions\": true", between);
    fputs("},\n", to);
}

static void write_metrics(FILE *to, const struct measured *m)
{
    fputs("      \"metrics\": {\n", to);
    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++) {
        uint64_t least = UINT64_MAX, most = 0;
        for (size_t run = 0; run < m->run_count; run++) {
            least = m->totals[run][kind] < least ? m->totals[run][kind] : least;
            most = m->totals[run][kind] > most ? m->totals[run][kind] : most;
        }
        fprintf(to, "        \"%s\": {\"least\": %" PRIu64 ", \"most\": %" PRIu64 "}%s\n", verdict_kind_name(kind), least, most,
                kind + 1 < VERDICT_KINDS ? "," : "");
    }
    fputs("      },\n", to);
}

static void write_sum(FILE *to, const struct measured *m, const struct measured_sum *sum)
{
    const char *between = "";

    fputs("        ", to);
    write_text(to, sum->is_own ? BASELINE_PROGRAM : sum->name);
    fputs(": {", to);
    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++) {
        uint64_t least = UINT64_MAX, most = 0;
        for (size_t run = 0; run < m->run_count; run++) {
            uint64_t value = measured_sum_value(sum, run, kind);
            least = value < least ? value : least;
            most = value > most ? value : most;
        }
        if (!most && kind != VERDICT_ALLOCATIONS)
            continue;
        fprintf(to, "%s\"%s\": ", between, verdict_kind_name(kind));
        fprintf(to, least == most ? "%" PRIu64 : "[%" PRIu64 ", %" PRIu64 "]", least, most);
        between = ", ";
    }
    fputs("}", to);
}

static int by_sum_name(const void *left, const void *right)
{
    const struct measured_sum *a = *(const struct measured_sum *const *)left, *b = *(const struct measured_sum *const *)right;
    return a->is_own != b->is_own ? (a->is_own ? -1 : 1) : strcmp(a->name, b->name);
}

/* What only passes on is left out: it is the C++ library, mostly, and its figures are those of others. */
static void write_sums(FILE *to, const char *what, const struct measured *m, const struct measured_sums *sums, bool are_modules)
{
    _cleanup_free_ const struct measured_sum **order = alloc_zeroed(sums->count + 1, sizeof *order);
    size_t count = 0;

    for (size_t i = 0; i < sums->count; i++)
        if (are_modules || (sums->of[i].is_site && !sums->of[i].is_group))
            order[count++] = &sums->of[i];
    if (count)
        qsort(order, count, sizeof *order, by_sum_name);
    fprintf(to, "      \"%s\": {\n", what);
    for (size_t i = 0; i < count; i++) {
        write_sum(to, m, order[i]);
        fputs(i + 1 < count ? ",\n" : "\n", to);
    }
    fputs("      },\n", to);
}

static void write_stack(FILE *to, const char *key)
{
    for (const char *at = key, *end; (end = strchr(at, '\n')); at = end + 1) {
        _cleanup_free_ char *name = copy_text(at, (size_t)(end - at));
        fputs(at == key ? "" : ", ", to);
        write_text(to, name);
    }
}

static int by_lines(const void *left, const void *right)
{
    const struct measured_place *a = left, *b = right;
    int lines = strverscmp(a->lines, b->lines);

    return lines ? lines : strcmp(a->source, b->source);
}

/* Functions of one name may be in several files: NULL where the site's file says it all. */
static const char *source_to_tell(const struct measured_site *site, const struct measured_place *place)
{
    const char *file = text_base_name(place->source);
    bool is_other = strcmp(file, text_base_name(site->places[0].source)) != 0;

    for (size_t i = 0; i < site->place_count; i++)
        if (strcmp(text_base_name(site->places[i].source), file) == 0 && strcmp(site->places[i].source, place->source) != 0)
            return place->source;
    return is_other ? file : NULL;
}

static void write_place(FILE *to, const struct measured_site *site, const struct measured_place *place, bool is_only)
{
    const char *source = source_to_tell(site, place);
    _cleanup_free_ char *name = format_text("%s%s%s", source ? source : "", source ? ":" : "", place->lines);

    write_text(to, name);
    if (is_only) { /* the site's figures are its */
        fprintf(to, ": %" PRIu64, place->last[VERDICT_ALLOCATIONS]);
        return;
    }
    fprintf(to, ": {\"allocations\": %" PRIu64, place->last[VERDICT_ALLOCATIONS]);
    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++)
        if (place->last[kind] && kind != VERDICT_ALLOCATIONS)
            fprintf(to, ", \"%s\": %" PRIu64, verdict_kind_name(kind), place->last[kind]);
    fputc('}', to);
}

/* Of a library without debug information only its callers' lines are known. */
static void write_places(FILE *to, const struct measured_site *site)
{
    size_t count = 0, written = 0;
    bool any = *site->places[0].source;

    for (size_t i = 0; i < site->place_count; i++) {
        count += site->places[i].last[VERDICT_ALLOCATIONS] > 0;
        any |= site->places[i].lines[strspn(site->places[i].lines, "0 ")] != 0;
    }
    if (!any)
        return;
    if (*site->places[0].source) {
        fputs(", \"file\": ", to);
        write_text(to, text_base_name(site->places[0].source));
    }
    fputs(", \"lines\": {", to);
    for (size_t i = 0; i < site->place_count; i++) {
        if (!site->places[i].last[VERDICT_ALLOCATIONS])
            continue;
        fputs(written++ ? ", " : "", to);
        write_place(to, site, &site->places[i], count == 1);
    }
    fputs("}", to);
}

static void write_most(FILE *to, const struct measured *m, const struct measured_site *site)
{
    bool any = false;

    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++) {
        uint64_t least, most;
        measured_range(m, site, kind, &least, &most);
        if (least == most)
            continue;
        fprintf(to, "%s\"%s\": %" PRIu64, any ? ", " : ", \"most\": {", verdict_kind_name(kind), most);
        any = true;
    }
    fputs(any ? "}" : "", to);
}

static void write_site(FILE *to, const struct measured *m, const struct measured_site *site)
{
    qsort(site->places, site->place_count, sizeof *site->places, by_lines);
    fputs("        {\"stack\": [", to);
    write_stack(to, site->key);
    fputs("]", to);
    write_places(to, site);
    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++) {
        uint64_t least, most;
        measured_range(m, site, kind, &least, &most);
        if (least || kind == VERDICT_ALLOCATIONS)
            fprintf(to, ", \"%s\": %" PRIu64, verdict_kind_name(kind), least);
    }
    write_most(to, m, site);
    fputs("}", to);
}

static int by_key(const void *left, const void *right)
{
    return strcmp((*(const struct measured_site *const *)left)->key, (*(const struct measured_site *const *)right)->key);
}

static void write_part(FILE *to, const struct baseline_part *part)
{
    const struct measured *m = part->measured;
    _cleanup_free_ const struct measured_site **order = alloc_zeroed(m->site_count + 1, sizeof *order);

    for (size_t i = 0; i < m->site_count; i++)
        order[i] = &m->sites[i];
    qsort(order, m->site_count, sizeof *order, by_key);
    write_text(to, part->platform);
    fputs(": {\n      \"libc\": ", to);
    write_text(to, part->libc);
    fprintf(to, ",\n      \"runs\": %zu,\n", m->run_count);
    write_scope(to, &part->scope);
    write_metrics(to, m);
    write_sums(to, "functions", m, &m->functions, false);
    write_sums(to, "modules", m, &m->modules, true);
    fputs("      \"sites\": [\n", to);
    for (size_t i = 0; i < m->site_count; i++) {
        write_site(to, m, order[i]);
        fputs(i + 1 < m->site_count ? ",\n" : "\n", to);
    }
    fputs("      ]\n    }", to);
}

/* --- the file -------------------------------------------------------------------------- */

/* The text is valid JSON, or baseline_read() would not have taken it. */
static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

static const char *skip_string(const char *at)
{
    for (at++; *at && *at != '"'; at++)
        at += *at == '\\' && at[1];
    return *at ? at + 1 : at;
}

static const char *skip_value(const char *at)
{
    int depth = 0;

    do {
        if (*at == '"') {
            at = skip_string(at);
            continue;
        }
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
        at++;
    } while (*at && (depth > 0 || !strchr(",}] \t\r\n", *at)));
    return at;
}

static bool is_key(const char *at, const char *end, const char *name)
{
    json_t *key = json_loadb(at, (size_t)(end - at), JSON_DECODE_ANY, NULL);
    bool is = key && strcmp(json_string_value(key), name) == 0;

    json_decref(key);
    return is;
}

/* A member of the object at `at`: from its key to behind its value. False: there is none; then from and to are both behind the
 * last member's value, or behind the opening brace. */
static bool find_member(const char *object, const char *name, const char **ret_from, const char **ret_to, const char **ret_value)
{
    const char *at = skip_space(object + 1);

    *ret_from = *ret_to = object + 1;
    while (*at == '"') {
        const char *key = at, *key_end = skip_string(at);
        const char *value = skip_space(skip_space(key_end) + 1), *end = skip_value(value);
        *ret_to = end;
        if (is_key(key, key_end, name)) {
            *ret_from = key;
            *ret_value = value;
            return true;
        }
        *ret_from = end;
        at = skip_space(end);
        at = *at == ',' ? skip_space(at + 1) : at;
    }
    return false;
}

/* The first platform whose name comes behind this one in the order of bytes; NULL: none does. */
static const char *find_next(const char *object, const char *platform)
{
    for (const char *at = skip_space(object + 1); *at == '"';) {
        const char *key = at, *key_end = skip_string(at);
        json_t *name = json_loadb(key, (size_t)(key_end - key), JSON_DECODE_ANY, NULL);
        bool is_behind = name && strcmp(json_string_value(name), platform) > 0;
        json_decref(name);
        if (is_behind)
            return key;
        at = skip_space(skip_value(skip_space(skip_space(key_end) + 1)));
        at = *at == ',' ? skip_space(at + 1) : at;
    }
    return NULL;
}

static void write_file(FILE *to, const char *old, const struct baseline_part *part)
{
    const char *from, *end, *platforms = NULL, *value;

    if (old)
        find_member(skip_space(old), "platforms", &from, &end, &platforms);
    if (!platforms || *skip_space(platforms + 1) == '}') {
        fputs("{\n  \"schema\": \"" BASELINE_SCHEMA "\",\n  \"platforms\": {\n    ", to);
        write_part(to, part);
        fputs("\n  }\n}\n", to);
        return;
    }
    bool is_there = find_member(platforms, part->platform, &from, &end, &value);
    const char *next = is_there ? NULL : find_next(platforms, part->platform);
    if (next)
        from = end = next;
    fwrite(old, 1, (size_t)(from - old), to);
    fputs(is_there || next ? "" : ",\n    ", to);
    write_part(to, part);
    fputs(next ? ",\n    " : "", to);
    fputs(end, to);
}

char *baseline_with(const struct baseline *b, const struct baseline_part *part)
{
    char *text = NULL;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);

    if (!to)
        abort(); /* there is no memory */
    write_file(to, b->text, part);
    fclose(to);
    return text;
}
