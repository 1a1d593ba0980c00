/* Words and JSON -> limits. A word that means nothing is an error: a limit that nobody keeps to is worse than none. */
#include "analyze/check/limits.h"

#include "analyze/check/json_file.h"
#include "analyze/symbols/spelling.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const char *const scope_words[] = { "", "sites", "modules", "marks" };
#define SCOPES (sizeof scope_words / sizeof *scope_words)

bool verdict_kind_parse(const char *text, size_t bytes, enum verdict_kind *ret_kind)
{
    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++)
        if (strlen(verdict_kind_name(kind)) == bytes && memcmp(verdict_kind_name(kind), text, bytes) == 0) {
            *ret_kind = kind;
            return true;
        }
    return false;
}

bool metric_id_parse(const char *name, size_t bytes, struct metric_id *ret_id)
{
    if (verdict_kind_parse(name, bytes, &ret_id->kind)) {
        ret_id->scope = VERDICT_ALL;
        ret_id->scope_name = copy_text("", 0);
        return true;
    }
    const char *last = memrchr(name, '.', bytes);
    if (!last || !verdict_kind_parse(last + 1, bytes - (size_t)(last + 1 - name), &ret_id->kind))
        return false;
    for (enum verdict_scope scope = VERDICT_SITE; scope < SCOPES; scope++) {
        size_t length = strlen(scope_words[scope]);
        const char *middle = name + length + 1;
        if (strncmp(name, scope_words[scope], length) != 0 || name[length] != '.' || middle >= last)
            continue;
        ret_id->scope = scope;
        ret_id->scope_name = copy_text(middle, (size_t)(last - middle));
        if (scope == VERDICT_SITE)
            spelling_make(ret_id->scope_name);
        return true;
    }
    return false;
}

bool metric_id_is(const struct metric_id *a, const struct metric_id *b)
{
    return a->kind == b->kind && a->scope == b->scope && strcmp(a->scope_name, b->scope_name) == 0;
}

char *metric_id_name(const struct metric_id *id)
{
    const char *kind = verdict_kind_name(id->kind);
    return id->scope == VERDICT_ALL ? copy_text(kind, strlen(kind))
                                    : format_text("%s.%s.%s", scope_words[id->scope], id->scope_name, kind);
}

/* --- numbers ------------------------------------------------------------------------- */

static bool parse_amount(const char *text, uint64_t *ret_number)
{
    static const struct { const char *name; unsigned shift; } units[] = {
        { "", 0 }, { "B", 0 }, { "K", 10 }, { "KiB", 10 }, { "M", 20 }, { "MiB", 20 }, { "G", 30 }, { "GiB", 30 },
    };
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    for (size_t i = 0; !errno && i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].name) == 0 && number <= (uint64_t)INT64_MAX >> units[i].shift) {
            *ret_number = number << units[i].shift;
            return true;
        }
    return false;
}

/* "2%+5", "2%", "5". */
static bool parse_tolerance(const char *text, struct tolerance *t)
{
    const char *rest = text;
    char *end;

    if (strchr(text, '%')) {
        if (*text < '0' || *text > '9' || strpbrk(text, "xX"))
            return false;
        t->percent = strtod(text, &end);
        if (*end != '%' || !(t->percent <= 1e6))
            return false;
        if (!end[1])
            return true;
        if (end[1] != '+')
            return false;
        rest = end + 2;
    }
    return parse_amount(rest, &t->absolute);
}

/* --- options -------------------------------------------------------------------------- */

static void add(struct limits *l, const struct limit *limit)
{
    l->of = grow(l->of, &l->capacity, l->count + 1, sizeof *l->of);
    l->of[l->count++] = *limit;
}

static int fail_metric(const char *option, const char *text, struct failure *ret_failure)
{
    return fail(ret_failure, EINVAL, "%s %s: no such metric; want " CHECK_KIND_NAMES ", or one of a site, module or mark, as "
                "sites.FUNCTION.allocations", option, text);
}

int limits_add_max(struct limits *l, const char *text, struct failure *ret_failure)
{
    const char *equals = strrchr(text, '=');
    struct limit limit = { .from = VERDICT_FROM_MAX };

    if (!equals || !parse_amount(equals + 1, &limit.most))
        return fail(ret_failure, EINVAL, "--max %s: want METRIC=N, as allocations=1200 or bytes=1MiB", text);
    if (!metric_id_parse(text, (size_t)(equals - text), &limit.id))
        return fail_metric("--max", text, ret_failure);
    add(l, &limit);
    return 0;
}

static bool is_group(const char *name)
{
    return strcmp(name, "all") == 0 || strcmp(name, "sites") == 0 || strcmp(name, "modules") == 0 || strcmp(name, "marks") == 0;
}

