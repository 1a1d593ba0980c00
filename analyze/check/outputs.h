/* What `check` writes beside its table, for machines and for CI's pages: the options, and who
 * writes what. Each format is a file of its own here, and knows only the verdict. */
#ifndef MALLOSCOPE_CHECK_OUTPUTS_H
#define MALLOSCOPE_CHECK_OUTPUTS_H

#include "analyze/check/verdict.h"

#include <getopt.h>

#define CHECK_OUTPUTS_HELP                                                            \
    "  --json               as JSON, schema malloscope-check/1\n"                        \
    "                       (docs/check.schema.json)\n"                                  \
    "  --tap                as TAP, for prove, Meson and their like\n"                   \
    "  --github             GitHub's annotations at file and line; a summary,\n"         \
    "                       appended to $GITHUB_STEP_SUMMARY\n"                                 \
    "  --markdown FILE      the same summary\n"                                          \
    "  --junit FILE         JUnit's XML\n"                                               \
    "  --benchmark-json FILE\n"                                                          \
    "                       the values, as github-action-benchmark's\n"                  \
    "                       customSmallerIsBetter takes them\n"                          \
    "                       A FILE is overwritten; - is standard output. With --json,\n" \
    "                       --tap or - the table is left out.\n"

enum {
    CHECK_OUTPUTS_JSON = 0x4000,
    CHECK_OUTPUTS_TAP,
    CHECK_OUTPUTS_GITHUB,
    CHECK_OUTPUTS_MARKDOWN,
    CHECK_OUTPUTS_JUNIT,
    CHECK_OUTPUTS_BENCHMARK_JSON,
};
#define CHECK_OUTPUTS_OPTIONS                                                \
    { "json", no_argument, NULL, CHECK_OUTPUTS_JSON },                       \
    { "tap", no_argument, NULL, CHECK_OUTPUTS_TAP },                         \
    { "github", no_argument, NULL, CHECK_OUTPUTS_GITHUB },                   \
    { "markdown", required_argument, NULL, CHECK_OUTPUTS_MARKDOWN },         \
    { "junit", required_argument, NULL, CHECK_OUTPUTS_JUNIT },               \
    { "benchmark-json", required_argument, NULL, CHECK_OUTPUTS_BENCHMARK_JSON }

struct check_outputs {
    bool json, tap, github;
    const char *markdown, *junit, *benchmark_json; /* files; NULL: not asked for */
};

/* Takes its own options, and leaves others alone: false. */
bool check_outputs_option(struct check_outputs *o, int option, const char *value);
/* stdout is one of them: the terminal's table is not printed then. */
bool check_outputs_take_stdout(const struct check_outputs *o);
/* Before the program runs, for minutes maybe: 0, or -errno with the line to say where what is
 * asked for cannot be: two on stdout, a file that is one of the inputs (NULL ends them), or another
 * output, or that cannot be written. */
int check_outputs_ready(const struct check_outputs *o, const char *const *inputs, struct failure *ret_failure);
/* Of a command line that is refused: what an earlier run has left in the files would be taken for its own. Silent; inputs stay, and what
 * is no regular file. */
void check_outputs_empty(const struct check_outputs *o, const char *const *inputs);
/* All of them. 0, or -errno with the line to say; what can be written is. */
int check_outputs_write(const struct check_outputs *o, const struct verdict *v, struct failure *ret_failure);

/* The formats. Whether all of it went to the file is for the caller to see. */
void check_write_json(FILE *to, const struct verdict *v);
void check_write_tap(FILE *to, const struct verdict *v);
void check_write_github(FILE *to, const struct verdict *v);
void check_write_markdown(FILE *to, const struct verdict *v);
void check_write_junit(FILE *to, const struct verdict *v);
void check_write_benchmark_json(FILE *to, const struct verdict *v);

#endif
