#include "analyze/render/filter.h"

#include "analyze/symbols/spelling.h"

#include <string.h>

enum { NOT_ASKED, MATCHES, MATCHES_NOT };

/* "f<void \(int\)>" is "f<void(int)>"; NULL: it has but one spelling. */
static char *spelled_otherwise(const char *text)
{
    _cleanup_free_ char *plain = copy_text(text, strlen(text));
    char *to = plain;

    for (const char *at = plain; *at; at++)
        if (*at != '\\')
            *to++ = *at;
    *to = 0;
    char *spelled = spelling_copy(plain);
    if (strcmp(spelled, plain) != 0)
        return spelled;
    free(spelled);
    return NULL;
}

bool filter_init(struct filter *f, const char *text, struct failure *ret_failure)
{
    int error = regcomp(&f->regex, text, REG_EXTENDED | REG_NOSUB);

    if (error)
        regerror(error, &f->regex, ret_failure->text, sizeof ret_failure->text);
    f->is_set = !error;
    f->spelled = error ? NULL : spelled_otherwise(text);
    return f->is_set;
}

void filter_release(struct filter *f)
{
    if (f->is_set)
        regfree(&f->regex);
    free(f->spelled);
    free(f->nodes);
    free(f->locations);
    *f = (struct filter){ 0 };
}

void filter_use(struct filter *f, struct facts *facts, const struct namer *namer)
{
    f->facts = facts;
    f->namer = namer;
    if (!f->is_set)
        return;
    f->nodes = alloc_zeroed(facts->told.stacks.node_count, sizeof *f->nodes);
}

static bool text_matches(const struct filter *f, const char *text)
{
    return text && regexec(&f->regex, text, 0, NULL, 0) == 0;
}

static bool name_matches(const struct filter *f, const char *name)
{
    return text_matches(f, name) || (name && f->spelled && strstr(name, f->spelled));
}

static bool location_matches(const struct filter *f, uint32_t location)
{
    const struct code *code = &f->facts->told.code;
    const struct symbols_frame *frames;
    size_t count = f->namer->frames(f->namer->data, location, &frames);

    if (text_matches(f, code->files[code->locations[location].file].path))
        return true;
    for (size_t i = 0; i < count; i++)
        if (name_matches(f, frames[i].function) || name_matches(f, frames[i].signature) || text_matches(f, frames[i].file))
            return true;
    return false;
}

static uint8_t ask(struct filter *f, uint32_t node)
{
    struct facts *facts = f->facts;
    uint32_t location = code_location(&facts->told.code, facts->told.stacks.nodes[node].pc);

    f->locations = grow(f->locations, &f->location_capacity, location + 1, sizeof *f->locations);
    if (f->locations[location] == NOT_ASKED)
        f->locations[location] = location_matches(f, location) ? MATCHES : MATCHES_NOT;
    return f->locations[location];
}

/* Out to the first node whose answer is known, and with it back: no node is asked twice. */
bool filter_wants(void *data, uint32_t leaf)
{
    struct filter *f = data;
    const struct stacks *s = f->is_set ? &f->facts->told.stacks : NULL;

    if (!s)
        return true;
    uint32_t start = s->leaves[leaf].node, end = start;
    uint8_t answer = MATCHES_NOT;
    for (; !stack_is_root(s, end) && f->nodes[end] == NOT_ASKED; end = s->nodes[end].parent)
        if (ask(f, end) == MATCHES) {
            f->nodes[end] = MATCHES;
            break;
        }
    if (!stack_is_root(s, end))
        answer = f->nodes[end];
    for (uint32_t node = start; node != end; node = s->nodes[node].parent)
        f->nodes[node] = answer;
    return answer == MATCHES;
}
