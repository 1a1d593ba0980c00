/* The CLI's front door: finds the subcommand; a first word that is none is a
 * program to record. */
#include "analyze/command.h"
#include "analyze/file_size_limit.h"
#include "analyze/options.h"
#include "analyze/standard.h"

#include <locale.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary, *help;
} commands[] = {
    { "record", cmd_record, "run a program and log every allocation and free", record_help },
    { "run", cmd_record, NULL, record_help },
    { "hist", cmd_hist, "sizes of allocations: histogram, small-vs-large split, quantiles", hist_help },
    { "plot", cmd_plot, "draw the sizes as a picture (png, svg, pdf)", plot_help },
    { "report", cmd_report, "totals, peak, leaks, call sites", report_help },
    { "leaks", cmd_leaks, "what was never freed, and who allocated it", leaks_help },
    { "tree", cmd_tree, "who allocates: callers and whom they call", tree_help },
    { "flame", cmd_flame, "folded stacks, or a flame graph (svg)", flame_help },
    { "sites", cmd_sites, "every call site, or every stack, as TSV or JSON", sites_help },
    { "info", cmd_info, "what is in a log", info_help },
    { "timeline", cmd_timeline, "live bytes and allocations over time", timeline_help },
    { "diff", cmd_diff, "what one recording allocates more or less than another", diff_help },
    { "check", cmd_check, "does a program allocate more than it did, for CI", check_help },
    { "merge", cmd_merge, "several logs, of MPI ranks or hosts, as one", merge_help },
    { "trim", cmd_trim, "a part of a log as a log of its own", trim_help },
    { "doctor", cmd_doctor, "can a program be traced here, and if not, why", doctor_help },
    { "symbolize", cmd_symbolize, "write the names of functions into a log, to read it elsewhere", symbolize_help },
    { "dump", cmd_dump, "every event as a line, in time order", dump_help },
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void print_help(FILE *to)
{
    fputs("malloscope records every malloc, realloc and free of a program, and shows who\n"
          "allocates, how much, how often.\n\n"
          "  malloscope PROGRAM ARGS...     record it, then print a summary\n"
          "  malloscope COMMAND ...         one of:\n\n", to);
    for (size_t i = 0; i < COMMANDS; i++)
        if (commands[i].summary)
            fprintf(to, "    %-9s %s\n", commands[i].name, commands[i].summary);
    fputs("\n  malloscope help COMMAND        a command's options\n"
          "  malloscope --version\n\n"
          "Exit codes: 0 good; 1 the log is damaged, missing or not a log (what is whole is\n"
          "still shown); 2 wrong usage. record: the program's own, see its help; doctor and\n"
          "check: see theirs.\n", to);
}

static int help(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stdout);
        return output_failed() ? EXIT_DAMAGED : EXIT_GOOD;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) {
            fputs(commands[i].help, stdout);
            return output_failed() ? EXIT_DAMAGED : EXIT_GOOD;
        }
    complain("no command %s; `malloscope --help` lists them", argv[1]);
    return EXIT_USAGE;
}

/* What is large goes back to the kernel when it is freed. The C library would keep more of it the more there was, and
 * put what comes next between. */
static void keep_memory_small(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    mallopt(M_ARENA_MAX, 1); /* threads hand payloads to each other, and seldom allocate */
#endif
}

int main(int argc, char **argv)
{
    keep_memory_small();
    standard_occupy();
    file_size_limit_survive();
    setlocale(LC_CTYPE, ""); /* whether the terminal shows Unicode bars; numbers stay as in C */
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
        return help(argc - 1, argv + 1);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        printf("malloscope %s\nlog format version %d\n", MALLOSCOPE_VERSION, REC_VERSION);
        return output_failed() ? EXIT_DAMAGED : EXIT_GOOD;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    /* malloscope [record's options] PROGRAM: as if record stood there. */
    argv[0] = "record";
    return cmd_record(argc, argv);
}
