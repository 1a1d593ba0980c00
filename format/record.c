/* Names of the numbers in record.h, for reports and messages. */
#include "format/record.h"

#include <stddef.h>

const char *rec_function_name(unsigned function)
{
#define X(number, name, text) [number] = text,
    static const char *const names[] = { REC_FUNCTIONS(X) };
#undef X
    return function < REC_FN_COUNT ? names[function] : NULL;
}

const char *rec_other_name(unsigned other)
{
#define X(number, name, text) [number] = text,
    static const char *const names[REC_OTHER_COUNT] = { REC_OTHERS(X) };
#undef X
    return other < REC_OTHER_COUNT ? names[other] : NULL;
}
