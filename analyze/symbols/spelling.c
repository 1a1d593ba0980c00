/* From left to right, what is read is never behind what is written. Rust's names, which nothing tells from C++'s, have types
 * in round brackets, and lifetimes behind quotes: those stay. */
#include "analyze/symbols/spelling.h"

#include "analyze/util.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct spelled {
    char *begin, *to; /* what is written */
    int depth;        /* of brackets */
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static bool ends_in(const struct spelled *s, const char *text)
{
    size_t length = strlen(text);
    return (size_t)(s->to - s->begin) >= length && memcmp(s->to - length, text, length) == 0;
}

static char last(const struct spelled *s)
{
    return s->to > s->begin ? s->to[-1] : 0;
}

static size_t begins_with(const char *at, const char *text)
{
    size_t length = strlen(text);
    return strncmp(at, text, length) == 0 ? length : 0;
}

static void put(struct spelled *s, const char *text, size_t bytes)
{
    memmove(s->to, text, bytes);
    s->to += bytes;
}

/* --- literals, which begin an argument ------------------------------------------------------------ */

static size_t argument_ends(const char *at)
{
    return *at == '>' || *at == ',' || (*at == ' ' && at[1] == '>');
}

/* Behind `(short)`, or any other type that a literal may do without; 0: there is none. */
static size_t cast_length(const char *at)
{
    static const char *const types[] = { "(char)", "(signed char)", "(unsigned char)", "(short)", "(unsigned short)", "(wchar_t)",
                                         "(char8_t)", "(char16_t)", "(char32_t)", "(__int128)", "(unsigned __int128)" };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (begins_with(at, types[i]))
            return strlen(types[i]);
    size_t length = *at == '(' ? strcspn(at + 1, "()<>,") : 0;
    return length && at[length] == '*' && at[length + 1] == ')' ? length + 2 : 0; /* (int*)0 */
}

/* An integer without its suffix: its digits; *ret_end is behind it. 0: it is none. */
static size_t integer_length(const char *at, const char **ret_end)
{
    size_t minus = *at == '-', digits = strspn(at + minus, "0123456789");

    *ret_end = at + minus + digits + strspn(at + minus + digits, "uUlL");
    return digits && argument_ends(*ret_end) ? minus + digits : 0;
}

static void put_character(struct spelled *s, long code)
{
    const char plain[] = { '\'', (char)code, '\'' };
    char text[24];

    if (code > ' ' && code < 0x7f && !strchr("<>()[]{},'\"\\", (int)code))
        put(s, plain, sizeof plain);
    else
        put(s, text, (size_t)snprintf(text, sizeof text, "%ld", code));
}

/* 'c', '\'', '\012', L'c'; with its prefix. 0: it is none. */
static size_t character_length(const char *at, long *ret_code)
{
    static const char *const prefixes[] = { "u8", "u", "U", "L" };
    const char *in = at;
    char *end;

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes && in == at; i++)
        in += at[begins_with(at, prefixes[i])] == '\'' ? begins_with(at, prefixes[i]) : 0;
    if (*in != '\'' || !in[1] || (unsigned char)in[1] >= 0x80)
        return 0;
    if (in[1] == '\\' && in[2] >= '0' && in[2] <= '7') {
        *ret_code = (int32_t)strtoul(in + 2, &end, 8);
        in = end;
    } else if (in[1] == '\\' && in[2]) {
        static const char escaped[] = "abtnvfr";
        const char *found = strchr(escaped, in[2]);
        *ret_code = found ? found - escaped + '\a' : in[2];
        in += 3;
    } else {
        *ret_code = in[1];
        in += 2;
    }
    return *in == '\'' && argument_ends(in + 1) ? (size_t)(in + 1 - at) : 0;
}

/* How much has been read; 0: nothing. */
static size_t take_literal(struct spelled *s, const char *at)
{
    const char *end;
    long code;
    size_t cast = cast_length(at), digits = integer_length(at + cast, &end), quoted = character_length(at, &code);

    if (quoted && *at == '\'') {
        put_character(s, code);
        return quoted;
    }
    if (quoted) {
        char text[24];
        put(s, text, (size_t)snprintf(text, sizeof text, "%ld", code));
        return quoted;
    }
    if (!digits)
        return 0;
    if (begins_with(at, "(char)"))
        put_character(s, strtol(at + cast, NULL, 10));
    else
        put(s, at + cast, digits);
    return (size_t)(end - at);
}

/* `{lambda(auto:1, auto:2 const&)#1}`: debug information does not know which of a lambda's parameters have a type of their own.
 * How much has been read; 0: nothing. */
static size_t take_lambda(struct spelled *s, const char *at)
{
    static const char spelled[] = "{lambda(auto)";
    size_t begin = begins_with(at, "{lambda"), length = begin;
    bool is_generic = at[begin] == '<';

    if (!begin)
        return 0;
    for (int depth = 0; at[length]; length++) {
        depth += strchr("<([{", at[length]) != NULL;
        depth -= strchr(">)]}", at[length]) != NULL;
        is_generic |= strncmp(at + length, "auto:", 5) == 0;
        if (depth == 0 && at[length] == ')')
            break;
    }
    if (!is_generic || !at[length] || length + 1 < strlen(spelled))
        return 0;
    put(s, spelled, strlen(spelled));
    s->depth++;
    return length + 1;
}

