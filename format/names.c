#include "format/names.h"

#include "format/encode.h"

#include <string.h>

enum { STRING_NONE = 0, STRING_NEW = 1, STRING_AGAIN = 2 };

static uint64_t take_number(const uint8_t **at, const uint8_t *end, bool *ret_bad)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    *ret_bad = true;
    return 0;
}

static struct text take_text(const uint8_t **at, const uint8_t *end, bool *ret_bad)
{
    uint64_t bytes = take_number(at, end, ret_bad);

    if (*ret_bad || bytes > (uint64_t)(end - *at)) {
        *ret_bad = true;
        return (struct text){ "", 0 };
    }
    *at += bytes;
    return (struct text){ (const char *)*at - bytes, bytes };
}

static struct names_string take_string(struct names_decoder *d)
{
    struct names_string none = { { "", 0 }, NAMES_TEXTS_MAX };
    uint64_t number = take_number(&d->at, d->end, &d->bad);

    if (number == STRING_NONE)
        return none;
    if (number == STRING_NEW) {
        bool has_number = d->text_count < NAMES_TEXTS_MAX;
        if (has_number)
            d->texts[d->text_count] = (uint32_t)(d->at - d->start);
        struct text text = take_text(&d->at, d->end, &d->bad);
        return (struct names_string){ text, has_number ? d->text_count++ : NAMES_TEXTS_MAX };
    }
    number -= STRING_AGAIN;
    if (number >= d->text_count) {
        d->bad = true;
        return none;
    }
    const uint8_t *there = d->start + d->texts[number];
    return (struct names_string){ take_text(&there, d->at, &d->bad), (uint32_t)number };
}

bool names_decoder_begin(struct names_decoder *d, const void *payload, size_t bytes)
{
    d->start = d->at = payload;
    d->end = d->at + bytes;
    d->text_count = d->frames_left = 0;
    d->address = 0;
    d->bad = false;
    d->path = take_text(&d->at, d->end, &d->bad);
    d->build_id = take_text(&d->at, d->end, &d->bad);
    return !d->bad;
}

int names_next(struct names_decoder *d, uint64_t *ret_address, uint32_t *ret_frames)
{
    if (d->bad || d->frames_left)
        return -1;
    if (d->at == d->end)
        return 0;
    d->address += take_number(&d->at, d->end, &d->bad);
    uint64_t frames = take_number(&d->at, d->end, &d->bad);
    d->bad |= frames > NAMES_FRAMES_MAX;
    if (d->bad)
        return -1;
    *ret_address = d->address;
    *ret_frames = d->frames_left = (uint32_t)frames;
    return 1;
}

bool names_next_frame(struct names_decoder *d, struct names_frame *ret_frame)
{
    if (d->bad || !d->frames_left)
        return false;
    d->frames_left--;
    ret_frame->function = take_string(d);
    ret_frame->signature = take_string(d);
    ret_frame->file = take_string(d);
    ret_frame->line = (uint32_t)take_number(&d->at, d->end, &d->bad);
    ret_frame->column = (uint32_t)take_number(&d->at, d->end, &d->bad);
    return !d->bad;
}

static void put_text(struct names_encoder *e, struct text text)
{
    e->at = encode_varint(e->at, text.bytes);
    memcpy(e->at, text.data, text.bytes);
    e->at += text.bytes;
}

void names_encoder_begin(struct names_encoder *e, void *payload, struct text path, struct text build_id)
{
    *e = (struct names_encoder){ .start = payload, .at = payload };
    put_text(e, path);
    put_text(e, build_id);
}

void names_put_entry(struct names_encoder *e, uint64_t address, uint32_t frames)
{
    e->at = encode_varint(e->at, address - e->address);
    e->at = encode_varint(e->at, frames);
    e->address = address;
}

void names_put_none(struct names_encoder *e)
{
    *e->at++ = STRING_NONE;
}

uint32_t names_put_text(struct names_encoder *e, struct text text)
{
    *e->at++ = STRING_NEW;
    put_text(e, text);
    return e->text_count < NAMES_TEXTS_MAX ? e->text_count++ : NAMES_TEXTS_MAX;
}

void names_put_again(struct names_encoder *e, uint32_t number)
{
    e->at = encode_varint(e->at, (uint64_t)number + STRING_AGAIN);
}

void names_put_line(struct names_encoder *e, uint32_t line, uint32_t column)
{
    e->at = encode_varint(e->at, line);
    e->at = encode_varint(e->at, column);
}
