/* The verdict as JSON, schema malloscope-check/1: docs/check.schema.json. Everything that is in
 * struct verdict, in its order, nothing cut. */
#include "analyze/check/outputs.h"
#include "analyze/check/wording.h"
#include "analyze/render/text.h"

#include <jansson.h>

/* A number that is known, else null. JSON's are as large as a signed one may be. */
static json_t *number_if(bool is_known, uint64_t number)
{
    return is_known ? json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number) : json_null();
}

static json_t *number(uint64_t value)
{
    return number_if(true, value);
}

static json_t *text_if(const char *text)
{
    return text ? text_json(text) : json_null();
}

static json_t *texts(char **list, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, text_json(list[i]));
    return array;
}

static json_t *culprit(const struct verdict_culprit *c)
{
    json_t *frames = json_array();

    for (size_t i = 0; i < c->frame_count; i++) {
        const struct verdict_frame *f = &c->frames[i];
        json_array_append_new(frames, json_pack("{s:o, s:o, s:o, s:o, s:b}", "function", text_json(f->function), "module", text_json(f->module),
                                                "file", text_if(f->file), "line", number_if(f->line, f->line), "is_apart", f->is_apart));
    }
    return json_pack("{s:o, s:o, s:o, s:I, s:o, s:b, s:b, s:b}", "frames", frames, "before", number_if(c->has_before, c->before), "now", number(c->now),
                     "change", (json_int_t)c->change, "spread", number(c->spread), "is_new", c->is_new, "is_line_gone", c->is_line_gone, "is_gone", c->is_gone);
}

static json_t *culprits(const struct verdict_metric *m)
{
    json_t *array = json_array();

    for (size_t i = 0; i < m->culprit_count; i++)
        json_array_append_new(array, culprit(&m->culprits[i]));
    return array;
}

static const char *scope_name(enum verdict_scope scope)
{
    return scope == VERDICT_SITE ? "site" : scope == VERDICT_MODULE ? "module" : scope == VERDICT_MARK ? "mark" : "all";
}

static json_t *metric(const struct verdict_metric *m)
{
    bool measured = m->state != VERDICT_IS_NOT_MEASURED;
    json_t *baseline = m->has_baseline ? json_pack("{s:o, s:o}", "value", number(m->baseline), "spread", number(m->baseline_spread)) : json_null();
    json_t *limit = m->has_limit ? json_pack("{s:o, s:s}", "value", number(m->limit), "from", verdict_source_name(m->limit_from)) : json_null();
    json_t *tolerance = json_pack("{s:f, s:o, s:b, s:o, s:o}", "percent", m->tolerance_percent, "absolute", number(m->tolerance_absolute),
                                  "given", m->tolerance_given, "value", number(m->tolerance), "allowed", number(m->allowed));

    json_t *object = json_pack("{s:o, s:s, s:s, s:o, s:s, s:s}", "name", text_json(m->name), "kind", verdict_kind_name(m->kind), "scope",
                               scope_name(m->scope), "scope_name", text_json(m->scope_name), "unit", verdict_unit(m->kind), "state",
                               verdict_state_name(m->state));
    json_object_set_new(object, "value", number_if(measured, m->value));
    json_object_set_new(object, "minimum", number_if(measured, m->minimum));
    json_object_set_new(object, "maximum", number_if(measured, m->maximum));
    json_object_set_new(object, "spread", number_if(measured, m->spread));
    json_object_set_new(object, "baseline", baseline);
    json_object_set_new(object, "change", m->has_baseline && measured ? json_integer(m->change) : json_null());
    json_object_set_new(object, "tolerance", tolerance);
    json_object_set_new(object, "limit", limit);
    json_object_set_new(object, "reason", text_if(m->reason));
    json_object_set_new(object, "culprits", culprits(m));
    json_object_set_new(object, "culprits_left_out", number(m->culprits_left_out));
    json_object_set_new(object, "offset", json_integer(m->offset));
    json_object_set_new(object, "offset_sites", number(m->offset_sites));
    return object;
}

static json_t *verdict(const struct verdict *v)
{
    json_t *root = json_pack("{s:s, s:o, s:s, s:i, s:o, s:o, s:o, s:o, s:o}", "schema", "malloscope-check/1", "version", text_json(v->version),
                             "verdict", wording_verdict(v), "exit_code", v->exit_code, "platform", text_json(v->platform), "program",
                             text_json(v->program), "logs", texts(v->logs, v->log_count), "runs", number(v->runs), "warmups",
                             number(v->warmups));
    json_t *metrics = json_array(), *problems = json_array();

    for (size_t i = 0; i < v->metric_count; i++)
        json_array_append_new(metrics, metric(&v->metrics[i]));
    for (size_t i = 0; i < v->problem_count; i++) {
        const struct verdict_problem *p = &v->problems[i];
        json_array_append_new(problems, json_pack("{s:s, s:o, s:o}", "kind", verdict_problem_name(p->kind), "metric", text_if(p->metric), "text",
                                                  text_json(p->text)));
    }
    json_object_set_new(root, "baseline_file", text_if(v->baseline_file));
    json_object_set_new(root, "baseline_saved", json_boolean(v->baseline_saved));
    json_object_set_new(root, "budget_file", text_if(v->budget_file));
    json_object_set_new(root, "within", text_if(v->within));
    json_object_set_new(root, "mark", text_if(v->mark));
    json_object_set_new(root, "exclude_modules", text_if(v->exclude_modules));
    json_object_set_new(root, "fail_on_improvement", json_boolean(v->fail_on_improvement));
    json_object_set_new(root, "allow_unstable", json_boolean(v->allow_unstable));
    json_object_set_new(root, "metrics", metrics);
    json_object_set_new(root, "problems", problems);
    json_object_set_new(root, "notes", texts(v->notes, v->note_count));
    json_object_set_new(root, "trust", text_json(v->trust));
    return root;
}

void check_write_json(FILE *to, const struct verdict *v)
{
    json_t *root = verdict(v);

    json_dumpf(root, to, JSON_INDENT(2));
    fputc('\n', to);
    json_decref(root);
}
