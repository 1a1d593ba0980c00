#include "analyze/render/short_names.h"

#include "analyze/render/text.h"
#include "analyze/util.h"

#include <string.h>

#define OPEN_MAX 64   /* brackets; what is deeper is not closed */
#define GROUPS_MAX 32 /* side by side; what comes behind is not shortened */

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
    const char *sign_end; /* of the last operator's; NULL: there was none */
};

/* To be called for each character of a name. */
static void pass(struct open_brackets *open, const char *name, const char *at)
{
    static const char opening[] = "<({[", closing[] = ">)}]";
    const char *found = strchr(opening, *at);
    size_t sign = operator_length(name, at);

    if (sign)
        open->sign_end = at + sign;
    if (open->sign_end && at < open->sign_end)
        return;
    if (found && open->count < OPEN_MAX)
        open->closing[open->count++] = closing[found - opening];
    else if (open->count && *at == open->closing[open->count - 1] && !(*at == '>' && at > name && at[-1] == '-'))
        open->count--;
}

static bool fits(const char *text, size_t columns)
{
    return text_characters(text, strlen(text)) <= columns;
}

/* What is left out is the end. Frees name. */
static char *cut_end(char *name, size_t columns)
{
    struct open_brackets open = { .count = 0 }, open_there = open;
    size_t width = 0, shown = 0;

    if (fits(name, columns))
        return name;
    for (const char *at = name; *at && width + 3 <= columns; at++) {
        pass(&open, name, at);
        width += text_characters(at, 1);
        bool is_whole = text_characters(at + 1, 1) == 1;
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
    free(name);
    return text;
}

/* What is left out is the beginning, up to a `::` outside of brackets: "...::reload". Frees name, unless it is NULL: there is no
 * such place. */
static char *cut_beginning(char *name, size_t columns)
{
    struct open_brackets open = { .count = 0 };
    size_t width = text_characters(name, strlen(name)); /* from here on */

    for (const char *at = name; *at && (open.count || strncmp(at, "operator ", 9) != 0); at++) { /* `operator a::b` is one name */
        if (at > name && !open.count && at[0] == ':' && at[1] == ':' && 3 + width <= columns) {
            char *text = format_text("...%s", at);
            free(name);
            return text;
        }
        pass(&open, name, at);
        width -= text_characters(at, 1);
    }
    return NULL;
}

/* What is in a pair of brackets that is in no other. */
struct group {
    const char *begin;
    size_t bytes, width;
    char *shorter; /* NULL: not tried */
};

static size_t find_groups(const char *name, struct group groups[GROUPS_MAX])
{
    struct open_brackets open = { .count = 0 };
    const char *begin = name;
    size_t count = 0;

    for (const char *at = name; *at && count < GROUPS_MAX; at++) {
        size_t before = open.count;
        pass(&open, name, at);
        if (!before && open.count) {
            begin = at + 1;
        } else if (before && !open.count) {
            size_t bytes = (size_t)(at - begin);
            groups[count++] = (struct group){ .begin = begin, .bytes = bytes, .width = text_characters(begin, bytes) };
        }
    }
    return count;
}

static struct group *longest_untried(struct group *groups, size_t count)
{
    struct group *longest = NULL;

    for (size_t i = 0; i < count; i++)
        if (!groups[i].shorter && groups[i].width > 3 && (!longest || groups[i].width > longest->width))
            longest = &groups[i];
    return longest;
}

/* Shortens what is in brackets, the longest first, for as long as the name needs more columns. Of `{lambda(int)#1}` no more than
 * what is in its brackets: it is which function, and not of what. */
static char *shorten_groups(const char *name, size_t columns, unsigned depth)
{
    struct group groups[GROUPS_MAX], *group;
    size_t count = depth < OPEN_MAX ? find_groups(name, groups) : 0, width = text_characters(name, strlen(name)), used = 0;
    const char *from = name;

    while (width > columns && (group = longest_untried(groups, count))) {
        size_t room = group->width > width - columns + 3 ? group->width - (width - columns) : 3;
        _cleanup_free_ char *inside = copy_text(group->begin, group->bytes);
        group->shorter = shorten_groups(inside, room, depth + 1);
        if (group->begin[-1] != '{')
            group->shorter = cut_end(group->shorter, room);
        width -= group->width - text_characters(group->shorter, strlen(group->shorter));
    }
    char *text = alloc_zeroed(strlen(name) + 1, 1);
    for (size_t i = 0; i < count; i++) {
        if (!groups[i].shorter)
            continue;
        size_t between = (size_t)(groups[i].begin - from), bytes = strlen(groups[i].shorter);
        memcpy(text + used, from, between);
        memcpy(text + used + between, groups[i].shorter, bytes);
        used += between + bytes;
        from = groups[i].begin + groups[i].bytes;
        free(groups[i].shorter);
    }
    strcpy(text + used, from);
    return text;
}

char *names_cut(const char *name, size_t columns)
{
    char *text = shorten_groups(name, columns, 0);
    char *shorter = fits(text, columns) ? NULL : cut_beginning(text, columns);

    return shorter ? shorter : cut_end(text, columns);
}
