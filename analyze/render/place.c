#include "analyze/render/place.h"

#include "analyze/render/text.h"

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