int limits_add_tolerance(struct limits *l, const char *text, struct failure *ret_failure)
{
    const char *equals = strrchr(text, '=');
    struct tolerance t = { 0 };
    struct metric_id id;

    if (!equals || !parse_tolerance(equals + 1, &t))
        return fail(ret_failure, EINVAL, "--tolerance %s: want METRIC=P%%+N, as allocations=2%%+5, peak=1%% or bytes=4K", text);
    _cleanup_free_ char *name = copy_text(text, (size_t)(equals - text));
    if (!is_group(name)) {
        if (!metric_id_parse(name, strlen(name), &id))
            return fail_metric("--tolerance", text, ret_failure);
        free(name);
        name = metric_id_name(&id);
        free(id.scope_name);
    }
    t.name = name;
    name = NULL;
    l->tolerances = grow(l->tolerances, &l->tolerance_capacity, l->tolerance_count + 1, sizeof *l->tolerances);
    l->tolerances[l->tolerance_count++] = t;
    return 0;
}

static const struct tolerance *find_tolerance(const struct limits *l, const char *name)
{
    for (size_t i = l->tolerance_count; i-- > 0;)
        if (strcmp(l->tolerances[i].name, name) == 0)
            return &l->tolerances[i];
    return NULL;
}

const struct tolerance *limits_tolerance(const struct limits *l, const struct metric_id *id)
{
    _cleanup_free_ char *name = metric_id_name(id);
    const struct tolerance *t = find_tolerance(l, name);

    if (!t && id->scope != VERDICT_ALL)
        t = find_tolerance(l, scope_words[id->scope]);
    return t ? t : find_tolerance(l, "all");
}

/* --- budgets -------------------------------------------------------------------------- */

static int add_amount(struct limits *l, const char *path, enum verdict_scope scope, const char *name, const char *kind, const json_t *value,
                      struct failure *ret_failure)
{
    struct limit limit = { .from = VERDICT_FROM_BUDGET, .id = { .scope = scope } };
    const char *of = scope == VERDICT_ALL ? "" : scope_words[scope], *dot = *of ? "." : "";

    if (!verdict_kind_parse(kind, strlen(kind), &limit.id.kind))
        return fail(ret_failure, EINVAL, "%s: %s%s%s%s%s: no such metric; want " CHECK_KIND_NAMES "%s", path, of, dot, name, dot, kind,
                    scope == VERDICT_ALL ? ", sites, modules or marks" : "");
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        limit.most = (uint64_t)json_integer_value(value);
    else if (json_is_real(value) && json_real_value(value) >= 0 && json_real_value(value) < 1e15 && floor(json_real_value(value)) == json_real_value(value))
        limit.most = (uint64_t)json_real_value(value); /* 10.0 and 1e6 are integers by JSON's schemas */
    else if (!json_is_string(value) || !parse_amount(json_string_value(value), &limit.most))
        return fail(ret_failure, EINVAL, "%s: %s%s%s%s%s: want a number from 0 up, or a text as \"1MiB\"", path, of, dot, name, dot, kind);
    limit.id.scope_name = scope == VERDICT_SITE ? spelling_copy(name) : copy_text(name, strlen(name));
    add(l, &limit);
    return 0;
}

static int add_scope(struct limits *l, const char *path, enum verdict_scope scope, json_t *object, struct failure *ret_failure)
{
    const char *name, *kind;
    json_t *kinds, *value;
    int error;

    if (!json_object_size(object)) /* or it is none */
        return fail(ret_failure, EINVAL, "%s: %s: want an object with names and their limits", path, scope_words[scope]);
    json_object_foreach(object, name, kinds) {
        if (!json_object_size(kinds) || !*name)
            return fail(ret_failure, EINVAL, "%s: %s.%s: want a name and an object, as {\"allocations\": 100}", path, scope_words[scope],
                        name);
        json_object_foreach(kinds, kind, value) {
            error = add_amount(l, path, scope, name, kind, value, ret_failure);
            if (error)
                return error;
        }
    }
    return 0;
}

int limits_add_budget(struct limits *l, const char *path, struct failure *ret_failure)
{
    json_t *root, *value;
    const char *key;
    size_t before = l->count;
    int error = json_file_read(path, "budget", "see docs/baseline.md", "resolve them", &root, NULL, ret_failure);

    if (error)
        return error;
    json_object_foreach(root, key, value) {
        enum verdict_scope scope = VERDICT_SITE;
        while (scope < SCOPES && strcmp(key, scope_words[scope]) != 0)
            scope++;
        if (strcmp(key, "$schema") == 0)
            continue;
        if (strcmp(key, "schema") == 0)
            error = json_file_check_schema(path, root, "malloscope-budget/1", ret_failure);
        else if (scope < SCOPES)
            error = add_scope(l, path, scope, value, ret_failure);
        else
            error = add_amount(l, path, VERDICT_ALL, "", key, value, ret_failure);
        if (error)
            break;
    }
    json_decref(root);
    if (!error && l->count == before)
        return fail(ret_failure, EINVAL, "%s: has no limits: want at least one, as {\"allocations\": 1200}", path);
    return error;
}

void limits_release(struct limits *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->of[i].id.scope_name);
    for (size_t i = 0; i < l->tolerance_count; i++)
        free(l->tolerances[i].name);
    free(l->of);
    free(l->tolerances);
    *l = (struct limits){ 0 };
}
