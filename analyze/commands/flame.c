#include "analyze/command.h"
#include "analyze/commands/tree_options.h"
#include "analyze/new_file.h"
#include "analyze/options.h"
#include "analyze/render/coverage.h"
#include "analyze/render/flame.h"
#include "analyze/render/part.h"
#include "analyze/render/text.h"
#include "analyze/render/tree.h"
#include "analyze/render/trust.h"

#include <string.h>

const char flame_help[] =
    "malloscope flame [options] LOG [-o FILE]\n\n"
    "All stacks that allocate, folded: a line for each, main;read;grow 123, for other\n"
    "tools; or as a picture, in which the width of a function is its cost and that of\n"
    "all it calls.\n\n"
    "  -o, --output FILE    its ending says what: .svg is the picture, in one file,\n"
    "                       which a browser zooms (click) and searches without a\n"
    "                       network; .folded and .txt the stacks. An existing file is\n"
    "                       replaced when all of it is written. Default: the stacks,\n"
    "                       to standard output\n"
    TREE_HELP
    "  --min-share P%       leave out frames with less (default 0.1 % in pictures,\n"
    "                       else 0); their cost counts as their caller's own\n"
    "  --title TEXT         of the picture (default: the cost and the program)\n"
    READING_HELP
    "  -h, --help\n\n"
    "Names in folded stacks have , for ; and no newlines. Colours: a hue for each\n"
    "module, a shade for each function, the same in all pictures.\n\n"
    "Exit codes: 0; 1 the log is damaged (what is whole is shown), something may be\n"
    "missing in it, or it is none, or FILE cannot be written; 2 usage, no process has\n"
    "the --pid, or the log does not tell the cost (temporary, where allocations were\n"
    "sampled or small ones left out).\n";

static bool ends_with(const char *text, const char *end)
{
    size_t bytes = strlen(text), end_bytes = strlen(end);
    return bytes > end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

static char *default_title(const struct reading *r, enum cost cost)
{
    const struct told_process *first = r->facts->by_start_count ? &r->facts->told.processes[r->facts->by_start[0]] : NULL;
    const char *command = first && first->arguments && *first->arguments ? first->arguments : r->log->path;

    return format_text("%s: %.150s%s", cost_name(cost), command, strlen(command) > 150 ? "..." : "");
}

/* What the picture says of its data, on one line; the caller frees it. */
static char *note_of(const struct reading *r, const struct trust *trust)
{
    const struct coverage coverage = { &r->facts->settings, r->facts->recorded, r->facts->told.was_paused };
    char *text = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&text, &bytes);

    if (!stream)
        return copy_text("", 0);
    part_print(stream, r->facts);
    coverage_print(stream, &coverage, "");
    trust_print_short(stream, trust);
    fclose(stream);
    while (bytes && text[bytes - 1] == '\n')
        text[--bytes] = 0;
    for (char *at = text; (at = strchr(at, '\n'));)
        *at = ' ';
    return text;
}

static void print_result(const char *output, const struct call_tree *tree, const struct tree_options *o, const struct reading *r,
                         const struct trust *trust, const struct flame_pruned *pruned)
{
    const struct coverage coverage = { &r->facts->settings, r->facts->recorded, r->facts->told.was_paused };
    uint64_t all = call_node_total(tree, 0, o->view.cost);

    text_write_safe(stdout, output);
    printf(": %s in %s", tree_amount(o->view.cost, all),
           text_counted(pruned->frames, "frame"));
    if (pruned->hidden)
        printf("; %s more, with less than %g %% each and %s %% together, are left out (--min-share)", text_count(pruned->hidden),
               o->view.min_share * 100, text_share(pruned->hidden_cost, all));
    putchar('\n');
    part_print(stdout, r->facts);
    coverage_print(stdout, &coverage, "");
    trust_print(stdout, trust);
}

static int write_output(const char *output, const char *title, const struct call_tree *tree, const struct tree_options *o,
                        const struct reading *r)
{
    _cleanup_free_ char *named = title ? NULL : default_title(r, o->view.cost);
    struct flame_pruned pruned;
    struct failure failure;
    struct new_file new;
    struct trust trust;

    if (!output) {
        flame_write_folded(stdout, tree, &o->view, &pruned);
        return 0;
    }
    if (new_file_open(&new, output, &failure) != 0) {
        complain("%s", failure.text);
        return EXIT_DAMAGED;
    }
    trust_of_facts(r->log, r->facts, &trust);
    _cleanup_free_ char *note = note_of(r, &trust);
    if (ends_with(output, ".svg"))
        flame_write_svg(new.file, tree, &o->view, &(struct flame_picture){ title ? title : named, note }, &pruned);
    else
        flame_write_folded(new.file, tree, &o->view, &pruned);
    if (new_file_close(&new, &failure) != 0) {
        complain("%s", failure.text);
        return EXIT_DAMAGED;
    }
    print_result(output, tree, o, r, &trust, &pruned);
    return 0;
}

int cmd_flame(int argc, char **argv)
{
    enum { TITLE = 256 };
    static const struct option options[] = {
        { "output", required_argument, NULL, 'o' }, { "title", required_argument, NULL, TITLE }, TREE_OPTIONS, READING_OPTIONS,
        { "help", no_argument, NULL, 'h' }, { 0 },
    };
    _cleanup_tree_options_ struct tree_options wanted = { .view = { .depth = SIZE_MAX, .top = SIZE_MAX } };
    const char *output = NULL, *title = NULL;
    struct call_tree tree;
    struct reading r;

    for (int option; (option = next_option(argc, argv, ":o:h", options, flame_help)) != -1;) {
        if (option == 'o')
            output = optarg;
        if (option == TITLE)
            title = optarg;
        if (tree_option(&wanted, option, optarg, "flame") != 0)
            return EXIT_USAGE;
    }
    if (output && !ends_with(output, ".svg") && !ends_with(output, ".folded") && !ends_with(output, ".txt"))
        return usage_error("flame", "flame: -o %s: want a name that ends in .svg (a picture), .folded or .txt (stacks)", output);
    if (!wanted.has_min_share && output && ends_with(output, ".svg"))
        wanted.view.min_share = 0.001;
    const char *log_name = only_log(argc, argv, "flame");
    if (!log_name)
        return EXIT_USAGE;
    if (output && is_same_file(output, log_name))
        return usage_error("flame", "flame: %s is the log itself; name another file with -o", output);
    int refused = tree_open(&wanted, log_name, "flame", &r, &tree);
    if (refused)
        return refused;
    int failed = write_output(output, title, &tree, &wanted, &r);
    call_tree_release(&tree);
    int code = reading_close(&r);
    return failed ? failed : code;
}
