#include "analyze/command.h"
#include "analyze/commands/tree_options.h"
#include "analyze/options.h"

const char tree_help[] =
    "malloscope tree [options] LOG\n\n"
    "Who allocates, as a tree of functions: each below its callers, with what it and\n"
    "all that it calls cost, and the share of the whole. Functions of which each is\n"
    "the only one that the one before calls stand on one line.\n\n"
    TREE_HELP
    "  --min-share P%       leave out frames with less (default 1 %; with --json 0)\n"
    "  --depth N            frames from the root that are shown (default: all; 1 or\n"
    "                       more)\n"
    "  -n, --num-largest N  the N most costly below each frame (default: all; 1 or\n"
    "                       more)\n"
    READING_HELP
    "  --json               as JSON, schema malloscope-tree/1: all costs of each\n"
    "                       frame, in a list in which callers come before whom they\n"
    "                       call\n"
    "  -h, --help\n\n"
    "(itself) is what a function allocates that also calls others which do. Frames\n"
    "are the same where module and function are; the line is shown where it is one\n"
    "for all. As wide as the terminal, or COLUMNS. Where allocations were sampled,\n"
    "figures are estimates.\n\n"
    "Exit codes: 0; 1 the log is damaged (what is whole is shown), something may be\n"
    "missing in it, or it is none; 2 usage, no process has the --pid, or the log does\n"
    "not tell the cost (temporary, where allocations were sampled or small ones left\n"
    "out).\n";

int cmd_tree(int argc, char **argv)
{
    enum { DEPTH = 256, JSON };
    static const struct option options[] = {
        { "depth", required_argument, NULL, DEPTH }, { "num-largest", required_argument, NULL, 'n' },
        { "json", no_argument, NULL, JSON }, TREE_OPTIONS, READING_OPTIONS, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    _cleanup_tree_options_ struct tree_options wanted = { .view = { .depth = SIZE_MAX, .top = SIZE_MAX } };
    struct call_tree tree;
    struct reading r;
    bool json = false;

    for (int option; (option = next_option(argc, argv, ":n:h", options, tree_help)) != -1;) {
        uint64_t number = 0;
        if (option == DEPTH && !parse_number(optarg, 1, &number))
            return usage_error("tree", "tree: --depth %s: want a number of frames from 1 up", optarg);
        if (option == 'n' && !parse_number(optarg, 1, &number))
            return usage_error("tree", "tree: -n %s: want a number of frames from 1 up", optarg);
        if (option == DEPTH)
            wanted.view.depth = (size_t)number;
        if (option == 'n')
            wanted.view.top = (size_t)number;
        json |= option == JSON;
        if (tree_option(&wanted, option, optarg, "tree") != 0)
            return EXIT_USAGE;
    }
    if (!wanted.has_min_share)
        wanted.view.min_share = json ? 0 : 0.01;
    const char *log_name = only_log(argc, argv, "tree");
    if (!log_name)
        return EXIT_USAGE;
    wanted.all_costs = json;
    int refused = tree_open(&wanted, log_name, "tree", &r, &tree);
    if (refused)
        return refused;
    if (json)
        tree_print_json(&tree, r.log, r.facts, &wanted.view);
    else
        tree_print(&tree, r.log, r.facts, &wanted.view);
    call_tree_release(&tree);
    return reading_close(&r);
}
