/* JSON -> a platform's baseline. Nothing in the file is believed: whoever commits it may have edited it, or a merge has. */
#include "analyze/check/baseline.h"

#include "analyze/check/json_file.h"
#include "analyze/check/numbered.h"
#include "analyze/hash.h"
#include "analyze/symbols/spelling.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define REMEDY "mend it, or remove it and make it anew with --save-baseline"
#define MERGE_REMEDY "take one side of them (git checkout --theirs, or --ours), then --update what the other side had (docs/baseline.md)"

/* Where in the file something is wrong. */
struct reading_baseline {
    const char *path, *platform;
    struct failure *failure;
};

static int bad(const struct reading_baseline *r, const char *where, const char *wanted)
{
    return fail(r->failure, EINVAL, "%s: %.200s: %s: want %s; mend it, or make it anew with --update", r->path, r->platform, where, wanted);
}

static bool take_number(const json_t *object, const char *name, uint64_t *ret_number)
{
    const json_t *value = json_object_get(object, name);

    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *ret_number = (uint64_t)json_integer_value(value);
    return true;
}

static char *copied(const char *text)
{
    return text ? copy_text(text, strlen(text)) : NULL;
}

static char *take_text(const json_t *object, const char *name)
{
    return copied(json_string_value(json_object_get(object, name)));
}

static char *take_name(const json_t *object, const char *name)
{
    char *text = take_text(object, name);

    if (text)
        spelling_make(text);
    return text;
}

/* 7, or [5, 7]: least and most. */
static bool take_range(const json_t *value, struct baseline_range *ret_range)
{
    const json_t *least = json_is_array(value) && json_array_size(value) == 2 ? json_array_get(value, 0) : value;
    const json_t *most = least == value ? value : json_array_get(value, 1);

    if (!json_is_integer(least) || !json_is_integer(most) || json_integer_value(least) < 0 || json_integer_value(most) < json_integer_value(least))
        return false;
    *ret_range = (struct baseline_range){ true, (uint64_t)json_integer_value(least), (uint64_t)json_integer_value(most) };
    return true;
}

/* Baselines may have two spellings of one name: together they are what it is now. */
static struct baseline_sum *sum_named(struct baseline_sums *sums, const char *name)
{
    _cleanup_free_ char *spelled = spelling_copy(name);
    struct baseline_sum *known = (struct baseline_sum *)baseline_find_sum(sums, spelled);

    if (known)
        return known;
    hash_table_add(&sums->table, hash_add_text(0, spelled), (uint32_t)sums->count);
    sums->of[sums->count].name = spelled;
    spelled = NULL;
    return &sums->of[sums->count++];
}

static void add_range(struct baseline_range *to, const struct baseline_range *range)
{
    *to = (struct baseline_range){ true, to->least + range->least, to->most + range->most };
}

static int read_sums(const struct reading_baseline *r, const char *what, const json_t *from, struct baseline_sums *sums)
{
    const char *name, *kind_name;
    const json_t *values, *value;

    if (!json_is_object(from))
        return bad(r, what, "an object");
    sums->of = alloc_zeroed(2 * json_object_size(from) + 1, sizeof *sums->of);
    json_object_foreach((json_t *)from, name, values) {
        struct baseline_sum *sum = sum_named(sums, name);
        _cleanup_free_ char *group = numbered_group(sum->name);
        sum->is_numbered = group;
        if (!json_is_object(values))
            return bad(r, what, "names with objects");
        json_object_foreach((json_t *)values, kind_name, value) {
            struct baseline_range range;
            enum verdict_kind kind;
            if (!verdict_kind_parse(kind_name, strlen(kind_name), &kind) || !take_range(value, &range))
                return bad(r, what, "metrics with a number from 0 up, or with two, the least and the most");
            add_range(&sum->values[kind], &range);
            if (group)
                add_range(&sum_named(sums, group)->values[kind], &range);
        }
    }
    return 0;
}

