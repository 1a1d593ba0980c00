#include "analyze/render/overloads.h"

#include "analyze/hash.h"

#include <string.h>

static const char *signature_of(const struct symbols_frame *frame)
{
    return frame->signature ? frame->signature : frame->function;
}

static struct overloaded *find(const struct overloads *o, uint32_t file, const char *function, uint64_t *ret_hash)
{
    *ret_hash = hash_add_text(hash_add(0, file), function);
    struct hash_search s = hash_table_search(&o->table, *ret_hash);

    while (hash_table_next(&o->table, &s))
        if (o->of[s.number].file == file && strcmp(o->of[s.number].function, function) == 0)
            return &o->of[s.number];
    return NULL;
}

void overloads_add(struct overloads *o, uint32_t file, const struct symbols_frame *frame)
{
    uint64_t hash;

    if (!frame->function)
        return;
    struct overloaded *known = find(o, file, frame->function, &hash);
    if (known) {
        known->has_others |= strcmp(known->signature, signature_of(frame)) != 0;
        return;
    }
    o->of = grow(o->of, &o->capacity, o->count + 1, sizeof *o->of);
    o->of[o->count] = (struct overloaded){ file, frame->function, signature_of(frame), false };
    hash_table_add(&o->table, hash, (uint32_t)o->count++);
}

void overloads_add_sites(struct overloads *o, const struct sites *sites, const struct code *code, const struct namer *namer)
{
    for (size_t i = 0; i < sites->count; i++) {
        uint32_t location = sites->sites[i].location;
        const struct symbols_frame *names = NULL;
        size_t count = location ? namer->frames(namer->data, location, &names) : 0, site;
        frames_site(names, count, &site);
        if (count)
            overloads_add(o, code->locations[location].file, &names[site]);
    }
}

void overloads_release(struct overloads *o)
{
    free(o->of);
    hash_table_release(&o->table);
}

const char *overloads_name(const struct overloads *o, uint32_t file, const struct symbols_frame *frame)
{
    uint64_t hash;
    const struct overloaded *known = frame->function ? find(o, file, frame->function, &hash) : NULL;

    return known && known->has_others ? signature_of(frame) : frame->function;
}

void overloads_mark(const struct overloads *o, const struct code *code, struct frames *frames)
{
    uint64_t hash;

    for (size_t i = 0; i < frames->count; i++) {
        struct frame *frame = &frames->of[i];
        const struct overloaded *known = frame->function ? find(o, code->locations[frame->location].file, frame->function, &hash) : NULL;
        frame->is_overload |= known && known->has_others && frame->signature;
    }
}
