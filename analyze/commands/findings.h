/* What `doctor` found: a line for each check, and what follows from all. */
#ifndef MALLOSCOPE_COMMANDS_FINDINGS_H
#define MALLOSCOPE_COMMANDS_FINDINGS_H

#include "analyze/util.h"

enum level {
    LEVEL_OK,
    LEVEL_NOTE, /* good to know */
    LEVEL_WARN, /* recording works, but not wholly or not well */
    LEVEL_FAIL, /* it does not */
};

struct findings {
    bool brief; /* lines that are ok are only counted */
    unsigned counts[LEVEL_FAIL + 1];
    char *reasons[LEVEL_FAIL + 1]; /* the first text of each level; to be freed */
};

/* Prints a line: level, what was checked (a word or two), and the finding. */
void say(struct findings *findings, enum level level, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* doctor_machine.c: everything that has nothing to do with a program. output: as
 * record's -o. The shim's path, to be freed; NULL: it cannot be used. */
char *examine_machine(struct findings *findings, const char *output, const char *program);

#endif
