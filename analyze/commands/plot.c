#include "analyze/command.h"
#include "analyze/commands/pids.h"
#include "analyze/commands/progress.h"
#include "analyze/model/count_sizes.h"
#include "analyze/options.h"
#include "analyze/render/coverage.h"
#include "analyze/render/plot_sizes.h"
#include "analyze/render/text.h"
#include "analyze/render/trust.h"

#include <string.h>

const char plot_help[] =
    "malloscope plot sizes [options] LOG -o FILE.png|svg|pdf\n\n"
    "Draws the sizes of allocations with gnuplot: shares of the allocations and of\n"
    "the bytes by powers of two, both cumulative curves, and the threshold.\n\n"
    "  -o, --output FILE    the picture; its ending says which kind (default\n"
    "                       sizes.png). An existing picture is replaced\n"
    "  --linear             the view of 0 to 100 bytes (or the threshold, where that\n"
    "                       is more), a bar for each size\n"
    "  --threshold N        smaller than N bytes is small (default 100, or\n"
    "                       MALLOSCOPE_THRESHOLD; 1 or more; K, M, G)\n"
    "  --keep-script DIR    leave the gnuplot script and its data there, to edit and\n"
    "                       run: cd DIR && gnuplot sizes.gp\n"
    PIDS_HELP
    "  -h, --help\n\n"
    "Exit codes: 0; 1 the log is damaged (what is whole is drawn), something may be\n"
    "missing in it, or it is none, or nothing could be drawn; 2 usage, or no process\n"
    "has the --pid.\n";

/* What --keep-script writes. */
static const char *const kept_files[] = { "sizes.gp", "sizes-bars.dat", "sizes-curve.dat" };

/* What the picture says of allocations that were not recorded, on one line. */
static char *coverage_of(const struct sizes_counted *counted)
{
    const struct coverage coverage = { &counted->settings, counted->recorded, counted->was_paused };
    const char *(*const lines[])(const struct coverage *) = { coverage_sampled, coverage_min_size, coverage_paused };
    char *text = format_text("%s", "");

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *line = lines[i](&coverage);
        if (!line)
            continue;
        char *longer = format_text("%s%s%s", text, *text ? ". " : "", line);
        free(text);
        text = longer;
    }
    return text;
}

static void print_trust(const struct log *log, const struct sizes_counted *counted, const struct size_table *table,
                        const char *output)
{
    const struct coverage coverage = { &counted->settings, counted->recorded, counted->was_paused };
    struct trust trust;

    const char *about = text_about(counted->settings.sample_bytes);

    text_write_safe(stdout, output);
    printf(": %s%s, %s%s\n", about, text_counted(table->count, "allocation"), about, text_bytes(table->bytes));
    coverage_print(stdout, &coverage, "");
    trust_of_sizes(log, counted, &trust);
    trust_print(stdout, &trust);
}

int cmd_plot(int argc, char **argv)
{
    enum { LINEAR = 256, THRESHOLD, KEEP, PID };
    static const struct option options[] = {
        { "output", required_argument, NULL, 'o' }, { "linear", no_argument, NULL, LINEAR },
        { "threshold", required_argument, NULL, THRESHOLD }, { "keep-script", required_argument, NULL, KEEP },
        { "pid", required_argument, NULL, PID }, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    struct plot_sizes plot = { .threshold = default_threshold(), .output = "sizes.png" };
    _cleanup_pids_ struct pids pids = { 0 };

    for (int option; (option = next_option(argc, argv, ":o:h", options, plot_help)) != -1;) {
        if (option == 'o')
            plot.output = optarg;
        if (option == KEEP)
            plot.keep_dir = optarg;
        if (option == PID && pids_add(&pids, "--pid", optarg, "plot") != 0)
            return EXIT_USAGE;
        plot.linear |= option == LINEAR;
        if (option == THRESHOLD && !parse_number(optarg, 1, &plot.threshold))
            return usage_error("plot", "plot: --threshold %s: want a number of bytes from 1 up", optarg);
    }
    if (optind == argc || strcmp(argv[optind], "sizes") != 0)
        return usage_error("plot", "plot: what? There is: plot sizes LOG");
    optind++;
    const char *path = only_log(argc, argv, "plot");
    if (!path)
        return EXIT_USAGE;
    if (is_same_file(plot.output, path))
        return usage_error("plot", "plot: %s is the log itself; name another file with -o", plot.output);
    for (size_t i = 0; plot.keep_dir && i < sizeof kept_files / sizeof kept_files[0]; i++) {
        _cleanup_free_ char *kept = format_text("%s/%s", plot.keep_dir, kept_files[i]);
        if (is_same_file(kept, path))
            return usage_error("plot", "plot: %s is the log itself; keep the script in another directory", kept);
    }
    if (plot.linear && plot.threshold > PLOT_LINEAR_BYTES)
        return usage_error("plot", "plot: --linear shows up to %d bytes, not a --threshold of %llu", PLOT_LINEAR_BYTES,
                           (unsigned long long)plot.threshold);
    struct log *log;
    int refused = pids_open(&pids, path, "plot", &log);
    if (refused)
        return refused;
    pids_select(&pids, log);

    struct sizes_counted counted;
    struct size_table table;
    struct failure failure;
    struct progress progress;
    progress_begin(&progress, PROGRESS_READS, "reading the log:");
    count_sizes(log, progress_goes_on, &progress, &counted);
    progress_end(&progress);
    if (counted.interrupted || log->is_beginning) {
        complain("%s: interrupted: nothing was drawn", log->path);
        sizes_counted_release(&counted);
        log_free(log);
        return EXIT_DAMAGED;
    }
    sizes_table(&counted.sizes, &table);
    plot.title = text_base_name(path);
    _cleanup_free_ char *note = coverage_of(&counted);
    plot.note = note;
    plot.is_estimate = counted.settings.sample_bytes;
    int error = plot_sizes_draw(&table, &plot, &failure);
    if (!error)
        print_trust(log, &counted, &table, plot.output);
    int code = log_verdict(log, counted.bad_chunks, counted.bad_offset);
    if (error) {
        complain("%s", failure.text);
        code = EXIT_DAMAGED;
    }
    if (output_failed())
        code = EXIT_DAMAGED;
    size_table_release(&table);
    sizes_counted_release(&counted);
    log_free(log);
    return code;
}
