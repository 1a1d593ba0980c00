#include "analyze/render/text.h"

#include "analyze/util.h"
#include "format/layout.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BUFFERS 32
#define BUFFER_BYTES 512

static char *next_buffer(void)
{
    static char buffers[BUFFERS][BUFFER_BYTES];
    static unsigned at;
    return buffers[at++ % BUFFERS];
}

const char *text_count(uint64_t count)
{
    char *at = next_buffer() + 32;

    *at = 0;
    for (int digits = 0;; digits++) {
        if (digits && digits % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + count % 10);
        count /= 10;
        if (!count)
            return at;
    }
}

const char *text_stop_reason(uint32_t reason)
{
    switch (reason) {
    case 0:
        return "";
    case REC_STOP_LIMIT:
        return "the log had reached its limit (--max-log)";
    case REC_STOP_SANDBOX:
        return "the program had forbidden itself system calls (seccomp)";
    case REC_STOP_CLOCK:
        return "the program had forbidden itself the clock (PR_SET_TSC or strict seccomp)";
    case ESTALE:
        return "the log was deleted, or replaced by another file, while the program ran";
    default:
        return strerror((int)reason);
    }
}

const char *text_lost_events(uint64_t count, uint32_t reason)
{
    char *text = next_buffer();

    snprintf(text, BUFFER_BYTES, "%s %s logged%s%s", text_counted(count, "event"),
             reason != REC_STOP_LIMIT ? "could not be" : count == 1 ? "was not" : "were not", reason ? ": " : "", text_stop_reason(reason));
    return text;
}

const char *text_lost_programs(uint64_t count)
{
    char *text = next_buffer();

    snprintf(text, BUFFER_BYTES, "%s %s executed that could not be recorded: no memory, or no room or no right to "
             "make a file beside the log", text_counted(count, "program"), count == 1 ? "was" : "were");
    return text;
}

const char *text_bytes(uint64_t bytes)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    char *text = next_buffer();
    double value = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 10000) {
        snprintf(text, BUFFER_BYTES, "%s B", text_count(bytes));
        return text;
    }
    for (; value >= 999.95 && unit < 5; unit++)
        value /= 1024;
    snprintf(text, BUFFER_BYTES, "%.1f %s", value, units[unit]);
    return text;
}

const char *text_share(uint64_t part, uint64_t whole)
{
    char *text = next_buffer();

    if (!whole)
        return "-";
    /* 100.0 and 0.0 are for all and nothing only. */
    double share = 100.0 * (double)part / (double)whole;
    if (part && share < 0.05)
        return "<0.1";
    if (part < whole && share >= 99.95)
        return ">99.9";
    snprintf(text, BUFFER_BYTES, "%.1f", share);
    return text;
}

const char *text_duration(uint64_t us)
{
    char *text = next_buffer();

    if (us < 1000)
        snprintf(text, BUFFER_BYTES, "%u us", (unsigned)us);
    else if (us < 1000000)
        snprintf(text, BUFFER_BYTES, "%.1f ms", (double)us / 1e3);
    else
        snprintf(text, BUFFER_BYTES, "%.3f s", (double)us / 1e6);
    return text;
}

const char *text_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

bool text_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

const char *text_about(bool is_estimate)
{
    return !is_estimate ? "" : text_is_utf8() ? "≈" : "~";
}

const char *text_error(uint64_t error, bool is_bytes)
{
    char *text = next_buffer();

    if (!error)
        return "";
    snprintf(text, BUFFER_BYTES, " %s %s", text_is_utf8() ? "±" : "+-", is_bytes ? text_bytes(error) : text_count(error));
    return text;
}

const char *text_bar(double value, int columns)
{
    static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
    bool unicode = text_is_utf8();
    char *text = next_buffer(), *at = text;

    if (columns > BUFFER_BYTES / 3 - 2)
        columns = BUFFER_BYTES / 3 - 2;
    int parts = (int)(value * columns * 8 + 0.5);
    if (parts < 1 && value > 0)
        parts = 1;
    if (!unicode)
        parts = (parts + 7) / 8 * 8;
    for (; parts >= 8; parts -= 8)
        at = stpcpy(at, unicode ? "█" : "#");
    strcpy(at, unicode ? eighths[parts] : "");
    return text;
}

int text_columns(void)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    int count = columns ? atoi(columns) : 0;

    if (count <= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        count = size.ws_col;
    return count >= 40 ? count : 80;
}

const char *text_noun(uint64_t count, const char *word)
{
    size_t bytes = strlen(word);
    char *text = next_buffer(), last = word[bytes - 1];
    bool is_y = count != 1 && last == 'y';

    snprintf(text, BUFFER_BYTES, "%.*s%s", (int)(bytes - is_y), word, count == 1 ? "" : is_y ? "ies" : last == 's' ? "es" : "s");
    return text;
}

const char *text_counted(uint64_t count, const char *word)
{
    char *text = next_buffer();

    snprintf(text, BUFFER_BYTES, "%s %s", text_count(count), text_noun(count, word));
    return text;
}