/* --- the rest --------------------------------------------------------------------------------------- */

/* At a word's beginning. `long unsigned int`, as gcc's debug information has it, is `unsigned long` to demanglers. */
static size_t take_type(struct spelled *s, const char *at)
{
    static const char *const types[][2] = {
        { "typedef __va_list_tag __va_list_tag", "__va_list_tag" }, { "__int128 unsigned", "unsigned __int128" },
        { "long long unsigned int", "unsigned long long" }, { "long unsigned int", "unsigned long" }, { "long long int", "long long" },
        { "long int", "long" }, { "short unsigned int", "unsigned short" }, { "short int", "short" }, { "decltype(nullptr)", "std::nullptr_t" },
        { "decltype (nullptr)", "std::nullptr_t" },
    };

    if (*at != 'l' && *at != 's' && *at != 'd' && *at != 't' && *at != '_')
        return 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t length = begins_with(at, types[i][0]);
        if (!length || is_word(at[length]))
            continue;
        put(s, types[i][1], strlen(types[i][1]));
        return length;
    }
    return 0;
}

/* `main(int, char**)::Token`, as gcc has it in templates' arguments, is `main::Token` to demanglers. There is but one main. */
static size_t take_main(struct spelled *s, const char *at)
{
    size_t name = begins_with(at, "main("), length = name;

    if (!name || ends_in(s, "::"))
        return 0;
    for (int depth = 1; depth && at[length]; length++)
        depth += (at[length] == '(') - (at[length] == ')');
    if (strncmp(at + length, "::", 2) != 0)
        return 0;
    put(s, at, name - 1);
    return length;
}

static bool ends_in_word(const struct spelled *s, const char *word)
{
    size_t length = strlen(word);
    return ends_in(s, word) && ((size_t)(s->to - s->begin) == length || !is_word(s->to[-1 - (ptrdiff_t)length]));
}

/* `void (int)`, but not Rust's `&dyn (A, B)`. */
static bool is_type(const struct spelled *s)
{
    static const char *const words[] = { "for", "as", "mut", "dyn", "const", "impl", "in", "operator" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (ends_in_word(s, words[i]))
            return false;
    return (is_word(last(s)) || strchr(">*&)]", last(s))) && !ends_in(s, "->");
}

static bool is_needless(const struct spelled *s, const char *space)
{
    if (s->depth <= 0 || s->to == s->begin)
        return false;
    if (space[1] == '>')
        return last(s) == '>' && !ends_in(s, "->") && !ends_in(s, "operator>") && !ends_in(s, "operator>>");
    if (space[1] == '[')
        return last(s) == ')';
    return space[1] == '(' && is_type(s) && !begins_with(space + 1, "(anonymous ");
}

/* Of what is an operator's name, and no bracket. */
static size_t sign_length(const struct spelled *s, const char *at)
{
    static const char *const signs[] = { "<=>", "<<=", ">>=", "->*", "<<", ">>", "<=", ">=", "->", "<", ">" };

    if ((*at != '<' && *at != '>' && *at != '-') || !ends_in_word(s, "operator"))
        return 0;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (begins_with(at, signs[i]))
            return strlen(signs[i]);
    return 0;
}

static bool begins_argument(const struct spelled *s)
{
    if (s->depth <= 0 || !strchr("< ", last(s)))
        return false;
    return last(s) == '<' ? !ends_in(s, "operator<") && !ends_in(s, "operator<<") : ends_in(s, ", ");
}

static void put_one(struct spelled *s, char c)
{
    s->depth += c == '<' || c == '(' || c == '[' || c == '{';
    s->depth -= (c == '>' && last(s) != '-') || c == ')' || c == ']' || c == '}';
    *s->to++ = c;
}

size_t spelling_make(char *name)
{
    struct spelled s = { name, name, 0 };

    if (!strpbrk(name, "< ")) /* as most of C's */
        return strlen(name);
    for (const char *at = name; *at;) {
        size_t taken = begins_argument(&s) ? take_literal(&s, at) : 0;
        bool begins_word = !taken && is_word(*at);
        taken = begins_word ? take_type(&s, at) : taken;
        taken = begins_word && !taken ? take_main(&s, at) : taken;
        for (; begins_word && !taken && is_word(*at); at++)
            *s.to++ = *at;
        if (begins_word || taken) {
            at += taken;
            continue;
        }
        size_t sign = sign_length(&s, at);
        taken = *at == '{' ? take_lambda(&s, at) : sign;
        if (sign)
            put(&s, at, sign);
        if (!taken && (*at != ' ' || !is_needless(&s, at)))
            put_one(&s, *at);
        at += taken ? taken : 1;
    }
    *s.to = 0;
    return (size_t)(s.to - name);
}

char *spelling_copy(const char *name)
{
    char *copy = copy_text(name, strlen(name));

    spelling_make(copy);
    return copy;
}
