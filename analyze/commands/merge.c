#include "analyze/command.h"
#include "analyze/commands/by_names.h"
#include "analyze/options.h"
#include "analyze/render/merged.h"

#include <string.h>

const char merge_help[] =
    "malloscope merge [options] LOG LOG...\n\n"
    "Several logs as one: the ranks of an MPI job, or one service on several hosts. A\n"
    "row for each, their sums, and the call sites that allocate most in all of them.\n\n"
    "  --stacks             a row for each whole stack instead of each call site\n"
    "  --sites              a row for each call site (as is the default)\n"
    BY_NAMES_HELP
    READING_HELP
    "  --json               as JSON, schema malloscope-merge/1\n"
    "                       (docs/merge.schema.json)\n"
    "  -h, --help\n\n"
    "The sum of the peaks is what they would need if all peaked at once. The peak of\n"
    "the sum is the most that they had at one time, by the clocks of their hosts: how\n"
    "far those are apart is not known. It is told as a range where that is all that\n"
    "the logs' timelines tell, of up to 131,072 steps each, and fewer of more logs\n"
    "than four. Logs are read one after the other; memory grows with the largest\n"
    "one's live blocks and with distinct call sites. Options that leave out parts of\n"
    "a log count for each. allocations and temporary are calls, the other costs\n"
    "bytes; peak is what a site had at the peaks of its logs.\n\n"
    "Exit codes: 0; 1 a log is damaged (what is whole is counted), something may be\n"
    "missing in it, or it is none; 2 usage, or a log does not tell the cost.\n";

static void complain_of_twins(const struct merged *m)
{
    for (size_t i = 1; i < m->count; i++)
        for (size_t k = 0; k < i; k++)
            if (memcmp(m->logs[i].origin, m->logs[k].origin, sizeof m->logs[i].origin) == 0) {
                complain("%s and %s are of one recording: %s counts twice", m->logs[k].name, m->logs[i].name,
                         m->logs[i].is_trimmed || m->logs[k].is_trimmed ? "what is in both, as blocks that lived from one part to the next,"
                                                                         : "it");
                break;
            }
}

/* 0, or the exit code with which there is nothing to show. *code: of the logs. */
static int add_all(const struct by_names_options *o, int count, char **paths, struct merged *m, int *code)
{
    for (int i = 0; i < count; i++) {
        struct by_names_log log;
        int refused = by_names_open(o, paths[i], "merge", 0, &log);
        if (refused)
            return refused;
        merged_add(m, log.r.log, &log.source);
        int closed = by_names_close(&log);
        *code = closed ? closed : *code;
    }
    return 0;
}

/* The more, the better the peak of the sum is known: 512 Ki buckets in all, 8 MiB of them are kept. */
static size_t buckets_of_each(int logs)
{
    size_t buckets = 128 << 10;

    while (buckets > TIMELINE_BUCKETS && buckets * (size_t)logs > 512 << 10)
        buckets /= 2;
    return buckets;
}

static void show(const struct by_names_options *o, struct merged *m)
{
    const struct merged_view view = { o->cost, o->top, o->depth };

    if (o->json)
        merged_print_json(m, &view);
    else
        merged_print(m, &view);
}

int cmd_merge(int argc, char **argv)
{
    static const struct option options[] = { BY_NAMES_OPTIONS, { "help", no_argument, NULL, 'h' }, { 0 } };
    struct by_names_options o = BY_NAMES_DEFAULTS;
    struct merged m;
    int refused = 0, code = EXIT_GOOD;

    for (int option; !refused && (option = next_option(argc, argv, ":n:h", options, merge_help)) != -1;)
        refused = by_names_option(&o, option, optarg, "merge");
    by_names_end(&o);
    if (!refused && optind == argc)
        refused = usage_error("merge", "merge: which logs?");
    if (!refused)
        refused = by_names_check_logs(argc - optind, argv + optind, "merge");
    merged_init(&m, &o.by_name);
    o.reading.timeline_buckets = buckets_of_each(argc - optind);
    if (!refused)
        refused = add_all(&o, argc - optind, argv + optind, &m, &code);
    if (!refused) {
        complain_of_twins(&m);
        show(&o, &m);
        if (output_failed())
            code = EXIT_DAMAGED;
    }
    merged_release(&m);
    reading_options_release(&o.reading);
    return refused ? refused : code;
}
