#include "analyze/render/coverage.h"

#include "analyze/render/text.h"

static char line[512];

const char *coverage_sampled(const struct coverage *c)
{
    const struct settings *s = c->settings;

    if (!s->sample_bytes)
        return NULL;
    snprintf(line, sizeof line, "Sampled: %s1 in %s on average; all figures are estimates from %s",
             s->sampling_differs ? "not every process, or not all alike: " : "", text_counted(s->sample_bytes, "byte"),
             text_counted(c->recorded, "recorded allocation"));
    return line;
}

const char *coverage_min_size(const struct coverage *c)
{
    const struct settings *s = c->settings;

    if (!s->min_size)
        return NULL;
    snprintf(line, sizeof line, "Allocations under %s were not recorded%s", text_counted(s->min_size, "byte"),
             s->min_size_differs ? " (less, or all were recorded, in some processes)" : "");
    return line;
}

const char *coverage_paused(const struct coverage *c)
{
    return c->was_paused ? "Recording was paused for some time: allocations made then are not in the log" : NULL;
}

int coverage_print(FILE *to, const struct coverage *c, const char *prefix)
{
    const char *(*const lines[])(const struct coverage *) = { coverage_sampled, coverage_min_size, coverage_paused };
    int count = 0;

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *text = lines[i](c);
        if (text && *prefix) { /* a message is one line */
            fprintf(to, "%s%s\n", prefix, text);
        } else if (text) {
            text_write_wrapped(to, text, "  ");
            fputc('\n', to);
        }
        count += text != NULL;
    }
    return count;
}

void coverage_json(json_t *root, const struct coverage *c, json_t *standard_errors)
{
    json_t *sampled = json_null();

    if (c->settings->sample_bytes)
        sampled = json_pack("{s:o, s:I, s:O}", "bytes", text_json_number(c->settings->sample_bytes), "allocations_recorded",
                            (json_int_t)c->recorded, "standard_errors", standard_errors);
    json_decref(standard_errors);
    json_object_set_new(root, "sampled", sampled);
    json_object_set_new(root, "min_size", text_json_number(c->settings->min_size));
    json_object_set_new(root, "was_paused", json_boolean(c->was_paused));
}
