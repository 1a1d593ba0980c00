/* What the outputs of `check` say alike: how a metric fares in a runner's terms, its figures as a
 * sentence, and where in the source a culprit is, as the repository names it. Texts are UTF-8
 * without control characters, whatever came in; the caller frees them. */
#ifndef MALLOSCOPE_CHECK_WORDING_H
#define MALLOSCOPE_CHECK_WORDING_H

#include "analyze/check/verdict.h"

/* Names are cut to so many characters where people read them. */
#define WORDING_NAME_MOST 200
/* In words; machines get more. */
#define WORDING_CULPRITS_MOST 10

enum wording_outcome {
    WORDING_PASSED,
    WORDING_FAILED,  /* a regression, or an improvement where that fails */
    WORDING_REFUSED, /* it could not be judged, and makes the exit code 3 */
    WORDING_SKIPPED, /* nothing to judge it by */
};

enum wording_outcome wording_outcome(const struct verdict *v, const struct verdict_metric *m);
/* "failed", "not measurable", "within", ... of the whole. */
const char *wording_verdict(const struct verdict *v);
/* "malloscope check: 2 of 7 metrics beyond their limits". */
char *wording_headline(const struct verdict *v);
/* "107 calls, baseline 100 (+7, +7.0 %), at most 102 (baseline + 2)". */
char *wording_figures(const struct verdict *v, const struct verdict_metric *m);
/* The same, and the reason where nothing else says it. */
char *wording_sentence(const struct verdict *v, const struct verdict_metric *m);
/* "+7", "-1,200": of exact numbers, in one of text.h's rotating buffers. */
const char *wording_change(int64_t change);
/* "7 calls", "1 block", "13,312 bytes"; likewise. */
const char *wording_value(const struct verdict_metric *m, uint64_t value);
/* "0 → 7 calls, new", "700 → 900 calls (+200, differs by 150 from run to run)", as far as it is known. */
char *wording_culprit_change(const struct verdict_metric *m, const struct verdict_culprit *c);
/* How many of its culprits people get to read. */
size_t wording_culprits_shown(const struct verdict_metric *m);
/* "-40 calls in 2 other sites": what offsets the culprits; NULL: nothing does. */
char *wording_offset(const struct verdict_metric *m);
/* "json_parse  src/parser.c:42", or with the module where no line is known. */
char *wording_frame(const struct verdict_frame *f);
/* The problem that is this metric's (NULL: the first of all); NULL: none. */
const struct verdict_problem *wording_problem(const struct verdict *v, const char *metric);

/* A frame's file without "x/..", relative to the tree of sources where it lies in that: GITHUB_WORKSPACE,
 * CI_PROJECT_DIR or else the working directory. *ret_inside: it does, for certain. The frame must have a file. */
char *wording_path(const struct verdict_frame *f, bool *ret_inside);
/* The frame to point at: the innermost one in the tree of sources, as nobody mends a line of
 * the C++ library's headers. NULL: there is none, or no longer. */
const struct verdict_frame *wording_place(const struct verdict_culprit *c);
/* Whether a function with this line can be in a file of the directory. */
bool wording_source_has(const char *directory, const char *file, const char *function, uint32_t line);

#endif
