/* What by_name's rows and costs look like, in text and JSON. */
#include "analyze/render/by_name.h"

#include "analyze/render/frames.h"
#include "analyze/render/text.h"

#include <string.h>

#define NAME_SHOWN 100 /* characters: C++ has longer ones; --json gives them whole */

int by_name_order(const struct by_name *table, const struct by_name_row *x, const struct by_name_row *y)
{
    for (size_t i = 0; i < x->frame_count && i < y->frame_count; i++) {
        const struct by_name_frame *a = &table->frames[x->frames[i]], *b = &table->frames[y->frames[i]];
        int order = strcmp(a->function, b->function);
        order = order ? order : strcmp(a->module, b->module);
        order = order ? order : strcmp(a->source, b->source);
        if (order || a->line != b->line)
            return order ? order : a->line < b->line ? -1 : 1;
    }
    return x->frame_count < y->frame_count ? -1 : x->frame_count > y->frame_count;
}

static void print_name(const struct by_name_frame *frame)
{
    size_t bytes = strlen(frame->function);

    if (frame->is_named && *frame->module) {
        text_print_safe(frame->module, strlen(frame->module));
        putchar(' ');
    }
    text_print_safe(frame->function, bytes > NAME_SHOWN ? NAME_SHOWN : bytes);
    if (bytes > NAME_SHOWN)
        printf("...");
    if (*frame->source) {
        printf("  ");
        text_print_safe(frame->source, strlen(frame->source));
        if (frame->line)
            printf(":%u", frame->line);
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
        print_name(&table->frames[row->frames[i]]);
    }
    if (left)
        printf("\n        ... %s (--depth)", text_counted(left, "more frame"));
}

json_t *by_name_frames_json(const struct by_name *table, const struct by_name_row *row)
{
    json_t *list = json_array();

    for (size_t i = 0; i < row->frame_count; i++) {
        const struct by_name_frame *f = &table->frames[row->frames[i]];
        json_array_append_new(list, json_pack("{s:o, s:o, s:b, s:o, s:o}", "module", text_json(f->module), "function",
                                              text_json(f->function), "is_named", f->is_named, "file",
                                              *f->source ? text_json(f->source) : json_null(), "line",
                                              f->line ? json_integer(f->line) : json_null()));
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
