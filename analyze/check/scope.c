/* Names -> whether a site is in a metric's scope: functions by their names, modules by any part of theirs that says which
 * library it is. */
#include "analyze/check/judge.h"

#include "analyze/check/frame_name.h"
#include "analyze/check/numbered.h"

#include <string.h>

const char *judge_own_module(const struct measured *m)
{
    for (size_t i = 0; i < m->site_count; i++)
        if (m->sites[i].is_own)
            return m->sites[i].module;
    return "";
}

void judge_split_frame(const char *key, const char *own_module, char **ret_function, char **ret_module)
{
    size_t length = strcspn(key, "\n");
    const char *module = frame_name_module(key, length);
    size_t bytes = module ? (size_t)(key + length - 1 - module) : 0;
    bool is_own = !module || (bytes == strlen(FRAME_NAME_OWN) && memcmp(module, FRAME_NAME_OWN, bytes) == 0);

    *ret_function = copy_text(key, module ? (size_t)(module - 2 - key) : length);
    *ret_module = is_own ? copy_text(own_module, strlen(own_module)) : copy_text(module, bytes);
}

static bool is_file_of(const char *file_name, const char *name)
{
    size_t length = strlen(name);
    const char *rest = file_name + length;

    if (!*file_name || strncmp(file_name, name, length) != 0)
        return false;
    if (!*rest || (length > 3 && *rest == '.' && strcmp(name + length - 3, ".so") == 0))
        return true;
    rest += strspn(rest, "0123456789.-_");
    if (rest > file_name && rest[-1] == '.' && strncmp(rest, "so", 2) == 0)
        rest--;
    return strncmp(rest, ".so", 3) == 0 && (!rest[3] || rest[3] == '.');
}

bool judge_is_module(const char *file_name, bool is_own, const char *name)
{
    if (strcmp(name, BASELINE_PROGRAM) == 0)
        return is_own;
    _cleanup_free_ char *any_version = measured_module_name(name);
    return is_file_of(file_name, any_version);
}

/* They are the same up to where a number may be. */
static bool may_be_of(const char *key, const char *function)
{
    size_t same = 0;

    while (function[same] && function[same] == key[same])
        same++;
    return !function[same] || key[same] == '#' || (same && key[same - 1] == '_');
}

bool judge_only_passed(const struct verdict_metric *metric, const struct measured_site *measured)
{
    _cleanup_free_ char *function = NULL, *module = NULL;

    if (metric->scope != VERDICT_SITE || !measured_has_passed(measured, metric->scope_name))
        return false;
    judge_split_frame(measured->key, measured->module, &function, &module);
    return strcmp(function, metric->scope_name) != 0;
}

bool judge_site_counts(const struct verdict_metric *metric, const struct measured_site *measured, const char *key, const char *own_module)
{
    _cleanup_free_ char *function = NULL, *module = NULL;

    if (metric->scope != VERDICT_SITE && metric->scope != VERDICT_MODULE)
        return true;
    if (metric->scope == VERDICT_MODULE && measured)
        return judge_is_module(measured->module, measured->is_own, metric->scope_name);
    if (metric->scope == VERDICT_SITE && measured && measured_has_passed(measured, metric->scope_name))
        return true;
    if (metric->scope == VERDICT_SITE && !may_be_of(key, metric->scope_name))
        return false; /* as nearly all of them, and there may be many */
    judge_split_frame(key, own_module, &function, &module);
    _cleanup_free_ char *group = numbered_group(function);
    return metric->scope == VERDICT_SITE ? strcmp(function, metric->scope_name) == 0 || (group && strcmp(group, metric->scope_name) == 0)
                                         : judge_is_module(module, strcmp(module, own_module) == 0, metric->scope_name);
}
