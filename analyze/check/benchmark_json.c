/* The values as github-action-benchmark's customSmallerIsBetter takes them, for a chart over
 * commits. Names are what joins the points, so nothing that changes is in them. */
#include "analyze/check/outputs.h"
#include "analyze/check/wording.h"
#include "analyze/render/text.h"

#include <jansson.h>

/* What was recorded is not all there was, or not the program at its work: its numbers would be a
 * wrong point in the chart for ever. The action itself complains of an empty list. */
static bool is_measured(const struct verdict *v)
{
    for (size_t i = 0; i < v->problem_count; i++) {
        enum verdict_problem_kind kind = v->problems[i].kind;
        if (!v->problems[i].metric && kind != VERDICT_NO_BASELINE && kind != VERDICT_NOT_STABLE)
            return false;
    }
    return true;
}

static json_t *entry(const struct verdict *v, const struct verdict_metric *m)
{
    _cleanup_free_ char *name = text_safe_utf8(m->name, SIZE_MAX), *figures = wording_figures(v, m);
    _cleanup_free_ char *platform = text_safe_utf8(v->platform, WORDING_NAME_MOST);
    _cleanup_free_ char *extra = format_text("%s\n%s", figures, platform);
    json_t *object = json_pack("{s:o, s:s, s:I}", "name", text_json(name), "unit", verdict_unit(m->kind), "value",
                               m->value > INT64_MAX ? (json_int_t)INT64_MAX : (json_int_t)m->value);

    if (m->spread) /* value is the least, so all of it is above */
        json_object_set_new(object, "range", json_sprintf("+ %s", text_count(m->spread)));
    json_object_set_new(object, "extra", text_json(extra));
    return object;
}

void check_write_benchmark_json(FILE *to, const struct verdict *v)
{
    json_t *array = json_array();

    for (size_t i = 0; i < v->metric_count && is_measured(v); i++)
        if (v->metrics[i].state != VERDICT_IS_NOT_MEASURED)
            json_array_append_new(array, entry(v, &v->metrics[i]));
    json_dumpf(array, to, JSON_INDENT(2));
    fputc('\n', to);
    json_decref(array);
}
