/* For those who make a verdict, and not for those who show it. */
#ifndef MALLOSCOPE_CHECK_VERDICT_MAKE_H
#define MALLOSCOPE_CHECK_VERDICT_MAKE_H

#include "analyze/check/verdict.h"

/* Texts without the program's name and newline. */
void verdict_add_problem(struct verdict *v, enum verdict_problem_kind kind, const char *metric, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void verdict_add_note(struct verdict *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* From its problems and metrics. */
void verdict_set_exit_code(struct verdict *v);

#endif