static void release_sums(struct baseline_sums *sums)
{
    for (size_t i = 0; i < sums->count; i++)
        free(sums->of[i].name);
    free(sums->of);
    hash_table_release(&sums->table);
}

static int read_metrics(const struct reading_baseline *r, const json_t *metrics, struct baseline *b)
{
    const char *name;
    const json_t *value;

    if (!json_is_object(metrics))
        return bad(r, "metrics", "an object");
    json_object_foreach((json_t *)metrics, name, value) {
        enum verdict_kind kind;
        if (!verdict_kind_parse(name, strlen(name), &kind))
            return bad(r, name, "a metric: " CHECK_KIND_NAMES);
        if (!take_number(value, "least", &b->metrics[kind].least) || !take_number(value, "most", &b->metrics[kind].most) ||
            b->metrics[kind].most < b->metrics[kind].least)
            return bad(r, name, "\"least\" and \"most\", numbers from 0 up, in this order");
        b->metrics[kind].known = true;
    }
    return b->metrics[VERDICT_ALLOCATIONS].known ? 0 : bad(r, "metrics", "allocations among them");
}

static char *read_key(const json_t *stack)
{
    _cleanup_free_ char *key = copy_text("", 0);
    const json_t *frame;
    size_t i;

    json_array_foreach(stack, i, frame) {
        const char *name = json_string_value(frame);
        if (!name || !*name || strchr(name, '\n'))
            return NULL;
        char *longer = format_text("%s%s\n", key, name);
        free(key);
        key = longer;
    }
    char *all = *key ? key : NULL;
    key = all ? NULL : key;
    return all;
}

static int read_place(const struct reading_baseline *r, const char *name, const json_t *value, struct baseline_place *place)
{
    const char *colon = strrchr(name, ':'), *lines = colon ? colon + 1 : name;

    *place = (struct baseline_place){ .source = colon ? copy_text(name, (size_t)(colon - name)) : NULL, .lines = copied(lines),
                                      .is_whole = json_is_object(value) };
    if (lines[strspn(lines, "0123456789 ")])
        return bad(r, "sites: lines", "line numbers, or a file, a colon and those");
    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS && place->is_whole; kind++)
        if (json_object_get(value, verdict_kind_name(kind)) && !take_number(value, verdict_kind_name(kind), &place->values[kind]))
            return bad(r, "sites: lines", "numbers from 0 up");
    if (place->is_whole)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return bad(r, "sites: lines", "how many allocations come from there, or an object of metrics");
    place->values[VERDICT_ALLOCATIONS] = (uint64_t)json_integer_value(value);
    return 0;
}

static int read_places(const struct reading_baseline *r, const json_t *lines, struct baseline_site *site)
{
    const char *name;
    const json_t *value;

    if (!lines)
        return 0;
    site->places = alloc_zeroed(json_object_size(lines) + 1, sizeof *site->places);
    json_object_foreach((json_t *)lines, name, value) {
        int error = read_place(r, name, value, &site->places[site->place_count++]);
        if (error)
            return error;
    }
    if (site->place_count == 1) { /* all of the site's */
        memcpy(site->places[0].values, site->values, sizeof site->values);
        site->places[0].is_whole = true;
    }
    return json_is_object(lines) ? 0 : bad(r, "sites: lines", "an object");
}

/* What differed between the runs; else all had the same. */
static int read_most(const struct reading_baseline *r, const json_t *most, struct baseline_site *site)
{
    memcpy(site->most, site->values, sizeof site->most);
    if (most && !json_is_object(most))
        return bad(r, "sites: most", "an object");
    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++)
        if (json_object_get(most, verdict_kind_name(kind)) &&
            (!take_number(most, verdict_kind_name(kind), &site->most[kind]) || site->most[kind] < site->values[kind]))
            return bad(r, "sites: most", "numbers that are not below the site's");
    return 0;
}