/* Where the next line begins: behind the last space that lets this one fit, one after a comma or semicolon first. */
static const char *break_line(const char *text, const char *end, int columns)
{
    const char *clause = NULL, *word = NULL;
    int width = 0;

    for (const char *at = text; at < end; at++) {
        if (*at == ' ' && at > text && at[-1] != ' ' && at[1] != '%') { /* a number stays with its % */
            if (width > columns && (clause || word))
                return clause ? clause : word;
            word = at + 1;
            if (at[-1] == ',' || at[-1] == ';')
                clause = word;
        }
        width += ((unsigned char)*at & 0xc0) != 0x80;
    }
    return width > columns && (clause || word) ? clause ? clause : word : end;
}

size_t text_characters(const char *text, size_t bytes)
{
    size_t count = 0;

    for (size_t i = 0; i < bytes; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

int text_width(const char *text)
{
    return (int)text_characters(text, strlen(text));
}

void text_write_wrapped_from(FILE *to, int used, const char *text, const char *indent)
{
    int columns = text_columns();

    while (*text) {
        const char *end = strchrnul(text, '\n'), *next = break_line(text, end, columns - used), *shown = next;
        while (next < end && shown > text && shown[-1] == ' ')
            shown--;
        fwrite(text, 1, (size_t)(shown - text), to);
        if (next < end || *end)
            fputc('\n', to);
        text = next < end ? next : end + (*end != 0);
        used = next < end ? text_width(indent) : 0;
        if (used)
            fputs(indent, to);
    }
}

void text_write_wrapped(FILE *to, const char *text, const char *indent)
{
    text_write_wrapped_from(to, 0, text, indent);
}

void text_print_wrapped(const char *indent, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) >= 0)
        text_write_wrapped(stdout, text, indent);
    va_end(arguments);
    free(text);
}

json_t *text_json(const char *text)
{
    json_t *result = json_string(text);

    if (result)
        return result;
    char *copy = strdup(text);
    for (char *at = copy; at && *at; at++)
        if (*at & 0x80)
            *at = '?';
    result = json_string(copy);
    free(copy);
    return result;
}

json_t *text_json_number(uint64_t number)
{
    return number <= INT64_MAX ? json_integer((json_int_t)number) : json_real((double)number);
}

/* How many bytes of the text are one character that a terminal shows: no control, none of the
 * C1 set either, and none that changes the direction or begins a line. 0: none. */
static size_t character_bytes(const unsigned char *text, size_t bytes)
{
    static const uint32_t least[] = { 0, 0, 0xa0, 0x800, 0x10000 };
    size_t count = text[0] < 0x80 ? 1 : text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;

    if (count == 1)
        return text[0] >= 32 && text[0] != 127;
    if (text[0] < 0xc2 || text[0] > 0xf4 || count > bytes)
        return 0;
    uint32_t code = text[0] & (0x7fu >> count);
    for (size_t i = 1; i < count; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    /* Line and paragraph separators come before those that change the direction. */
    bool is_layout = (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    bool is_character = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) && (code & 0xfffe) != 0xfffe;
    return code >= least[count] && is_character && !is_layout ? count : 0;
}

static void write_safe(FILE *to, const char *text, size_t bytes)
{
    bool utf8 = text_is_utf8();

    for (size_t i = 0; i < bytes;) {
        size_t shown = character_bytes((const unsigned char *)text + i, bytes - i);
        if (shown > 1 && !utf8)
            shown = 0;
        if (shown)
            fwrite(text + i, 1, shown, to);
        else
            fprintf(to, "\\x%02x", (unsigned char)text[i]);
        i += shown ? shown : 1;
    }
}

void text_print_safe(const char *text, size_t bytes)
{
    write_safe(stdout, text, bytes);
}

void text_write_safe(FILE *to, const char *text)
{
    write_safe(to, text, strlen(text));
}

char *text_make_safe(char *text)
{
    size_t bytes = strlen(text);

    for (size_t i = 0; i < bytes;) {
        size_t shown = character_bytes((const unsigned char *)text + i, bytes - i);
        if (!shown)
            text[i] = '?';
        i += shown ? shown : 1;
    }
    return text;
}

bool text_is_safe(const char *text)
{
    size_t bytes = strlen(text), shown = 1;

    for (size_t i = 0; i < bytes && shown; i += shown)
        shown = character_bytes((const unsigned char *)text + i, bytes - i);
    return shown;
}

char *text_safe_utf8(const char *text, size_t most)
{
    static const char digits[] = "0123456789abcdef", dots[] = "…";
    size_t bytes = strlen(text);
    char *copy = alloc_unset(4 * bytes + sizeof dots), *to = copy;

    for (size_t i = 0, count = 1; i < bytes; count++) {
        size_t shown = character_bytes((const unsigned char *)text + i, bytes - i), step = shown ? shown : 1;
        if (count >= most && i + step < bytes) {
            memcpy(to, dots, sizeof dots - 1);
            to += sizeof dots - 1;
            break;
        }
        const char escaped[] = { '\\', 'x', digits[(unsigned char)text[i] >> 4], digits[text[i] & 15] };
        memcpy(to, shown ? text + i : escaped, shown ? shown : sizeof escaped);
        to += shown ? shown : sizeof escaped;
        i += step;
    }
    *to = 0;
    return copy;
}
