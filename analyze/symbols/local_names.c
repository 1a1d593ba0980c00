/* In _ZZ1fvEN1L1qE_0i, and in _Z3repIZ1fvE1L_0Evv, the number is behind what is in the function, _Z1fv, whose name ends with E. It
 * is 0 for the second of them. Mangled names are not parsed here: what looks like such a number is one if the name
 * is as good without it, and the same; and what looks like the name it belongs to is that if it changes nothing else. */
#include "analyze/symbols/local_names.h"

#include "analyze/util.h"

#include <libiberty/demangle.h>
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS_MOST 16 /* in one name; and of places that look like one, and of names it may belong to */

/* `_0`, `__10_`; 0: it is none. */
static size_t number_length(const char *at, unsigned *ret_number)
{
    size_t digits = strspn(at + 1 + (at[1] == '_'), "0123456789");

    *ret_number = 0;
    if (at[1] != '_') {
        *ret_number = (unsigned)(at[1] - '0');
        return digits ? 2 : 0;
    }
    if (digits < 2 || digits > 4 || at[2 + digits] != '_')
        return 0;
    *ret_number = (unsigned)strtoul(at + 2, NULL, 10);
    return digits + 3;
}

/* `1L`: *ret_name is behind its length. 0: it is none, or longer than `end`. */
static size_t name_length(const char *at, const char *end, const char **ret_name)
{
    size_t digits = strspn(at, "0123456789");
    unsigned long length = digits && digits <= 4 ? strtoul(at, NULL, 10) : 0;

    *ret_name = at + digits;
    return length && at + digits < end && length <= (size_t)(end - *ret_name) && !isdigit((unsigned char)**ret_name) ? length : 0;
}

/* Whether b is a, but for each "name" that is name#N, of which the first is in something. */
static bool adds_only(const char *a, const char *b, const char *name, size_t name_length, const char *added)
{
    const char *begin = a;
    size_t found = 0, length = strlen(added);

    for (; *a || *b; a++, b++) {
        bool is_behind = (size_t)(a - begin) >= name_length + 2 && memcmp(a - name_length, name, name_length) == 0;
        if (*b == '#' && strncmp(b, added, length) == 0 && strncmp(a, added, length) != 0 && is_behind) {
            if (!found++ && memcmp(a - name_length - 2, "::", 2) != 0)
                return false;
            b += length;
        }
        if (*a != *b)
            return false;
        if (!*a)
            break;
    }
    return found;
}

static bool is_as(const char *text, const char *other, int options)
{
    _cleanup_free_ char *a = cplus_demangle(text, options), *b = cplus_demangle(other, options);
    return a && b && strcmp(a, b) == 0;
}

/* The number is gone, its name, which begins at `at`, has it. NULL: that is not its name. */
static char *moved(const char *mangled, const char *plain, const char *at, const char *number, size_t bytes, unsigned value, int options)
{
    const char *name;
    size_t length = name_length(at, number, &name);
    _cleanup_free_ char *added = format_text("#%u", value + 2);

    if (!length)
        return NULL;
    char *text = format_text("%.*s%zu%.*s%s%.*s%s", (int)(at - mangled), mangled, length + strlen(added), (int)length, name, added,
                             (int)(number - name - length), name + length, number + bytes);
    _cleanup_free_ char *before = cplus_demangle(plain, options), *now = cplus_demangle(text, options);
    if (before && now && adds_only(before, now, name, length, added))
        return text;
    free(text);
    return NULL;
}

/* `EN1L`, behind which there is more of it, or `E1L`, where that is all: the nearest one. */
static char *with_number(const char *mangled, const char *number, int options)
{
    unsigned value, tried = 0;
    size_t bytes = number_length(number, &value);
    const char *name;

    if (!bytes)
        return NULL;
    _cleanup_free_ char *plain = format_text("%.*s%s", (int)(number - mangled), mangled, number + bytes);
    for (const char *at = number - 1; at > mangled && tried < NUMBERS_MOST; at--) {
        if (at[-1] != 'E')
            continue;
        bool is_nested = *at == 'N' && number[-1] == 'E';
        const char *begin = is_nested ? at + 1 + strspn(at + 1, "rVKRO") : at;
        size_t length = name_length(begin, number, &name);
        if (!length || (!is_nested && name + length != number))
            continue;
        if (!tried++ && !is_as(mangled, plain, options))
            return NULL;
        char *text = moved(mangled, plain, begin, number, bytes, value, options);
        if (text)
            return text;
    }
    return NULL;
}

char *local_names_number(const char *mangled, int options)
{
    char *text = NULL;
    unsigned tried = 0;
    size_t at = 2;

    if (!strchr(mangled + 2, 'Z'))
        return NULL;
    while (tried < NUMBERS_MOST) {
        const char *in = text ? text : mangled, *number = strchr(in + at, '_');
        unsigned value;
        if (!number)
            break;
        at = (size_t)(number - in) + 1;
        if (!number_length(number, &value))
            continue;
        tried++;
        char *better = with_number(in, number, options);
        if (better) {
            free(text);
            text = better;
        }
    }
    return text;
}

static size_t word_length(const char *begin, const char *end)
{
    size_t length = 0;

    while (length < (size_t)(end - begin) && (isalnum((unsigned char)end[-1 - (ptrdiff_t)length]) || end[-1 - (ptrdiff_t)length] == '_'))
        length++;
    return length;
}

void local_names_bare_constructors(char *name)
{
    for (char *at = name; at && (at = strchr(at, '#')); at++) {
        size_t number = 1 + strspn(at + 1, "0123456789"), length = word_length(name, at);
        char *own = at + number + 2;
        if (!length || strncmp(at + number, "::", 2) != 0)
            continue;
        own += *own == '~';
        if (strncmp(own, at - length, length + number) == 0 && !isdigit((unsigned char)own[length + number]))
            memmove(own + length, own + length + number, strlen(own + length + number) + 1);
    }
}