static char *spelled_key(const char *key)
{
    char *spelled = copy_text(key, strlen(key)), *to = spelled;

    for (char *at = spelled, *end; (end = strchr(at, '\n')); at = end + 1) { /* each name is one line */
        *end = 0;
        size_t bytes = spelling_make(at);
        memmove(to, at, bytes);
        to += bytes;
        *to++ = '\n';
    }
    *to = 0;
    return spelled;
}

static int read_site(const struct reading_baseline *r, const json_t *from, struct baseline *b)
{
    struct baseline_site *site = &b->sites[b->site_count];

    *site = (struct baseline_site){ .key = read_key(json_object_get(from, "stack")) };
    if (!site->key)
        return bad(r, "sites", "each to have a \"stack\", a list of functions");
    char *spelled = spelled_key(site->key);
    if (baseline_find(b, spelled)) { /* in two spellings, or twice */
        free(spelled);
    } else {
        free(site->key);
        site->key = spelled;
    }
    uint64_t hash = hash_add_text(0, site->key);
    if (baseline_find(b, site->key)) {
        free(site->key);
        return bad(r, "sites", "each stack once");
    }
    hash_table_add(&b->table, hash, (uint32_t)b->site_count++);
    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++)
        if (json_object_get(from, verdict_kind_name(kind)) && !take_number(from, verdict_kind_name(kind), &site->values[kind]))
            return bad(r, "sites", "numbers from 0 up");
    if (read_most(r, json_object_get(from, "most"), site))
        return -EINVAL;
    site->file = take_text(from, "file");
    return read_places(r, json_object_get(from, "lines"), site);
}

