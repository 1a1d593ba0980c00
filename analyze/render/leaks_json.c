/* Leaks -> JSON, schema malloscope-leaks/1, and TSV. */
#include "analyze/render/coverage.h"
#include "analyze/render/frames.h"
#include "analyze/render/leaks.h"
#include "analyze/render/long_json.h"
#include "analyze/render/part.h"
#include "analyze/render/text.h"
#include "analyze/render/trust.h"

#include "format/record.h"

#include <inttypes.h>
#include <string.h>

static json_t *integer(uint64_t value)
{
    return text_json_number(value);
}

static json_t *text_or_null(const char *text)
{
    return text ? text_json(text) : json_null();
}

static enum site_role role_of(const struct call_tree *t, const struct call_frame *f)
{
    const struct symbols_frame names = { .function = f->function, .signature = f->signature, .file = f->source, .line = f->line };
    return frames_role_in(call_frame_module_path(t, (uint32_t)(f - t->frames)), frames_role(&names, !f->is_inlined), f->function);
}

/* Of a stack that ends at a node, the node of the frame that asked for the blocks, as `sites` has it: not of what only passes
 * allocations on, as operator new does. */
static uint32_t call_site(const struct call_tree *t, uint32_t node)
{
    struct site_search search = { 0 };
    uint32_t site = node;

    for (uint32_t at = node; at; at = t->nodes[at].parent) {
        const struct call_frame *f = &t->frames[t->nodes[at].frame];
        if (site_search_ends(&search, at, role_of(t, f), t->code->locations[f->location].file, !t->nodes[at].parent, &site))
            break;
    }
    return site;
}

/* In the stack. */
static json_int_t call_site_index(const struct call_tree *t, uint32_t node)
{
    json_int_t index = 0;

    for (uint32_t found = call_site(t, node); node != found; node = t->nodes[node].parent)
        index++;
    return index;
}

/* The innermost frame first. */
static json_t *stack(const struct call_tree *t, uint32_t node)
{
    json_t *list = json_array();

    for (; node; node = t->nodes[node].parent) {
        const struct call_frame *f = &t->frames[t->nodes[node].frame];
        uint32_t line = t->nodes[node].line;
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "function", text_or_null(f->function), "signature",
                                              text_or_null(f->signature), "file",
                                              text_or_null(f->source), "line", line ? integer(line) : json_null(), "module",
                                              text_json(call_frame_module_path(t, t->nodes[node].frame)), "offset",
                                              text_json_number(t->code->locations[f->location].address), "inlined", f->is_inlined));
    }
    return list;
}

static json_t *sum(const struct leak_sum *s)
{
    return json_pack("{s:I, s:I, s:I}", "places", (json_int_t)s->sites, "blocks", (json_int_t)s->blocks, "bytes", (json_int_t)s->bytes);
}

static json_t *site(const void *data, size_t number)
{
    const struct leaks *l = data;
    const struct leak_site *s = &l->sites[number];

    return json_pack("{s:I, s:I, s:I, s:I, s:f, s:f, s:s, s:I, s:o}", "bytes", (json_int_t)s->bytes, "blocks", (json_int_t)s->blocks,
                     "not_ended_bytes", (json_int_t)s->unended_bytes, "not_ended_blocks", (json_int_t)s->unended_blocks,
                     "first_seconds", (double)s->first_us / 1e6, "age_seconds", (double)s->age_us / 1e6, "called",
                     rec_function_name(s->function), "site", call_site_index(&l->tree, s->node), "stack",
                     stack(&l->tree, s->node));
}

static json_t *processes(const struct leaks *l, const struct facts *f)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->by_start_count; i++) {
        const struct facts_process *p = &f->processes[f->by_start[i]];
        json_array_append_new(list, json_pack("{s:I, s:o, s:s, s:o, s:I, s:I}", "pid", (json_int_t)p->told->pid, "exe",
                                              text_or_null(p->told->exe), "end", ending_name(l->endings[f->by_start[i]]),
                                              "wait_status", p->told->status_known && !p->goes_on ? integer(p->told->wait_status) : json_null(),
                                              "blocks", (json_int_t)p->leaked_blocks, "bytes", (json_int_t)p->leaked_bytes));
    }
    return list;
}

