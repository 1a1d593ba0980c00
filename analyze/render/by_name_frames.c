/* Frames -> numbers that all logs share. What one log says of a function with less than another, no file of its source,
 * or one without directories, is to be found all the same. */
#include "analyze/render/by_name_frames.h"

#include "analyze/hash.h"
#include "analyze/render/identity.h"
#include "analyze/util.h"

#include <string.h>

char *by_name_copied(const char *text)
{
    return text ? copy_text(text, strlen(text)) : NULL;
}

static struct identity identity_of(const struct by_name_frame *f)
{
    return (struct identity){ f->function, f->signature, f->home };
}

static bool is_same_frame(const struct by_name *b, const struct by_name_frame *x, const struct by_name_frame *y)
{
    struct identity mine = identity_of(x), other = identity_of(y);

    return identity_is_same(&mine, &other) && strcmp(x->module, y->module) == 0 &&
           (!b->options.lines || (x->line == y->line && strcmp(x->source, y->source) == 0));
}

static uint64_t hash_frame(const struct by_name *b, const struct by_name_frame *frame)
{
    struct identity identity = identity_of(frame);
    uint64_t hash = identity_hash(hash_add_text(0, frame->module), &identity);
    return b->options.lines ? hash_add_text(hash_add(hash, frame->line), frame->source) : hash;
}

/* Numbers tell no parameters: another log may not have them. */
static const char *parameters_of(const struct by_name_frame *frame)
{
    return symbols_is_numbered(frame->function, frame->signature) ? frame->function : frame->signature;
}

/* The first frame of a module and name, and signature if that is asked for; UINT32_MAX: none, *ret_hash is where it is to be. */
static uint32_t first_named(const struct by_name *b, const struct by_name_frame *frame, bool signature, uint64_t *ret_hash)
{
    const struct hash_table *table = signature ? &b->signature_table : &b->name_table;

    *ret_hash = hash_add_text(hash_add_text(0, frame->module), frame->function);
    *ret_hash = signature ? hash_add_text(*ret_hash, parameters_of(frame)) : *ret_hash;
    struct hash_search s = hash_table_search(table, *ret_hash);
    while (hash_table_next(table, &s)) {
        const struct by_name_frame *first = &b->frames[s.number];
        if (strcmp(first->module, frame->module) == 0 && strcmp(first->function, frame->function) == 0 &&
            (!signature || strcmp(parameters_of(first), parameters_of(frame)) == 0))
            return s.number;
    }
    return UINT32_MAX;
}

/* Whether its file would do. The symbol table's have no directories. */
static bool has_whole_file(const struct by_name_frame *frame)
{
    return frame->home && strchr(frame->home, '/');
}

/* Files where they were last: they go with the lines there. */
static void take_file(struct by_name *b, struct by_name_frame *known, const struct by_name_frame *frame)
{
    if (!frame->path || (known->path && (known->log == b->log_count || has_whole_file(known) > has_whole_file(frame))))
        return;
    if (!known->path || strcmp(known->path, frame->path) != 0) {
        if (b->side && !known->old_path && known->path) {
            known->old_path = known->path;
            known->path = NULL;
        }
        free(known->path);
        free(known->source);
        known->path = by_name_copied(frame->path);
        known->source = by_name_copied(frame->source);
        known->home = known->home ? known->home : by_name_copied(frame->home);
    }
    known->log = b->log_count;
}

/* Where its file would tell it, but one of the two has none, or not where it is: what a log without debug information names
 * is the same as in one with it. UINT32_MAX: there is none. */
static uint32_t find_without_file(struct by_name *b, const struct by_name_frame *frame, uint64_t hash)
{
    uint64_t by_signature;
    uint32_t first = b->options.lines ? UINT32_MAX : first_named(b, frame, true, &by_signature);

    if (first == UINT32_MAX || (frame->home && b->frames[first].home && has_whole_file(frame) == has_whole_file(&b->frames[first])))
        return UINT32_MAX;
    if (frame->home)
        hash_table_add(&b->frame_table, hash, first);
    return first;
}

static bool has_parameters(const struct by_name_frame *frame)
{
    return strcmp(frame->function, parameters_of(frame)) != 0;
}

/* Where one of the two has no parameters: gcc tells none of static functions that are inlined. It is the same if there is but one
 * of its name, in the same file. UINT32_MAX: there is none. */
static uint32_t find_without_parameters(struct by_name *b, const struct by_name_frame *frame)
{
    uint64_t by_name;
    uint32_t first = b->options.lines ? UINT32_MAX : first_named(b, frame, false, &by_name);

    if (first == UINT32_MAX)
        return UINT32_MAX;
    const struct by_name_frame *known = &b->frames[first];
    if (known->is_overload || has_parameters(known) == has_parameters(frame) || symbols_is_numbered(known->function, known->signature) ||
        symbols_is_numbered(frame->function, frame->signature) || !known->home || !frame->home || !identity_is_same_file(known->home, frame->home))
        return UINT32_MAX;
    return first;
}

static uint32_t add_frame(struct by_name *b, const struct by_name_frame *frame, uint64_t hash)
{
    uint32_t number = (uint32_t)b->frame_count++;
    uint64_t by_name, by_signature;

    b->frames = grow(b->frames, &b->frame_capacity, b->frame_count, sizeof *b->frames);
    struct by_name_frame *added = &b->frames[number];
    *added = (struct by_name_frame){
        .module = by_name_copied(frame->module), .function = by_name_copied(frame->function), .signature = by_name_copied(frame->signature),
        .source = by_name_copied(frame->source), .path = by_name_copied(frame->path), .home = by_name_copied(frame->home), .line = b->options.lines ? frame->line : 0,
        .is_named = frame->is_named, .is_real = frame->is_real, .namesake = first_named(b, frame, false, &by_name), .log = b->log_count };
    hash_table_add(&b->frame_table, hash, number);
    if (added->namesake == UINT32_MAX) {
        hash_table_add(&b->name_table, by_name, number);
        added->namesake = number;
    }
    if (first_named(b, frame, true, &by_signature) == UINT32_MAX)
        hash_table_add(&b->signature_table, by_signature, number);
    b->frames[added->namesake].is_overload |= strcmp(b->frames[added->namesake].signature, frame->signature) != 0;
    return number;
}

uint32_t by_name_frame_number(struct by_name *b, const struct by_name_frame *frame)
{
    uint64_t hash = hash_frame(b, frame);
    struct hash_search s = hash_table_search(&b->frame_table, hash);
    uint32_t found = UINT32_MAX;

    while (found == UINT32_MAX && hash_table_next(&b->frame_table, &s))
        if (is_same_frame(b, &b->frames[s.number], frame))
            found = s.number;
    if (found == UINT32_MAX)
        found = find_without_file(b, frame, hash);
    if (found == UINT32_MAX)
        found = find_without_parameters(b, frame);
    if (found == UINT32_MAX)
        return add_frame(b, frame, hash);
    take_file(b, &b->frames[found], frame);
    b->frames[found].is_real |= frame->is_real;
    return found;
}
