/* What by_name's rows and costs look like, in text and JSON. */
#include "analyze/render/by_name.h"

#include "analyze/render/frames.h"
#include "analyze/render/identity.h"
#include "analyze/render/short_names.h"
#include "analyze/render/text.h"

#include <string.h>

#define NAME_SHOWN 100 /* characters: C++ has longer ones; --json gives them whole */

int by_name_order(const struct by_name *table, const struct by_name_row *x, const struct by_name_row *y)
{
    for (size_t i = 0; i < x->frame_count && i < y->frame_count; i++) {
        const struct by_name_frame *a = &table->frames[x->frames[i]], *b = &table->frames[y->frames[i]];
        int order = strcmp(a->function, b->function);
        order = order ? order : strcmp(a->module, b->module);
        order = order ? order : strcmp(a->signature, b->signature);
        order = order ? order : strcmp(a->source, b->source);
        order = order ? order : strcmp(a->path ? a->path : "", b->path ? b->path : "");
        if (order || a->line != b->line)
            return order ? order : a->line < b->line ? -1 : 1;
    }
    return x->frame_count < y->frame_count ? -1 : x->frame_count > y->frame_count;
}

/* Where it was before, and is now; where it is not one line, or none is known, nothing. */
static void print_lines(uint32_t before, uint32_t after)
{
    if (before == BY_NAME_LINE_VARIES || after == BY_NAME_LINE_VARIES || !(before | after))
        return;
    printf(":%u", before ? before : after);
    if (before && after && before != after)
        printf(" %s %u", text_is_utf8() ? "→" : "->", after);
}

static json_t *line_json(uint32_t before, uint32_t after)
{
    uint32_t line = after ? after : before;
    return before == BY_NAME_LINE_VARIES || line == BY_NAME_LINE_VARIES || !line ? json_null() : json_integer(line);
}

/* Where the sources were: of what is only in the first side's logs, there. */
static const char *path_of(const struct by_name_row *row, const struct by_name_frame *frame)
{
    bool is_old = row->logs[0] && !row->logs[1];
    return is_old && frame->old_path ? frame->old_path : frame->path;
}

static void print_name(const struct by_name *table, const struct by_name_row *row, size_t at)
{
    const struct by_name_frame *frame = &table->frames[row->frames[at]];
    const char *name = table->frames[frame->namesake].is_overload ? frame->signature : frame->function;
    _cleanup_free_ char *shown = names_cut(name, NAME_SHOWN);

    if (frame->is_named && *frame->module) {
        text_print_safe(frame->module, strlen(frame->module));
        putchar(' ');
    }
    text_print_safe(shown, strlen(shown));
    if (frame->path && *frame->source) {
        const char *source = identity_file(path_of(row, frame));
        printf("  ");
        text_print_safe(source, strlen(source));
        print_lines(row->lines[0][at], row->lines[1][at]);
    }
}

void by_name_print_frames(const struct by_name *table, const struct by_name_row *row, size_t depth)
{
    size_t count = row->frame_count;
    while (count > 1 && frames_is_start(table->frames[row->frames[count - 1]].function))
        count--;
    size_t left = count > depth ? count - depth : 0;

    for (size_t i = 0; i < count - left; i++) {
        if (i)
            printf("\n        from  ");
        print_name(table, row, i);
    }
    if (left)
        printf("\n        ... %s (--depth)", text_counted(left, "more frame"));
}

json_t *by_name_frames_json(const struct by_name *table, const struct by_name_row *row)
{
    json_t *list = json_array();

    for (size_t i = 0; i < row->frame_count; i++) {
        const struct by_name_frame *f = &table->frames[row->frames[i]];
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:b, s:o, s:o}", "module", text_json(f->module), "function",
                                              text_json(f->function), "signature", f->is_named ? text_json(f->signature) : json_null(),
                                              "is_named", f->is_named, "file",
                                              f->path ? text_json(path_of(row, f)) : json_null(), "line",
                                              line_json(row->lines[0][i], row->lines[1][i])));
    }
    return list;
}

json_t *by_name_costs_json(const uint64_t costs[COST_COUNT], bool temporary_known)
{
    json_t *object = json_object();

    for (enum cost cost = 0; cost < COST_COUNT; cost++)
        json_object_set_new(object, cost_name(cost), cost == COST_TEMPORARY && !temporary_known
                                                         ? json_null()
                                                         : json_integer((json_int_t)costs[cost]));
    return object;
}
