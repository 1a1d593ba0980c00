#include "analyze/render/suppressions.h"

#include "analyze/symbols/spelling.h"
#include "format/record.h"

#include <errno.h>
#include <string.h>

/* A constructor's stack leads through the loader whosever the constructor is, and getline()
 * is the C library's, though its block is the caller's. So nearly all rules hold only for
 * what these libraries allocate on their own account (own_only), and name functions that
 * keep the block to themselves: none that hands it out. */
static const struct {
    const char *pattern;
    bool for_all;
} builtin[] = {
    /* The loader: its lists, what dlopen loads, thread-local storage; and what constructors
     * of the other two allocate, as the C++ library does for exceptions without memory. */
    { "^*/ld-linux*", false },
    { "^*/ld-musl-*", false },
    { "^_GLOBAL__sub_I_eh_alloc.cc$", true }, /* the same where the C++ library is linked statically */
    { "dlopen", false },
    { "dlmopen", false },
    { "dlsym", false },
    { "dlvsym", false },
    { "dlerror", false },
    /* Buffers of streams that are never closed, such as stdout. */
    { "_IO_file_doallocate", false },
    { "_IO_wfile_doallocate", false },
    /* Time zones, locales, messages: kept for the next call. */
    { "tzset", false },
    { "localtime", false },
    { "mktime", false },
    { "strftime", false },
    { "setlocale", false },
    { "bindtextdomain", false },
    { "textdomain", false },
    { "dcgettext", false },
    { "dcngettext", false },
    /* Users, groups, hosts: in memory of the library's own, and its plug-ins. */
    { "^getpw*", false },
    { "^getgr*", false },
    { "^gethost*", false },
    { "^getserv*", false },
    { "^getproto*", false },
    /* Lists of what is to be done at exit, the environment's copies, threads' keys and stacks. */
    { "__cxa_atexit", false },
    { "__cxa_at_quick_exit", false },
    { "__cxa_thread_atexit", false },
    { "^on_exit$", false },
    { "putenv", false },
    { "setenv", false },
    { "pthread_setspecific", false },
    { "pthread_create", false },
    /* Texts that the next call replaces. */
    { "strerror", false },
    { "strsignal", false },
    { "^syslog", false },
};

static struct suppression *add(struct suppressions *s, const char *pattern, size_t bytes)
{
    s->rules = grow(s->rules, &s->capacity, s->count + 1, sizeof *s->rules);
    s->rules[s->count] = (struct suppression){ .pattern = copy_text(pattern, bytes) };
    return &s->rules[s->count++];
}

void suppressions_add_builtin(struct suppressions *s)
{
    for (size_t i = 0; i < sizeof builtin / sizeof *builtin; i++) {
        struct suppression *rule = add(s, builtin[i].pattern, strlen(builtin[i].pattern));
        rule->is_builtin = true;
        rule->own_only = !builtin[i].for_all;
    }
}

void suppressions_release(struct suppressions *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->rules[i].pattern);
    free(s->rules);
    *s = (struct suppressions){ 0 };
}

/* A line without what surrounds it. */
static char *trim(char *line, size_t bytes)
{
    while (bytes && strchr(" \t\r\n", line[bytes - 1]))
        bytes--;
    line[bytes] = 0;
    return line + strspn(line, " \t");
}

int suppressions_read(struct suppressions *s, const char *path, struct failure *ret_failure)
{
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    _cleanup_free_ char *line = NULL;
    size_t capacity = 0, number = 0;

    if (!file)
        return fail(ret_failure, errno, "%s: cannot open: %s", path, strerror(errno));
    for (ssize_t bytes; (bytes = getline(&line, &capacity, file)) >= 0;) {
        number++;
        if (memchr(line, 0, (size_t)bytes))
            return fail(ret_failure, EINVAL, "%s:%zu: not text", path, number);
        const char *rule = trim(line, (size_t)bytes);
        if (!*rule || *rule == '#')
            continue;
        if (strncmp(rule, "leak:", 5) != 0) /* of an empty pattern all is a match, LeakSanitizer's too */
            return fail(ret_failure, EINVAL, "%s:%zu: want leak:PATTERN or a # comment, not %.200s", path, number, rule);
        struct suppression *added = add(s, rule + 5, strlen(rule + 5));
        spelling_make(added->pattern);
    }
    if (ferror(file))
        return fail(ret_failure, errno, "%s: cannot read: %s", path, strerror(errno));
    return 0;
}

/* Where the part is first found; NULL: nowhere. */
static const char *find_part(const char *text, const char *part, size_t bytes)
{
    for (; strncmp(text, part, bytes) != 0; text++)
        if (!*text)
            return NULL;
    return text;
}

bool suppression_matches(const char *pattern, const char *text)
{
    bool at_beginning = *pattern == '^', after_star = false;

    if (!*text)
        return false;
    pattern += at_beginning;
    while (*pattern && *pattern != '$') {
        if (*pattern == '*') {
            at_beginning = false;
            after_star = true;
            pattern++;
            continue;
        }
        size_t bytes = strcspn(pattern, "*$");
        const char *found = *text ? find_part(text, pattern, bytes) : NULL;
        if (!found || (at_beginning && found != text))
            return false;
        text = found + bytes;
        pattern += bytes;
        at_beginning = after_star = false;
    }
    return !*pattern || !*text || after_star;
}

struct suppression *suppressions_find(struct suppressions *s, const struct suppressible *frame, bool own)
{
    const char *const texts[] = { frame->module, frame->function, frame->source };

    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
        for (size_t i = 0; texts[k] && i < s->count; i++)
            if ((own || !s->rules[i].own_only) && suppression_matches(s->rules[i].pattern, texts[k]))
                return &s->rules[i];
    return NULL;
}

const char *suppressions_interceptor(unsigned function)
{
    return function == REC_FN_NEW ? "operator new(unsigned long)" : rec_function_name(function);
}

static bool begins_with_one_of(const char *text, const char *const *beginnings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(text, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool suppressions_is_operator_new(const char *signature, const char *module)
{
    static const char *const operators[] = { "operator new(", "operator new[](" };
    static const char *const libraries[] = { "libstdc++.so.", "libc++.so.", "libc++abi.so." };

    return signature && begins_with_one_of(signature, operators, sizeof operators / sizeof *operators) &&
           begins_with_one_of(file_name(module), libraries, sizeof libraries / sizeof *libraries);
}

bool suppressions_is_own(const char *module)
{
    static const char *const names[] = { "libc.so.", "libc-2.", "libpthread.so.", "libpthread-2.", "libdl.so.", "libdl-2.",
                                         "ld-linux", "ld-2.", "ld-musl-", "libstdc++.so." };

    return begins_with_one_of(file_name(module), names, sizeof names / sizeof *names);
}
