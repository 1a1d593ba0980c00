#include "analyze/commands/tree_options.h"

#include "analyze/command.h"
#include "analyze/options.h"

#include <string.h>

void tree_options_release(struct tree_options *o)
{
    reading_options_release(&o->reading);
    filter_release(&o->filter);
}

/* "0.1" or "0.1%". */
static bool parse_share(const char *text, double *ret_share)
{
    char *end;
    double share = strtod(text, &end);

    if (end == text || (*end && strcmp(end, "%") != 0) || !(share >= 0 && share <= 100))
        return false;
    *ret_share = share / 100;
    return true;
}

int tree_option(struct tree_options *o, int option, const char *value, const char *command)
{
    struct failure failure;

    switch (option) {
    case TREE_COST:
        if (!cost_parse(value, &o->view.cost))
            return usage_error(command, "%s: --cost %s: want " COST_NAMES, command, value);
        return 0;
    case TREE_INVERTED:
        o->view.inverted = true;
        return 0;
    case TREE_FILTER:
        filter_release(&o->filter);
        if (!filter_init(&o->filter, value, &failure))
            return usage_error(command, "%s: --filter %s: %s", command, value, failure.text);
        return 0;
    case TREE_MIN_SHARE:
        o->has_min_share = true;
        if (!parse_share(value, &o->view.min_share))
            return usage_error(command, "%s: --min-share %s: want a percentage, 0 to 100", command, value);
        return 0;
    default:
        return reading_option(&o->reading, option, value, command);
    }
}

int tree_open(struct tree_options *o, const char *path, const char *command, struct reading *ret_reading, struct call_tree *ret_tree)
{
    if (o->view.cost == COST_TEMPORARY)
        o->reading.temporary_option = "--cost temporary";
    int refused = reading_open(&o->reading, path, command, ret_reading);
    struct facts *facts = ret_reading->facts;

    if (refused)
        return refused;
    filter_use(&o->filter, facts, &ret_reading->namer);
    call_tree_make(facts, &ret_reading->namer, &(struct call_tree_options){
        .costs = o->all_costs ? CALL_TREE_COSTS : CALL_TREE_COST(o->view.cost), .inverted = o->view.inverted, .wanted = o->filter.is_set ? filter_wants : NULL, .data = &o->filter }, ret_tree);
    call_tree_sort(ret_tree, o->view.cost);
    return 0;
}
