#include "format/output_name.h"

#include <string.h>

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const char *decimal(uint32_t value, char buffer[11])
{
    char *at = buffer + 10;

    *at = 0;
    do
        *--at = (char)('0' + value % 10);
    while (value /= 10);
    return at;
}

bool output_name_expand(const char *pattern, const struct output_name *values, char *ret_name, size_t bytes)
{
    char digits[11];
    size_t used = 0;

    for (; *pattern; pattern++) {
        char literal[2] = { *pattern, 0 };
        const char *piece = literal;
        if (*pattern == '%') {
            switch (*++pattern) {
            case 'p': piece = decimal(values->pid, digits); break;
            case 'n': piece = decimal(values->number, digits); break;
            case 'e': piece = base_name(values->program); break;
            case 'h': piece = values->host; break;
            case '%': break;
            default: return false;
            }
        }
        size_t length = strlen(piece);
        if (length >= bytes - used)
            return false;
        memcpy(ret_name + used, piece, length);
        used += length;
    }
    ret_name[used] = 0;
    return used > 0;
}

bool output_name_is_numbered(const char *pattern)
{
    for (; *pattern; pattern++)
        if (*pattern == '%' && *++pattern == 'n')
            return true;
        else if (!*pattern)
            return false;
    return false;
}
