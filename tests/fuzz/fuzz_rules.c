/* A libFuzzer target for suppression files: a line that is a name, then the file. What a rule
 * matches, fnmatch() matches as well; and the other way round, where the rule has no $: what
 * has to be at the end is, as by LeakSanitizer, looked for at its first place only. */
#include "analyze/render/suppressions.h"

#include <fnmatch.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define STARS_MAX 6 /* fnmatch() goes back for each */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char rules_path[PATH_MAX];

static void demand(bool condition, const char *what, const char *pattern, const char *text)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz_rules: not so: %s: %s, %s\n", what, pattern, text);
    abort();
}

/* The same rule as fnmatch() wants it. */
static bool oracle(const char *pattern, const char *text)
{
    bool at_beginning = *pattern == '^';
    size_t bytes = strcspn(pattern += at_beginning, "$");
    bool at_end = pattern[bytes];
    _cleanup_free_ char *shell = alloc_zeroed(1, 2 * bytes + 3);
    char *to = shell;

    if (!at_beginning)
        *to++ = '*';
    for (; bytes--; *to++ = *pattern++)
        if (*pattern != '*')
            *to++ = '\\';
    if (!at_end)
        *to++ = '*';
    return *text && fnmatch(shell, text, 0) == 0;
}

static size_t stars(const char *pattern)
{
    size_t count = 0;

    for (; *pattern; pattern++)
        count += *pattern == '*';
    return count;
}

static void ask(struct suppressions *rules, const char *text)
{
    const struct suppressible frame = { .function = text, .module = text };
    const struct suppression *found = suppressions_find(rules, &frame, suppressions_is_own(&frame)), *first = NULL;

    for (size_t i = 0; i < rules->count; i++) {
        const char *pattern = rules->rules[i].pattern;
        bool matches = suppression_matches(pattern, text);
        if (stars(pattern) <= STARS_MAX && (matches || !strchr(pattern, '$')))
            demand(matches == oracle(pattern, text), "fnmatch says otherwise", pattern, text);
        first = matches && !first ? &rules->rules[i] : first;
    }
    demand(found == first, "the first rule counts", "", text);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *temporary = getenv("TMPDIR");

    (void)argc;
    (void)argv;
    snprintf(rules_path, sizeof rules_path, "%s/fuzz_rules-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    int fd = mkstemp(rules_path);
    demand(fd >= 0 && unlink(rules_path) == 0, "a file can be made", "", rules_path);
    snprintf(rules_path, sizeof rules_path, "/proc/self/fd/%d", fd);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct suppressions rules = { 0 };
    struct failure failure = { "" };
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;

    if (!line)
        return -1;
    _cleanup_free_ char *text = copy_text((const char *)data, (size_t)(line - data));
    size_t bytes = size - (size_t)(line + 1 - data);
    demand(truncate(rules_path, 0) == 0, "a file can be emptied", "", "");
    FILE *file = fopen(rules_path, "we");
    demand(file && fwrite(line + 1, 1, bytes, file) == bytes && fclose(file) == 0, "a file can be written", "", "");
    int error = suppressions_read(&rules, rules_path, &failure);
    demand(!error == !*failure.text, "a failure has a reason", "", failure.text);
    ask(&rules, text);
    suppressions_release(&rules);
    return 0;
}
