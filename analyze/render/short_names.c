#include "analyze/render/short_names.h"

#include "analyze/util.h"

#include <string.h>

#define OPEN_MAX 64 /* brackets; what is deeper is not closed */

/* Of the sign behind `operator` that has such characters: they open and close nothing. 0: there is none here. */
static size_t operator_length(const char *name, const char *at)
{
    static const char *const signs[] = { "<=>", "<<=", ">>=", "->*", "<<", ">>", "<=", ">=", "->", "--", "-=", "==", "<", ">", "-", "=" };

    if (at - name < 8 || memcmp(at - 8, "operator", 8) != 0)
        return 0;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strncmp(at, signs[i], strlen(signs[i])) == 0)
            return strlen(signs[i]);
    return 0;
}

/* `<T as alloc::string::ToString>::to_string`, `<impl [T]>::to_vec`, `<lambda(int)>::operator()`: what a name is of, and not
 * its arguments. */
static bool begins_type(const char *function, const char *at)
{
    if (at == function)
        return true;
    return at - function >= 2 && memcmp(at - 2, "::", 2) == 0 &&
           (strncmp(at, "<impl ", 6) == 0 || strncmp(at, "<lambda", 7) == 0 || strncmp(at, "<unnamed", 8) == 0);
}

/* Of such a type, from behind its `<` up to its `>`: the last parts of its paths, without arguments. Returns where it ends. */
static const char *shorten_type(const char *at, char *text, size_t bytes, size_t *used)
{
    size_t part = *used; /* where the path begins */
    int depth = 0;

    for (; *at && (depth || *at != '>' || at[-1] == '-') && *used < bytes; at++) {
        bool is_end = *at == '>' && at[-1] != '-';
        depth -= is_end;
        if (depth == 0 && at[0] == ':' && at[1] == ':') {
            *used = part;
            at++;
        } else if (depth == 0) {
            text[(*used)++] = *at;
            if (strchr(" &[(,*", *at))
                part = *used;
        }
        depth += *at == '<';
    }
    return at;
}

const char *names_short(const char *function)
{
    static char text[8192];
    size_t used = 0;
    int depth = 0;

    for (const char *at = function; *at && used < sizeof text - 1; at++) {
        if (depth == 0)
            for (size_t left = operator_length(function, at); left && used < sizeof text - 1; left--)
                text[used++] = *at++;
        if (*at == '<' && depth == 0 && begins_type(function, at)) {
            text[used++] = *at;
            at = shorten_type(at + 1, text, sizeof text - 1, &used);
            if (*at && used < sizeof text - 1)
                text[used++] = *at;
            if (*at)
                continue;
        }
        if (!*at)
            break;
        depth -= *at == '>' && depth > 0 && at[-1] != '-';
        if (depth == 0 && used < sizeof text - 1)
            text[used++] = *at;
        depth += *at == '<';
    }
    text[used] = 0;
    return text;
}

/* What is open behind a character. */
struct open_brackets {
    char closing[OPEN_MAX];
    size_t count;
};

static void pass(struct open_brackets *open, const char *name, const char *at)
{
    static const char opening[] = "<({[", closing[] = ">)}]";
    const char *found = strchr(opening, *at);

    if (found && open->count < OPEN_MAX)
        open->closing[open->count++] = closing[found - opening];
    else if (open->count && *at == open->closing[open->count - 1] && !(*at == '>' && at > name && at[-1] == '-'))
        open->count--;
}

char *names_cut(const char *name, size_t columns)
{
    struct open_brackets open = { .count = 0 }, open_there = open;
    size_t width = 0, shown = 0;
    const char *sign_end = name;

    for (const char *at = name; *at; at++)
        width += ((unsigned char)*at & 0xc0) != 0x80;
    if (width <= columns)
        return copy_text(name, strlen(name));
    width = 0;
    for (const char *at = name; *at && width + 3 <= columns; at++) {
        size_t sign = operator_length(name, at);
        sign_end = sign ? at + sign : sign_end;
        if (at >= sign_end)
            pass(&open, name, at);
        width += ((unsigned char)*at & 0xc0) != 0x80;
        bool is_whole = ((unsigned char)at[1] & 0xc0) != 0x80;
        if (is_whole && width + 3 + open.count <= columns) {
            shown = (size_t)(at - name) + 1;
            open_there = open;
        }
    }
    char *text = alloc_zeroed(shown + 3 + open_there.count + 1, 1);
    memcpy(text, name, shown);
    memcpy(text + shown, "...", 3);
    for (size_t i = 0; i < open_there.count; i++)
        text[shown + 3 + i] = open_there.closing[open_there.count - 1 - i];
    return text;
}