static uint64_t sum_of(uint64_t a, uint64_t b)
{
    return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

/* Of each run the sites' allocations are all that there are: what they had at least comes to no more than the least of all. And what functions had at
 * most comes to no less than the most (to more, where some pass on what others ask for; sites may not tell of a most). Git merges two branches
 * that changed the total in the same way, and different sites, without a word. */
static int check_sums(const struct reading_baseline *r, const struct baseline *b)
{
    const struct baseline_range *all = &b->metrics[VERDICT_ALLOCATIONS];
    uint64_t least = 0, most = 0;

    for (size_t i = 0; i < b->site_count; i++)
        least = sum_of(least, b->sites[i].values[VERDICT_ALLOCATIONS]);
    for (size_t i = 0; i < b->functions.count; i++)
        if (!b->functions.of[i].is_numbered) /* its group has it */
            most = sum_of(most, b->functions.of[i].values[VERDICT_ALLOCATIONS].most);
    if (least <= all->least && (most >= all->most || !b->functions.count))
        return 0;
    return fail(r->failure, EINVAL, "%s: %.200s: \"metrics\" have %" PRIu64 " allocations, and its %s come to %" PRIu64 ": two branches that each changed "
                "it were merged line by line, or somebody edited it; make it anew with --update (docs/baseline.md)", r->path, r->platform,
                least > all->least ? all->least : all->most, least > all->least ? "sites" : "functions", least > all->least ? least : most);
}

static int read_platform(const struct reading_baseline *r, const json_t *from, struct baseline *b)
{
    const json_t *sites = json_object_get(from, "sites"), *scope = json_object_get(from, "scope"), *site;
    size_t i;

    if (!json_is_object(from))
        return bad(r, "it", "an object");
    b->libc = take_text(from, "libc");
    if (!take_number(from, "runs", &b->run_count) || !b->run_count)
        return bad(r, "runs", "a number from 1 up");
    b->scope = (struct baseline_scope){ take_name(scope, "within"), take_text(scope, "mark"), take_text(scope, "exclude_modules"),
                                        take_text(scope, "suppressions"), json_is_true(json_object_get(scope, "no_default_suppressions")) };
    int error = read_metrics(r, json_object_get(from, "metrics"), b);
    if (error)
        return error;
    const json_t *functions = json_object_get(from, "functions"), *modules = json_object_get(from, "modules");
    b->has_sums = functions || modules;
    if (b->has_sums)
        error = read_sums(r, "functions", functions, &b->functions);
    if (b->has_sums && !error)
        error = read_sums(r, "modules", modules, &b->modules);
    if (error)
        return error;
    if (!json_is_array(sites))
        return bad(r, "sites", "a list");
    b->sites = alloc_zeroed(json_array_size(sites) + 1, sizeof *b->sites);
    json_array_foreach(sites, i, site) {
        error = read_site(r, site, b);
        if (error)
            return error;
    }
    return check_sums(r, b);
}

static int read_root(const char *path, const char *platform, bool is_replaced, json_t *root, struct baseline *b,
                     struct failure *ret_failure)
{
    const struct reading_baseline r = { path, platform, ret_failure };
    json_t *platforms = json_object_get(root, "platforms"), *value;
    const char *name;
    int error = json_file_check_schema(path, root, BASELINE_SCHEMA, ret_failure);

    if (error)
        return error;
    if (!json_is_object(platforms))
        return fail(ret_failure, EINVAL, "%s: has no \"platforms\", and is no baseline; " REMEDY, path);
    b->others = copy_text("", 0);
    json_object_foreach(platforms, name, value) {
        if (strcmp(name, platform) == 0)
            continue;
        char *more = format_text("%s%s%s", b->others, *b->others ? ", " : "", name);
        free(b->others);
        b->others = more;
    }
    value = json_object_get(platforms, platform);
    b->found = value;
    return value && !is_replaced ? read_platform(&r, value, b) : 0;
}

int baseline_read(const char *path, const char *platform, bool is_replaced, struct baseline *ret_baseline, struct failure *ret_failure)
{
    json_t *root;

    *ret_baseline = (struct baseline){ 0 };
    int error = json_file_read(path, "baseline", REMEDY, MERGE_REMEDY, &root, &ret_baseline->text, ret_failure);
    if (error)
        return error;
    error = read_root(path, platform, is_replaced, root, ret_baseline, ret_failure);
    json_decref(root);
    if (error)
        baseline_release(ret_baseline);
    return error;
}

bool baseline_can_name(const char *platform)
{
    json_t *name = json_string(platform);

    json_decref(name);
    return name && *platform;
}

const struct baseline_sum *baseline_find_sum(const struct baseline_sums *sums, const char *name)
{
    struct hash_search s = hash_table_search(&sums->table, hash_add_text(0, name));

    while (hash_table_next(&sums->table, &s))
        if (strcmp(sums->of[s.number].name, name) == 0)
            return &sums->of[s.number];
    return NULL;
}

const struct baseline_site *baseline_find(const struct baseline *b, const char *key)
{
    struct hash_search s = hash_table_search(&b->table, hash_add_text(0, key));

    while (hash_table_next(&b->table, &s))
        if (strcmp(b->sites[s.number].key, key) == 0)
            return &b->sites[s.number];
    return NULL;
}

void baseline_scope_release(struct baseline_scope *s)
{
    free(s->within);
    free(s->mark);
    free(s->exclude_modules);
    free(s->suppressions);
}

void baseline_release(struct baseline *b)
{
    for (size_t i = 0; i < b->site_count; i++) {
        struct baseline_site *site = &b->sites[i];
        for (size_t k = 0; k < site->place_count; k++) {
            free(site->places[k].source);
            free(site->places[k].lines);
        }
        free(site->places);
        free(site->key);
        free(site->file);
    }
    free(b->sites);
    release_sums(&b->functions);
    release_sums(&b->modules);
    hash_table_release(&b->table);
    baseline_scope_release(&b->scope);
    free(b->text);
    free(b->others);
    free(b->libc);
    *b = (struct baseline){ 0 };
}
