#include "analyze/command.h"
#include "analyze/commands/sizes_reading.h"
#include "analyze/options.h"
#include "analyze/render/part.h"
#include "analyze/render/plot_sizes.h"
#include "analyze/render/text.h"

#include <string.h>

const char plot_help[] =
    "malloscope plot sizes [options] LOG -o FILE.png|svg|pdf\n\n"
    "Draws the sizes of allocations with gnuplot: shares of the allocations and of\n"
    "the bytes by powers of two, both cumulative curves, and the threshold.\n\n"
    "  -o, --output FILE    the picture; its ending says which kind (default\n"
    "                       sizes.png). An existing picture is replaced when all of\n"
    "                       it is written\n"
    "  --linear             the view of 0 to 100 bytes (or the threshold, where that\n"
    "                       is more), a bar for each size\n"
    "  --threshold N        smaller than N bytes is small (default 100, or\n"
    "                       MALLOSCOPE_THRESHOLD; 1 or more; K, M, G)\n"
    "  --keep-script DIR    leave the gnuplot script and its data there, to edit and\n"
    "                       run: cd DIR && gnuplot sizes.gp\n"
    READING_PART_HELP
    "  -h, --help\n\n"
    "Exit codes: 0; 1 the log is damaged (what is whole is drawn), something may be\n"
    "missing in it, or it is none, or nothing could be drawn; 2 usage, or no process\n"
    "has the --pid.\n";

/* What --keep-script writes. */
static const char *const kept_files[] = { "sizes.gp", "sizes-bars.dat", "sizes-curve.dat" };

/* What the picture says of allocations that are not in it, on one line. */
static char *note_of(const struct sizes_reading *r)
{
    const char *(*const lines[])(const struct coverage *) = { coverage_sampled, coverage_min_size, coverage_paused };
    char *text = r->part.facts ? part_text(r->part.facts) : NULL;

    if (!text)
        text = copy_text("", 0);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *line = lines[i](&r->coverage);
        if (!line)
            continue;
        char *longer = format_text("%s%s%s", text, *text ? ". " : "", line);
        free(text);
        text = longer;
    }
    return text;
}

static void print_trust(const struct sizes_reading *r, const char *output)
{
    const char *about = text_about(r->counted.settings.sample_bytes);

    text_write_safe(stdout, output);
    printf(": %s%s, %s%s\n", about, text_counted(r->table.count, "allocation"), about, text_bytes(r->table.bytes));
    coverage_print(stdout, &r->coverage, "");
    if (r->part.facts)
        part_print(stdout, r->part.facts);
    trust_print(stdout, &r->trust);
}

int cmd_plot(int argc, char **argv)
{
    enum { LINEAR = 256, THRESHOLD, KEEP };
    static const struct option options[] = {
        { "output", required_argument, NULL, 'o' }, { "linear", no_argument, NULL, LINEAR },
        { "threshold", required_argument, NULL, THRESHOLD }, { "keep-script", required_argument, NULL, KEEP },
        READING_PART_OPTIONS, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    struct plot_sizes plot = { .threshold = default_threshold(), .output = "sizes.png" };
    _cleanup_reading_options_ struct reading_options wanted = { 0 };
    struct sizes_reading r;
    struct failure failure;

    for (int option; (option = next_option(argc, argv, ":o:h", options, plot_help)) != -1;) {
        if (option == 'o')
            plot.output = optarg;
        if (option == KEEP)
            plot.keep_dir = optarg;
        if (reading_option(&wanted, option, optarg, "plot"))
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
    int refused = sizes_reading_open(&wanted, path, "plot", &r);
    if (refused)
        return refused;
    if (r.counted.interrupted) {
        complain("%s: interrupted: nothing was drawn", r.part.log->path);
        sizes_reading_release(&r);
        return EXIT_DAMAGED;
    }
    plot.title = text_base_name(path);
    _cleanup_free_ char *note = note_of(&r);
    plot.note = note;
    plot.is_estimate = r.counted.settings.sample_bytes;
    int error = plot_sizes_draw(&r.table, &plot, &failure);
    if (error)
        complain("%s", failure.text);
    else
        print_trust(&r, plot.output);
    int code = sizes_reading_close(&r);
    return error ? EXIT_DAMAGED : code;
}
