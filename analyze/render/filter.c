#include "analyze/render/filter.h"

enum { MATCHES = 1, MATCHES_NOT };

bool filter_init(struct filter *f, const char *text, struct failure *ret_failure)
{
    int error = regcomp(&f->regex, text, REG_EXTENDED | REG_NOSUB);

    if (error)
        regerror(error, &f->regex, ret_failure->text, sizeof ret_failure->text);
    f->is_set = !error;
    return f->is_set;
}

void filter_release(struct filter *f)
{
    if (f->is_set)
        regfree(&f->regex);
    free(f->known);
    *f = (struct filter){ 0 };
}

void filter_use(struct filter *f, struct facts *facts, const struct namer *namer)
{
    f->facts = facts;
    f->namer = namer;
}

static bool text_matches(const struct filter *f, const char *text)
{
    return text && regexec(&f->regex, text, 0, NULL, 0) == 0;
}

static bool location_matches(const struct filter *f, uint32_t location)
{
    const struct code *code = &f->facts->told.code;
    const struct symbols_frame *frames;
    size_t count = f->namer->frames(f->namer->data, location, &frames);

    if (text_matches(f, code->files[code->locations[location].file].path))
        return true;
    for (size_t i = 0; i < count; i++)
        if (text_matches(f, frames[i].function) || text_matches(f, frames[i].signature) || text_matches(f, frames[i].file))
            return true;
    return false;
}

bool filter_wants(void *data, uint32_t leaf)
{
    struct filter *f = data;
    const struct stacks *s = &f->facts->told.stacks;
    uint32_t node = s->leaves[leaf].node, process = stacks_process(s, node);

    if (!f->is_set)
        return true;
    for (; !stack_is_root(s, node); node = s->nodes[node].parent) {
        uint32_t location = code_location(&f->facts->told.code, process, s->nodes[node].pc);
        f->known = grow(f->known, &f->known_capacity, location + 1, sizeof *f->known);
        if (!f->known[location])
            f->known[location] = location_matches(f, location) ? MATCHES : MATCHES_NOT;
        if (f->known[location] == MATCHES)
            return true;
    }
    return false;
}
