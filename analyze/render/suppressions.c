#include "analyze/render/suppressions.h"

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
        if (strncmp(rule, "leak:", 5) != 0 || !rule[5])
            return fail(ret_failure, EINVAL, "%s:%zu: want leak:PATTERN or a # comment, not %.200s", path, number, rule);
        add(s, rule + 5, strlen(rule + 5));
    }
    if (ferror(file))
        return fail(ret_failure, errno, "%s: cannot read: %s", path, strerror(errno));
    return 0;
}

/* Whether the text begins with the pattern up to its next * or its end; `at_end`: and ends there, too. */
static bool begins_with(const char *text, const char *part, size_t bytes, bool at_end)
{
    return strncmp(text, part, bytes) == 0 && (!at_end || !text[bytes]);
}

/* Of the parts between the *s each is taken where it is found first; one that has to be at the end, there. */
bool suppression_matches(const char *pattern, const char *text)
{
    bool at_beginning = *pattern == '^';
    size_t bytes = strlen(pattern += at_beginning), part;
    bool at_end = bytes && pattern[bytes - 1] == '$';
    const char *end = pattern + bytes - at_end;

    if (!*text)
        return false;
    for (;; pattern += part + 1, at_beginning = false) {
        const char *star = memchr(pattern, '*', (size_t)(end - pattern));
        part = (size_t)((star ? star : end) - pattern);
        bool is_last = at_end && !star;
        while (!begins_with(text, pattern, part, is_last)) {
            if (at_beginning || !*text)
                return false;
            text++;
        }
        if (!star)
            return true;
        text += part;
    }
}

struct suppression *suppressions_find(struct suppressions *s, const struct suppressible *frame, bool own)
{
    const char *const texts[] = { frame->function, frame->signature, frame->source, frame->module };

    for (size_t i = 0; i < s->count; i++)
        for (size_t k = 0; (own || !s->rules[i].own_only) && k < sizeof texts / sizeof *texts; k++)
            if (texts[k] && suppression_matches(s->rules[i].pattern, texts[k]))
                return &s->rules[i];
    return NULL;
}

bool suppressions_is_own(const char *module)
{
    static const char *const names[] = { "libc.so.", "libc-2.", "libpthread.so.", "libpthread-2.", "libdl.so.", "libdl-2.",
                                         "ld-linux", "ld-2.", "ld-musl-", "libstdc++.so." };
    const char *slash = strrchr(module, '/');

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(slash ? slash + 1 : module, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}
