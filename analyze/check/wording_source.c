/* Whether a file of the tree is the one that a function's code came from: paths alone do not say, as projects name their
 * files alike. It is, if the function's name stands there above the line, not far, as where it is defined. */
#include "analyze/check/wording.h"

#include <ctype.h>
#include <string.h>

#define LINES_ABOVE 500

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (c & 0x80);
}

/* "parse" of "v::(anonymous namespace)::Parser<int>::parse", of "v::parse::{lambda(int)#1}" and of "parse::$_0::operator()";
 * false: it has no name that its source would have. */
static bool plain_name(const char *function, char *ret_name, size_t bytes)
{
    size_t length = 0, depth = 0;

    *ret_name = 0;
    for (const char *at = function; *at; at++) {
        if (strchr("<({[", *at)) {
            depth++;
        } else if (strchr(">)}]", *at)) {
            depth -= depth > 0;
        } else if (depth == 0 && is_word(*at)) {
            if (at == function || !is_word(at[-1])) {
                if (strncmp(at, "operator", 8) == 0 && !is_word(at[8]))
                    break;
                length = 0;
            }
            if (length + 1 < bytes)
                ret_name[length++] = *at;
            ret_name[length] = 0;
        } else if (depth == 0 && *at == '$') {
            break;
        }
    }
    return *ret_name;
}

/* A call is a statement. */
static bool defines(const char *line, const char *name)
{
    size_t bytes = strlen(name), end = strlen(line);

    while (end && isspace((unsigned char)line[end - 1]))
        end--;
    if (end && line[end - 1] == ';')
        return false;
    for (const char *at = line; (at = strstr(at, name)); at += bytes)
        if ((at == line || !is_word(at[-1])) && (at[bytes + strspn(at + bytes, " \t")] == '(' || at[bytes] == '<'))
            return true;
    return false;
}

bool wording_source_has(const char *directory, const char *file, const char *function, uint32_t line)
{
    char name[256];
    _cleanup_free_ char *path = format_text("%s/%s", directory, file), *text = NULL;
    _cleanup_fclose_ FILE *from = fopen(path, "re");
    size_t capacity = 0;
    bool has = false;

    if (!from || !plain_name(function, name, sizeof name))
        return false;
    for (uint32_t number = 1; number <= line; number++) {
        if (getline(&text, &capacity, from) < 0)
            return false; /* it is too short */
        has |= number + LINES_ABOVE >= line && defines(text, name);
    }
    return has;
}
