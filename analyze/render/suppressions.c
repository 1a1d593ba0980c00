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
    { "^_nl_find_locale$", false },
    { "^__wcsmbs_load_conv$", false },
    { "bindtextdomain", false },
    { "textdomain", false },
    { "^__dcigettext$", false },
    /* Conversions: what has been loaded; not the steps of one, which iconv_close() frees. */
    { "^__gconv_find_shlib$", false },
    { "^__gconv_load_cache$", false },
    { "^__gconv_read_conf$", false },
    { "^find_derivation$", false },
    /* Users, groups, hosts, networks: in memory of the library's own, and its plug-ins; not getaddrinfo()'s answer. */
    { "^getpw*", false },
    { "^getgr*", false },
    { "^gethost*", false },
    { "^getnet*", false },
    { "^getserv*", false },
    { "^getproto*", false },
    { "^getrpc*", false },
    { "^getalias*", false },
    { "^getsp*", false },
    { "^getsg*", false },
    { "^getut*", false },
    { "^fgetpw*", false },
    { "^fgetgr*", false },
    { "^getusershell$", false },
    { "^ttyname$", false },
    { "^__nss_files_data_get$", false }, /* setpwent() and the like */
    { "nss_database", false },
    { "^__nss_module_*", false },
    { "^_nss_dns_gethost*", false },
    { "^__resolv_context_*", false },
    { "^__resolv_conf_get_current$", false }, /* not __resolv_conf_attach(), for the caller's res_state */
    { "^resolv_conf_array_add$", false },
    { "^__check_pf$", false },
    { "^gaiconf_init$", false },
    { "^getmntent$", false },
    { "^fstab_init$", false },
    /* Requests that later ones use again. */
    { "^__aio_enqueue_request$", false },
    { "^__gai_enqueue_request$", false },
    /* The C++ library: what a locale has by name (the object that holds it is whoever's that made it), and what its
     * facets work out at their first use; buffers of the standard streams. The first and the last call nobody else's functions,
     * and are the same in a program that has the library linked in. */
    { "^std::locale::locale(", true },
    { "::num_get<", false },
    { "::num_put<", false },
    { "::money_get<", false },
    { "::money_put<", false },
    { "^std::ios_base::sync_with_stdio(", true },
    /* Lists of what is to be done at exit, the environment's copies, threads' keys and stacks. */
    { "__cxa_atexit", false },
    { "__cxa_at_quick_exit", false },
    { "__cxa_thread_atexit", false },
    { "^on_exit$", false },
    { "putenv", false },
    { "setenv", false },
    { "pthread_setspecific", false },
    { "^pthread_create", false }, /* not of nptl/pthread_create.c: there threads begin */
    { "^__pthread_create", false },
    { "^__register_atfork$", false },
    { "^register_printf_*", false },
    { "^addseverity$", false },
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

/* Also as the compiler names a part of it: call_init.part.0. */
static bool is_one_of(const char *function, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t bytes = strlen(names[i]);
        if (strncmp(function, names[i], bytes) == 0 && (!function[bytes] || function[bytes] == '.'))
            return true;
    }
    return false;
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

bool suppressions_is_own(const struct suppressible *frame)
{
    static const char *const names[] = { "libc.so.", "libc-2.", "libpthread.so.", "libpthread-2.", "libdl.so.", "libdl-2.",
                                         "ld-linux", "ld-2.", "ld-musl-", "libstdc++.so." };
    static const char *const users[] = { "^std::*buf<*flow(", "std::*basic_string<*>::", "^std::string::", "^std::wstring::" };

    if (!frame->module || !begins_with_one_of(file_name(frame->module), names, sizeof names / sizeof *names))
        return false;
    for (size_t i = 0; frame->function && i < sizeof users / sizeof *users; i++)
        if (suppression_matches(users[i], frame->function))
            return false;
    return true;
}

static bool is_loader(const char *module)
{
    static const char *const names[] = { "ld-linux", "ld-2." };

    return module && begins_with_one_of(file_name(module), names, sizeof names / sizeof *names);
}

bool suppressions_hides_caller(const struct suppressible *callee, const struct suppressible *caller)
{
    static const char *const callers[] = { "call_init", "_dl_init", "call_destructors", "call_fini", "_dl_fini", "_dl_call_fini" };

    if (!is_loader(caller->module) || !caller->function || !is_one_of(caller->function, callers, sizeof callers / sizeof *callers))
        return false;
    if (!callee || !callee->module || strncmp(file_name(callee->module), "libstdc++.so.", strlen("libstdc++.so.")) != 0)
        return !callee || !is_loader(callee->module);
    return callee->function && strncmp(callee->function, "_GLOBAL__sub_I_", strlen("_GLOBAL__sub_I_")) != 0;
}
