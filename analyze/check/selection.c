/* Leaves of stacks -> whether they count. What is asked of a location is asked once. */
#include "analyze/check/selection.h"

#include "analyze/check/baseline.h"
#include "analyze/check/passing.h"
#include "analyze/render/text.h"

#include <errno.h>
#include <string.h>

int selection_exclude(struct selection *s, const char *regex, struct failure *ret_failure)
{
    char why[200];

    if (strcmp(regex, BASELINE_PROGRAM) == 0) {
        s->excludes_program = true;
        return 0;
    }
    s->excluded_modules = grow(s->excluded_modules, &s->excluded_capacity, s->excluded_count + 1, sizeof *s->excluded_modules);
    int error = regcomp(&s->excluded_modules[s->excluded_count], regex, REG_EXTENDED | REG_NOSUB);
    if (error) {
        regerror(error, &s->excluded_modules[s->excluded_count], why, sizeof why);
        return fail(ret_failure, EINVAL, "--exclude-module %s: is no regular expression: %s", regex, why);
    }
    s->excluded_texts = grow(s->excluded_texts, &s->text_capacity, s->excluded_count + 1, sizeof *s->excluded_texts);
    s->excluded_texts[s->excluded_count++] = regex;
    return 0;
}

static void free_places(struct selection *s)
{
    free(s->places);
    s->places = NULL;
    s->place_capacity = 0;
}

void selection_use(struct selection *s, struct facts *facts, const struct namer *namer)
{
    free_places(s);
    s->is_found = false;
    s->kept = s->left_out = s->no_stack = s->cut = s->partial = 0;
    s->facts = facts;
    s->namer = namer;
    const struct told_process *first = facts->by_start_count ? facts->processes[facts->by_start[0]].told : NULL;
    s->program = first && first->exe ? text_base_name(first->exe) : NULL;
}

void selection_end(struct selection *s)
{
    free_places(s);
    s->facts = NULL;
    s->namer = NULL;
    s->program = NULL;
}

void selection_release(struct selection *s)
{
    for (size_t i = 0; i < s->excluded_count; i++)
        regfree(&s->excluded_modules[i]);
    free(s->excluded_modules);
    free(s->excluded_texts);
    free_places(s);
    *s = (struct selection){ 0 };
}

bool selection_excludes(const struct selection *s)
{
    return s->excluded_count || s->excludes_program;
}

static uint8_t answer(bool yes)
{
    return yes ? 1 : 2;
}

static const struct selection_place *place_of(struct selection *s, uint32_t location)
{
    s->places = grow(s->places, &s->place_capacity, location + 1, sizeof *s->places);
    struct selection_place *place = &s->places[location];
    const struct symbols_frame *names;
    bool has_function = false, matches = false;

    if (place->has_function)
        return place;
    const struct code *code = &s->facts->told.code;
    const char *path = code->files[code->locations[location].file].path, *module = *path ? text_base_name(path) : path;
    size_t count = location ? s->namer->frames(s->namer->data, location, &names) : 0;
    enum site_role role = count ? SITE_PASSES_ON : passing_role(&(struct passing){ .module = module });
    for (size_t i = 0; i < count && s->within; i++)
        has_function |= names[i].function && strcmp(names[i].function, s->within) == 0;
    for (size_t i = 0; i < count && !site_role_asks(role); i++)
        role = passing_role(&(struct passing){ names[i].function, names[i].signature, module, names[i].file, i + 1 == count, true });
    matches = s->excludes_program && s->program && strcmp(module, s->program) == 0;
    for (size_t i = 0; i < s->excluded_count; i++)
        if (regexec(&s->excluded_modules[i], module, 0, NULL, 0) == 0) {
            matches = true;
            s->excluded_matched |= i < 64 ? (uint64_t)1 << i : 0;
        }
    *place = (struct selection_place){ answer(has_function), answer(matches), (uint8_t)role };
    return place;
}

bool selection_wants(void *data, uint32_t leaf)
{
    struct selection *s = data;
    const struct stacks *stacks = &s->facts->told.stacks;
    uint32_t at = stacks->leaves[leaf].node;
    bool is_within = !s->within, has_site = !selection_excludes(s), is_excluded = false;
    struct site_search search = { 0 };

    for (; !stack_is_root(stacks, at) && !(is_within && has_site); at = stacks->nodes[at].parent) {
        uint32_t location = code_location(&s->facts->told.code, stacks->nodes[at].pc), site;
        const struct selection_place *place = place_of(s, location);
        is_within |= place->has_function == 1;
        if (has_site)
            continue;
        has_site = site_search_ends(&search, location, place->role, s->facts->told.code.locations[location].file,
                                    stack_is_root(stacks, stacks->nodes[at].parent), &site);
        is_excluded = has_site && place_of(s, site)->is_excluded == 1;
    }
    const struct stack_leaf *of = &stacks->leaves[leaf];
    uint64_t allocations = s->facts->costs.of[leaf].allocations;
    if (selection_excludes(s) && stack_is_root(stacks, of->node))
        s->no_stack += allocations;
    *(is_excluded ? &s->left_out : &s->kept) += allocations;
    s->is_found |= is_within;
    if (!is_within && !is_excluded && of->flags & (REC_STACK_CUT | REC_STACK_PARTIAL))
        *(of->flags & REC_STACK_CUT ? &s->cut : &s->partial) += allocations;
    return is_within && !is_excluded;
}
