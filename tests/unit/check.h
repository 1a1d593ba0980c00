/* The unit tests' whole framework: a test is a program whose main() runs CHECK()s
 * and ends with `return check_summary();`. A CHECK that fails prints where it is
 * and goes on; its value is the condition's, for tests that cannot. */
#ifndef MALLOSCOPE_TESTS_UNIT_CHECK_H
#define MALLOSCOPE_TESTS_UNIT_CHECK_H

#include <stdbool.h>
#include <stdio.h>

static unsigned long check_passed_count, check_failed_count;

static inline bool check_one(bool condition, const char *text, const char *file, int line)
{
    if (condition)
        check_passed_count++;
    else
        check_failed_count++;
    if (!condition)
        printf("%s:%d: failed: %s\n", file, line, text);
    return condition;
}

#define CHECK(condition) check_one((condition), #condition, __FILE__, __LINE__)

/* Prints the last line; returns the exit status. */
static inline int check_summary(void)
{
    printf("%lu passed, %lu failed\n", check_passed_count, check_failed_count);
    return check_failed_count != 0;
}

#endif
