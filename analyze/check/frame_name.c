#include "analyze/check/frame_name.h"

#include <string.h>

const char *frame_name_module(const char *name, size_t bytes)
{
    int depth = 0;

    if (!bytes || name[bytes - 1] != ')')
        return NULL;
    for (size_t i = bytes; i-- > 1;) {
        depth += (name[i] == ')') - (name[i] == '(');
        if (!depth) /* the last one's opening bracket */
            return name[i - 1] == ' ' && i > 1 ? name + i + 1 : NULL;
    }
    return NULL;
}

void frame_name_write(FILE *to, const char *function, const char *module)
{
    if (!*module && frame_name_module(function, strlen(function)))
        module = FRAME_NAME_OWN;
    fputs(function, to);
    if (*module)
        fprintf(to, " (%s)", module);
}
