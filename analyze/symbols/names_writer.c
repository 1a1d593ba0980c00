#include "analyze/symbols/names_writer.h"

#include "analyze/hash.h"
#include "analyze/util.h"
#include "format/names.h"

#include <string.h>

#define PAYLOAD_BYTES (1u << 20) /* a chunk's most, for an entry of many frames */
#define FULL_BYTES (192u << 10)  /* then the next one begins */

struct names_writer {
    void (*take)(void *data, const void *payload, size_t bytes);
    void *data;
    struct text path, build_id;
    struct names_encoder encoder;
    size_t head_bytes;
    uint32_t table[2 * NAMES_TEXTS_MAX]; /* hash of a text -> 1 + its number in the payload */
    uint32_t places[NAMES_TEXTS_MAX];    /* in the payload, by number */
    uint8_t payload[PAYLOAD_BYTES];
};

static size_t used(const struct names_writer *w)
{
    return (size_t)(w->encoder.at - w->payload);
}

static void begin(struct names_writer *w)
{
    names_encoder_begin(&w->encoder, w->payload, w->path, w->build_id);
    w->head_bytes = used(w);
    memset(w->table, 0, sizeof w->table);
}

struct names_writer *names_writer_begin(const char *path, const void *build_id, size_t build_id_bytes,
                                        void (*take)(void *data, const void *payload, size_t bytes), void *data)
{
    struct names_writer *w = alloc_unset(sizeof *w);

    w->take = take;
    w->data = data;
    w->path = (struct text){ path, strnlen(path, NAMES_TEXT_MAX) };
    w->build_id = (struct text){ build_id, build_id_bytes < 256 ? build_id_bytes : 256 };
    begin(w);
    return w;
}

static void flush(struct names_writer *w)
{
    if (used(w) > w->head_bytes)
        w->take(w->data, w->payload, used(w));
    begin(w);
}

/* The bytes of the text that has this number, which begin with its length. */
static bool is_there(const struct names_writer *w, uint32_t number, const uint8_t *wanted, size_t bytes)
{
    size_t there = w->places[number];
    return used(w) - there >= bytes && memcmp(w->payload + there, wanted, bytes) == 0;
}

static void put_string(struct names_writer *w, const char *string)
{
    struct text text = { string, string ? strnlen(string, NAMES_TEXT_MAX) : 0 };
    uint8_t head[3 + NAMES_TEXT_MAX], *at = head;

    if (!text.bytes) {
        names_put_none(&w->encoder);
        return;
    }
    if (text.bytes >= 0x80)
        *at++ = (uint8_t)(text.bytes | 0x80);
    *at++ = (uint8_t)(text.bytes >= 0x80 ? text.bytes >> 7 : text.bytes);
    memcpy(at, text.data, text.bytes);
    size_t bytes = (size_t)(at - head) + text.bytes;
    size_t slot = (size_t)hash_add_bytes(0, head, bytes) % (2 * NAMES_TEXTS_MAX);
    while (w->table[slot] && !is_there(w, w->table[slot] - 1, head, bytes))
        slot = (slot + 1) % (2 * NAMES_TEXTS_MAX);
    if (w->table[slot]) {
        names_put_again(&w->encoder, w->table[slot] - 1);
        return;
    }
    size_t place = used(w) + 1;
    uint32_t number = names_put_text(&w->encoder, text);
    if (number < NAMES_TEXTS_MAX) {
        w->places[number] = (uint32_t)place;
        w->table[slot] = number + 1;
    }
}

static size_t text_bytes(const char *text)
{
    return text ? strnlen(text, NAMES_TEXT_MAX) : 0;
}

static size_t frame_bytes(const struct symbols_frame *f)
{
    return NAMES_NUMBERS_MAX + text_bytes(f->function) + text_bytes(f->signature) + text_bytes(f->file);
}

static void put_frame(struct names_writer *w, const struct symbols_frame *f)
{
    put_string(w, f->function);
    put_string(w, f->signature == f->function ? NULL : f->signature);
    put_string(w, f->file);
    names_put_line(&w->encoder, f->line, f->column);
}

void names_writer_add(struct names_writer *w, uint64_t address, const struct symbols_frame *frames, size_t count)
{
    const struct symbols_frame *last = count ? &frames[count - 1] : NULL; /* the function itself */
    size_t needed = NAMES_NUMBERS_MAX + (last ? frame_bytes(last) : 0), room = PAYLOAD_BYTES - w->head_bytes;
    size_t fitting = 0;

    for (; fitting + 1 < count && fitting + 1 < NAMES_FRAMES_MAX; fitting++) {
        size_t more = frame_bytes(&frames[fitting]);
        if (needed + more > room)
            break;
        needed += more;
    }
    if (used(w) + needed > PAYLOAD_BYTES || used(w) > FULL_BYTES)
        flush(w);
    names_put_entry(&w->encoder, address, (uint32_t)(fitting + (last ? 1 : 0)));
    for (size_t i = 0; i < fitting; i++)
        put_frame(w, &frames[i]);
    if (last)
        put_frame(w, last);
}

void names_writer_end(struct names_writer *w)
{
    if (used(w) > w->head_bytes)
        w->take(w->data, w->payload, used(w));
    free(w);
}
