#include "analyze/check/numbered.h"

#include "analyze/util.h"

#include <string.h>

static const char digits[] = "0123456789";

char *numbered_without(const char *name)
{
    char *without = copy_text(name, strlen(name)), *to = without;

    for (const char *at = name; *at;) {
        size_t number = *at == '#' ? strspn(at + 1, digits) : 0;
        if (number) {
            at += 1 + number;
            continue;
        }
        *to++ = *at++;
        if (at - name >= 2 && memcmp(at - 2, "$_", 2) == 0)
            at += strspn(at, digits);
    }
    *to = 0;
    return without;
}

char *numbered_group(const char *name)
{
    char *without = numbered_without(name);

    if (strcmp(without, name) != 0)
        return without;
    free(without);
    return NULL;
}
