#include "analyze/commands/by_names.h"

#include "analyze/command.h"
#include "analyze/log/piped.h"
#include "analyze/options.h"

#include <string.h>

#define TOP 20

int by_names_option(struct by_names_options *o, int option, const char *value, const char *command)
{
    uint64_t number;

    switch (option) {
    case 'n':
        if (!parse_number(value, 0, &number))
            return usage_error(command, "%s: -n %s: want a number of rows", command, value);
        o->top = (size_t)number;
        return 0;
    case BY_NAMES_BY:
        o->by_name.lines = strcmp(value, "line") == 0;
        if (!o->by_name.lines && strcmp(value, "function") != 0)
            return usage_error(command, "%s: --by %s: want function or line", command, value);
        return 0;
    case BY_NAMES_COST:
        if (!cost_parse(value, &o->cost))
            return usage_error(command, "%s: --cost %s: want " COST_NAMES, command, value);
        return 0;
    case BY_NAMES_STACKS:
    case BY_NAMES_SITES:
        o->by_name.stacks = option == BY_NAMES_STACKS;
        return 0;
    case BY_NAMES_DEPTH:
        if (!parse_number(value, 1, &number))
            return usage_error(command, "%s: --depth %s: want a number of frames from 1 up", command, value);
        o->depth = (size_t)number;
        return 0;
    case BY_NAMES_FILTER:
        o->filter = value;
        return 0;
    case BY_NAMES_JSON:
        o->json = true;
        return 0;
    default:
        return reading_option(&o->reading, option, value, command);
    }
}

void by_names_end(struct by_names_options *o)
{
    if (o->top == SIZE_MAX && !o->json)
        o->top = TOP;
    if (o->cost == COST_TEMPORARY)
        o->reading.temporary_option = "--cost temporary";
}

int by_names_check_logs(int count, char **paths, const char *command)
{
    int from_stdin = 0;

    for (int i = 0; i < count; i++)
        from_stdin += piped_is_stdin(paths[i]);
    return from_stdin > 1 ? usage_error(command, "%s: only one log can be read from standard input", command) : 0;
}

int by_names_open(const struct by_names_options *o, const char *path, const char *command, unsigned side, struct by_names_log *log)
{
    struct failure failure;

    *log = (struct by_names_log){ 0 };
    if (o->filter && !filter_init(&log->filter, o->filter, &failure))
        return usage_error(command, "%s: --filter %s: %s", command, o->filter, failure.text);
    int refused = reading_open(&o->reading, path, command, &log->r);
    if (refused) {
        filter_release(&log->filter);
        return refused;
    }
    filter_use(&log->filter, log->r.facts, &log->r.namer);
    log->source = (struct by_name_source){
        .side = side, .facts = log->r.facts, .namer = &log->r.namer,
        .wanted = filter_wants, .wanted_data = &log->filter };
    return 0;
}

void by_names_release(struct by_names_log *log)
{
    filter_release(&log->filter);
    reading_release(&log->r);
}

int by_names_close(struct by_names_log *log)
{
    filter_release(&log->filter);
    return reading_close(&log->r);
}
