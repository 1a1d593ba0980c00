/* Names of code: the payload of a REC_CHUNK_NAMES, and what the analyzer keeps of a
 * module between runs. A payload is about one module and can be read by itself:
 *
 *   module's path:text  its build-id:text  entries, to the end:
 *     address:varint (the difference to the last one, at first 0, modulo 2^64)  frames:varint
 *     each frame, the innermost first:
 *       function:string  signature:string  file:string  line:varint  column:varint
 *   string  varint: 0 none; 1 and a text; n the text that has the number n - 2. The texts of
 *           the strings have numbers in their order, from 0: the first NAMES_TEXTS_MAX of them
 *
 * docs/format.md says the same. Decoding reads only inside the bytes, whatever they
 * are. Pure; may be included anywhere. */
#ifndef MALLOSCOPE_FORMAT_NAMES_H
#define MALLOSCOPE_FORMAT_NAMES_H

#include "format/decode.h"

#define NAMES_FRAMES_MAX 1024  /* of an entry; more is damage */
#define NAMES_TEXTS_MAX 32768 /* of a payload, that have numbers */

struct names_string {
    struct text text; /* 0 bytes: none */
    uint32_t number;  /* of the text; NAMES_TEXTS_MAX: it has none */
};

struct names_frame {
    struct names_string function, signature, file;
    uint32_t line, column; /* 0: unknown */
};

struct names_decoder {
    const uint8_t *start, *at, *end;
    uint32_t text_count;                /* that have numbers, so far */
    uint32_t texts[NAMES_TEXTS_MAX];    /* where they are */
    struct text path, build_id; /* the module; an empty path: code in no file, of the chunk's process */
    uint64_t address;
    uint32_t frames_left;
    bool bad;
};

/* False: not even a module is there. */
bool names_decoder_begin(struct names_decoder *d, const void *payload, size_t bytes);
/* 1: the next entry, whose frames names_next_frame() gives, all of them. 0: the end. -1: damage at d->at. */
int names_next(struct names_decoder *d, uint64_t *ret_address, uint32_t *ret_frames);
/* False: the bytes are damaged; the entry does not count. */
bool names_next_frame(struct names_decoder *d, struct names_frame *ret_frame);

/* Writing. The caller sees to the room: each of these writes at most NAMES_NUMBERS_MAX
 * bytes and the texts. */
#define NAMES_NUMBERS_MAX 64

struct names_encoder {
    uint8_t *start, *at;
    uint64_t address;
    uint32_t text_count;
};

void names_encoder_begin(struct names_encoder *e, void *payload, struct text path, struct text build_id);
void names_put_entry(struct names_encoder *e, uint64_t address, uint32_t frames);
void names_put_none(struct names_encoder *e);
uint32_t names_put_text(struct names_encoder *e, struct text text); /* its number; NAMES_TEXTS_MAX: it has none */
void names_put_again(struct names_encoder *e, uint32_t number);
void names_put_line(struct names_encoder *e, uint32_t line, uint32_t column);

#endif
