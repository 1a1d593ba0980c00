#include "analyze/render/place.h"

#include "analyze/render/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_SHOWN 100 /* characters: C++ has longer ones; --json gives them whole */

/* The file with the directory that it is in: enough to know it. */
static const char *short_path(const char *file)
{
    const char *last = strrchr(file, '/');

    for (const char *at = last; at && at > file; at--)
        if (at[-1] == '/')
            return at;
    return file;
}

static void print_frame(const struct symbols_frame *frame)
{
    const char *function = frame->function ? frame->function : "?";
    size_t bytes = strlen(function);

    text_print_safe(function, bytes > NAME_SHOWN ? NAME_SHOWN : bytes);
    if (bytes > NAME_SHOWN)
        fputs("...", stdout);
    if (!frame->file)
        return;
    fputs("  ", stdout);
    const char *file = short_path(frame->file);
    text_print_safe(file, strlen(file));
    if (frame->line)
        printf(":%u", frame->line);
}

void place_print(const struct code *code, const struct namer *namer, uint32_t location, const char *inlined_into)
{
    const struct code_location *place = &code->locations[location];
    const struct symbols_frame *frames;
    size_t count = namer->frames(namer->data, location, &frames);

    if (!location)
        fputs("(no stack)", stdout);
    else if (place->file)
        printf("%s+0x%" PRIx64, text_base_name(code->files[place->file].path), place->address);
    else
        printf("0x%" PRIx64 " in no file", place->address);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? inlined_into : " ", stdout);
        print_frame(&frames[i]);
    }
}

static json_t *text_or_null(const char *text)
{
    return text ? text_json(text) : json_null();
}

static json_t *number_or_null(uint32_t number)
{
    return number ? json_integer(number) : json_null();
}

json_t *place_json(const struct namer *namer, uint32_t location)
{
    const struct symbols_frame *frames;
    size_t count = namer->frames(namer->data, location, &frames);
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o, s:o}",
                                              "function", text_or_null(frames[i].function),
                                              "signature", text_or_null(frames[i].signature),
                                              "file", text_or_null(frames[i].file), "line", number_or_null(frames[i].line),
                                              "column", number_or_null(frames[i].column)));
    return list;
}
