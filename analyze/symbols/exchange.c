/* Names as payloads of format/names.h: they come so from all of the worker's pipe, the
 * cache and a log, none of which is believed, and go so into a log. Here they get their one
 * spelling, whoever has read them, and when. */
#include "analyze/symbols/symbols_inside.h"

#include "analyze/symbols/names_writer.h"
#include "analyze/symbols/spelling.h"
#include "analyze/util.h"
#include "format/names.h"

#include <errno.h>

/* A payload that is read. Most of its texts are there many times. */
struct intake {
    struct names_decoder decoder;
    const char *kept[NAMES_TEXTS_MAX]; /* by number; NULL: not yet, or it is empty */
};

static void intake_free(struct intake **in)
{
    free(*in);
}
#define _cleanup_intake_ __attribute__((cleanup(intake_free)))

/* NULL: not even a module is there. */
static struct intake *intake_begin(const void *payload, size_t bytes)
{
    struct intake *in = alloc_zeroed(1, sizeof *in);

    if (names_decoder_begin(&in->decoder, payload, bytes))
        return in;
    free(in);
    return NULL;
}

static const char *keep_text(struct symbols *s, const struct text *text, bool is_name)
{
    if (!is_name || !text->bytes)
        return texts_keep(&s->texts, text->data, text->bytes);
    _cleanup_free_ char *name = copy_text(text->data, text->bytes);
    return texts_keep(&s->texts, name, spelling_make(name));
}

/* A text is either a name or a path wherever it is. */
static const char *keep_string(struct symbols *s, struct intake *in, const struct names_string *string, bool is_name)
{
    if (string->number >= NAMES_TEXTS_MAX)
        return keep_text(s, &string->text, is_name);
    const char **kept = &in->kept[string->number];
    if (!*kept)
        *kept = keep_text(s, &string->text, is_name);
    return *kept;
}

static void take_frame(struct symbols *s, struct intake *in, const struct names_frame *from)
{
    symbols_add_frame(s, &(struct symbols_frame){
        .function = keep_string(s, in, &from->function, true),
        .signature = keep_string(s, in, &from->signature, true),
        .file = keep_string(s, in, &from->file, false),
        .line = from->line,
        .column = from->column,
    });
}

/* What is wanted and has nothing yet. from_log: it was not found out here. False: damage. */
static bool take_entries(struct symbols *s, uint32_t module, struct intake *in, bool from_log)
{
    struct names_decoder *d = &in->decoder;
    uint64_t address;
    uint32_t count;
    int got;

    while ((got = names_next(d, &address, &count)) == 1) {
        uint32_t place = symbols_find_place(s, module, address);
        bool is_new = place != UINT32_MAX && !s->places[place].resolved;
        size_t first = s->frame_count;
        for (uint32_t i = 0; i < count; i++) {
            struct names_frame frame;
            if (!names_next_frame(d, &frame)) {
                s->frame_count = first;
                return false;
            }
            if (is_new && s->frame_count < UINT32_MAX)
                take_frame(s, in, &frame);
        }
        if (!is_new)
            continue;
        struct place *p = &s->places[place];
        p->first = (uint32_t)first;
        p->count = (uint32_t)(s->frame_count - first);
        p->resolved = true;
        p->taken = from_log;
        s->unresolved--;
    }
    return got == 0;
}

bool symbols_take_from(struct symbols *s, uint32_t module, const void *payload, size_t bytes)
{
    _cleanup_intake_ struct intake *in = intake_begin(payload, bytes);
    return in && take_entries(s, module, in, false);
}

int symbols_take(struct symbols *s, const void *payload, size_t bytes, uint32_t pid, uint64_t began_ns)
{
    _cleanup_intake_ struct intake *in = intake_begin(payload, bytes);
    char map_path[SYMBOLS_MAP_PATH_BYTES];

    if (!in)
        return -EBADMSG;
    const struct names_decoder *d = &in->decoder;
    _cleanup_free_ char *path = copy_text(d->path.data, d->path.bytes);
    struct module wanted = *path ? symbols_file_module(path, d->build_id.data, d->build_id.bytes) : symbols_jit_module(pid, began_ns, map_path);
    uint32_t module = symbols_find_module(s, &wanted);
    if (module == UINT32_MAX)
        return 0;
    return take_entries(s, module, in, true) ? 0 : -EBADMSG;
}

struct gift {
    const struct module *module;
    void (*take)(void *data, const void *payload, size_t bytes, uint32_t pid, uint64_t began_ns);
    void *data;
};

static void give_payload(void *data, const void *payload, size_t bytes)
{
    const struct gift *gift = data;
    gift->take(gift->data, payload, bytes, gift->module->pid, gift->module->began_ns);
}

/* That a place of a module that was read whole has no name is worth telling, too. */
static bool is_found_out(const struct symbols *s, const struct place *p)
{
    const struct module *m = &s->modules[p->module];
    return p->resolved && !p->taken && (p->count || (m->looked_for && !m->problem));
}

void symbols_give(const struct symbols *s,
                  void (*take)(void *data, const void *payload, size_t bytes, uint32_t pid, uint64_t began_ns), void *data)
{
    _cleanup_free_ uint32_t *places = alloc_zeroed(s->place_count, sizeof *places);
    size_t count = 0;

    for (uint32_t i = 0; i < s->place_count; i++)
        if (is_found_out(s, &s->places[i]))
            places[count++] = i;
    qsort_r(places, count, sizeof *places, symbols_by_module, (void *)s);
    for (size_t i = 0; i < count;) {
        const struct module *m = &s->modules[s->places[places[i]].module];
        struct gift gift = { m, take, data };
        struct names_writer *writer = names_writer_begin(m->is_jit ? "" : m->path, m->build_id, m->build_id_bytes, give_payload, &gift);
        for (; i < count && &s->modules[s->places[places[i]].module] == m; i++) {
            const struct place *p = &s->places[places[i]];
            names_writer_add(writer, p->address, p->count ? &s->frames[p->first] : NULL, p->count);
        }
        names_writer_end(writer);
    }
}