static json_t *used_rules(const struct suppressions *rules)
{
    json_t *list = json_array();

    for (size_t i = 0; i < rules->count; i++) {
        const struct suppression *rule = &rules->rules[i];
        if (!rule->sites)
            continue;
        _cleanup_free_ char *text = format_text("leak:%s", rule->pattern);
        json_array_append_new(list, json_pack("{s:o, s:b, s:I, s:I, s:I}", "rule", text_json(text), "built_in", rule->is_builtin,
                                              "places", (json_int_t)rule->sites, "blocks", (json_int_t)rule->blocks, "bytes",
                                              (json_int_t)rule->bytes));
    }
    return list;
}

void leaks_print_json(const struct leaks *l, const struct suppressions *rules, const struct log *log, const struct facts *f,
                      const struct leaks_view *view)
{
    const struct coverage coverage = { &f->settings, f->recorded, f->told.was_paused };
    const struct long_list places = { "places", l->count < view->top ? l->count : view->top, site, l };
    struct trust trust;
    json_t *root = json_pack("{s:s, s:o}", "schema", "malloscope-leaks/1", "leaked", sum(&l->leaked));

    json_object_set_new(root, "alive", l->at_moment ? sum(&l->alive) : json_null());
    json_object_set_new(root, "leaked_at_end", sum(&l->at_end));
    json_object_set_new(root, "not_ended", sum(&l->unended));
    json_object_set_new(root, "suppressed", sum(&l->suppressed));
    json_object_set_new(root, "at_seconds", l->at_moment ? json_real((double)f->duration_ns / 1e9) : json_null());
    json_object_set_new(root, "processes", processes(l, f));
    json_object_set_new(root, "rules", used_rules(rules));
    json_object_set_new(root, "part", part_json(f));
    coverage_json(root, &coverage, json_null());
    trust_of_facts(log, f, &trust);
    json_object_set_new(root, "trust", trust_json(&trust));
    long_json_print(root, &places);
}

/* A field of a row: tabs and newlines would end it, semicolons part the frames of a stack. */
static void print_field(const char *text)
{
    _cleanup_free_ char *field = text_make_safe(copy_text(text, strlen(text)));

    for (char *at = field; (at = strchr(at, ';'));)
        *at = ',';
    fputs(field, stdout);
}

void leaks_print_tsv(const struct leaks *l, const struct leaks_view *view)
{
    const struct call_tree *t = &l->tree;
    char buffer[CALL_NAME_BYTES];

    printf("bytes\tblocks\tnot_ended_bytes\tnot_ended_blocks\tfirst_seconds\tage_seconds\tfile\tline\tmodule\tstack\tcalled\tfunction\n");
    for (size_t i = 0; i < l->count && i < view->top; i++) {
        const struct leak_site *s = &l->sites[i];
        const struct call_node *n = &t->nodes[call_site(t, s->node)];
        const struct call_frame *f = &t->frames[n->frame];
        printf("%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%.6f\t%.6f\t", s->bytes, s->blocks, s->unended_bytes,
               s->unended_blocks, (double)s->first_us / 1e6, (double)s->age_us / 1e6);
        print_field(f->source ? f->source : "");
        if (n->line)
            printf("\t%u\t", n->line);
        else
            printf("\t\t");
        print_field(call_frame_module_path(t, n->frame));
        putchar('\t');
        for (uint32_t node = s->node; node; node = t->nodes[node].parent) {
            if (node != s->node)
                putchar(';');
            print_field(call_frame_name(t, t->nodes[node].frame, buffer));
        }
        printf("\t%s\t", rec_function_name(s->function));
        print_field(f->function ? call_frame_name(t, n->frame, buffer) : "");
        putchar('\n');
    }
}
