/* analyze/check: what the outputs say of verdicts made by hand, to the letter, and where they say a
 * culprit is. What parsers and renderers make of it is in tests/cli/test_check_outputs.py. */
#include "analyze/check/outputs.h"
#include "analyze/check/wording.h"
#include "analyze/render/text.h"

#include "tests/unit/check.h"
#include "tests/unit/made_verdict.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

typedef void writer(FILE *to, const struct verdict *v);

static char *written(writer *write, const char *name)
{
    struct verdict v;
    char *text = NULL;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);

    if (!CHECK(to && made_verdict(name, &v)))
        return NULL;
    write(to, &v);
    fclose(to);
    verdict_release(&v);
    return text;
}

static bool says(const char *text, const char *wanted)
{
    bool found = strstr(text, wanted) != NULL;
    if (!found)
        printf("no %s in:\n%s\n", wanted, text);
    return found;
}

static void test_safe_utf8(void)
{
    static const struct {
        const char *text;
        size_t most;
        const char *wanted;
    } cases[] = {
        { "", 5, "" }, { "plain", 5, "plain" }, { "plainer", 5, "plai…" }, { "\xc3\xa9\xc3\xa9\xc3\xa9", 2, "é…" }, { "\xc3\xa9\xc3\xa9", 2, "éé" },
        { "a\nb\x1b\x7f", 99, "a\\x0ab\\x1b\\x7f" }, { "\xff\xc3", 99, "\\xff\\xc3" }, { "\xed\xa0\x80", 99, "\\xed\\xa0\\x80" },
        { "\xef\xbf\xbf", 99, "\\xef\\xbf\\xbf" }, { "\xe2\x80\xa8", 99, "\\xe2\\x80\\xa8" }, { "\xe2\x80\xae", 99, "\\xe2\\x80\\xae" }, { "\n\n\n", 2, "\\x0a…" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_free_ char *got = text_safe_utf8(cases[i].text, cases[i].most);
        if (!CHECK(strcmp(got, cases[i].wanted) == 0))
            printf("case %zu: %s\n", i, got);
    }
}

static void write_source(const char *path, const char *text)
{
    FILE *to = fopen(path, "w");
    CHECK(to && fputs(text, to) >= 0 && fclose(to) == 0);
}

static void test_sources(void)
{
    static const struct {
        const char *function, *text;
        uint32_t line;
        bool has;
    } cases[] = {
        { "parse", "int parse(void) { return 0; }\n", 1, true }, { "parse", "int parse(void) { return 0; }\n", 2, false }, { "parse", "\nint parse(void)\n", 1, false },
        { "parse", "  x = parse(1);\n", 1, false }, { "parse", "int sparse(void) {\n", 1, false }, { "a::parse::{lambda(int)#2}::operator()", "void parse() {\n", 1, true },
        { "main::$_0::operator()", "int main() {\n", 1, true }, { "a::b<c<d>>::~e", "b::~e() {\n", 1, true }, { "<T as x::Y>::new", "fn new(a: u8) -> T {\n", 1, true },
        { "x::{{closure}}", "fn x<T>(t: T) {\n", 1, true }, { "operator new", "int new(void) {\n", 1, false }, { "a::operator<<", "void a(void) {\n", 1, true },
        { "prog+0x12", "int prog(void) {\n", 1, false }, { "", "int main(void) {\n", 1, false },
    };
    char tree[] = "/tmp/test_check_outputs.XXXXXX";

    if (!CHECK(mkdtemp(tree)))
        return;
    _cleanup_free_ char *path = format_text("%s/file", tree);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_source(path, cases[i].text);
        if (!CHECK(wording_source_has(tree, "file", cases[i].function, cases[i].line) == cases[i].has))
            printf("case %zu\n", i);
    }
    CHECK(unlink(path) == 0 && rmdir(tree) == 0);
}

/* In a tree of sources of the test's own. */
static void test_paths(void)
{
    char tree[] = "/tmp/test_check_outputs.XXXXXX", old[PATH_MAX];
    static const struct {
        const char *file, *wanted;
        bool inside;
    } cases[] = {
        { "%s/src/parser.c", "src/parser.c", true }, { "%s/build/../src/./parser.c", "src/parser.c", true }, { "%s//src/none.c", "src/none.c", true },
        { "src/parser.c", "src/parser.c", true }, { "../src/parser.c", "src/parser.c", true }, { "../top.c", "top.c", true },
        { "../../x/../../src/parser.c", "src/parser.c", true }, { "/build/x/src/parser.c", "src/parser.c", true }, { "/build/top.c", "/build/top.c", false },
        { "/build/x/src/other.c", "/build/x/src/other.c", false }, { "../src/other.c", "../src/other.c", false }, { "src/other.c", "src/other.c", true },
        { "/build/src/src/twice.c", "/build/src/src/twice.c", false },
        { "/usr/include/src/parser.c", "/usr/include/src/parser.c", false }, { "%snot/src/none.c", "%snot/src/none.c", false }, { "/../..", "/", false },
        { "none.c", "none.c", false }, { "", "", false }, { "..", "..", false }, { "/", "/", false },
    };

    if (!CHECK(getcwd(old, sizeof old) && mkdtemp(tree) && chdir(tree) == 0 && mkdir("src", 0700) == 0 && mkdir("build", 0700) == 0))
        return;
    CHECK(mkdir("src/src", 0700) == 0);
    write_source("src/parser.c", "#include <x.h>\nstatic void *parse (int n)\n{\n    return malloc(n);\n}\n");
    write_source("src/other.c", "#include <x.h>\nvoid unlike(void)\n{\n    parse(1);\n    parsed();\n}\n"); /* another project's, of the same name */
    write_source("src/twice.c", "void parse(void)\n{\n}\n\n");
    write_source("src/src/twice.c", "void parse(void)\n{\n}\n\n");
    write_source("top.c", "void parse(void)\n{\n}\n\n");
    for (int where = 0; where < 4; where++) { /* named by GitHub, by GitLab, the directory itself, a repository around it */
        unsetenv("GITHUB_WORKSPACE");
        unsetenv("CI_PROJECT_DIR");
        _cleanup_free_ char *named = format_text("%s/", tree);
        if (where < 2)
            setenv(where ? "CI_PROJECT_DIR" : "GITHUB_WORKSPACE", named, 1);
        if (where == 3)
            CHECK(mkdir(".git", 0700) == 0 && chdir("build") == 0);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            char file[PATH_MAX], wanted[PATH_MAX], function[] = "v::(anonymous namespace)::T<int>::parse<char>";
            bool inside;
            snprintf(file, sizeof file, cases[i].file, tree);
            snprintf(wanted, sizeof wanted, cases[i].wanted, tree);
            _cleanup_free_ char *got = wording_path(&(struct verdict_frame){ .function = function, .file = file, .line = 4 }, &inside);
            if (!CHECK(strcmp(got, wanted) == 0 && inside == cases[i].inside))
                printf("%s: %s, %d\n", file, got, inside);
        }
    }
    CHECK(chdir(tree) == 0 && unlink("src/parser.c") == 0 && unlink("top.c") == 0 && unlink("src/other.c") == 0 &&
          unlink("src/twice.c") == 0 && unlink("src/src/twice.c") == 0 && rmdir("src/src") == 0 && rmdir("src") == 0 && rmdir("build") == 0 && rmdir(".git") == 0);
    CHECK(chdir(old) == 0 && rmdir(tree) == 0);
}

/* The tree has src/parser.c and src/load.c, as the made verdicts name them. */
static void test_github(void)
{
    char tree[] = "/tmp/test_check_outputs.XXXXXX";
    static const char *const files[] = { "src/parser.c", "src/load.c", "src/race.c" };

    if (!CHECK(mkdtemp(tree) && setenv("GITHUB_WORKSPACE", tree, 1) == 0))
        return;
    _cleanup_free_ char *src = format_text("%s/src", tree);
    CHECK(mkdir(src, 0700) == 0);
    for (size_t i = 0; i < 3; i++) {
        _cleanup_free_ char *path = format_text("%s/%s", tree, files[i]);
        fclose(fopen(path, "w"));
    }
    _cleanup_free_ char *text = written(check_write_github, "regression");
    CHECK(strcmp(text, "::error file=src/parser.c,line=42,title=allocations +10%2C bytes +448::allocations: 110 calls, baseline 100 (+10, +10.0 %25), at most 101 (baseline + 1)%0A"
                       "  here 0 → 7 calls (+7, new)%0A    in std::allocator<int>::allocate(unsigned long)  /usr/include/c++/12/bits/new_allocator.h:137%0A"
                       "      from json_parse  src/parser.c:42%0A      from load  src/load.c:7%0A"
                       "  here 5 → 8 calls (+3)%0A    in std::allocator<int>::allocate(unsigned long)  /usr/include/c++/12/bits/new_allocator.h:137%0A"
                       "      from json_parse  src/parser.c:42%0A      from reload  src/load.c:8%0A"
                       "bytes: 13,760 bytes, baseline 13,312 (+448, +3.4 %25), at most 13,313 (baseline + 1)%0A"
                       "  here 0 → 448 bytes (+448, new)%0A    in json_parse  src/parser.c:42\n") == 0 ||
          (puts(text), false));
    free(text);
    text = written(check_write_github, "unstable");
    CHECK(says(text, "::error file=src/race.c,line=9,title=allocations unstable::allocations: 100 to 131 over 3 runs, more than the tolerance of 1: "
                     "--tolerance allocations=31 takes it%0A  here 5 to 36 calls from run to run"));
    CHECK(!says(text, "\n::error")); /* it is told once */
    free(text);
    text = written(check_write_github, "improvement");
    CHECK(says(text, "::notice title=allocations -20::allocations: 80 calls, baseline 100 (-20, -20.0 %25), at most 101 (baseline + 1)%0A  20 → 0 calls (-20, gone)%0A    in copies  in prog\n"));
    free(text);
    text = written(check_write_github, "improvement-fails");
    CHECK(strncmp(text, "::error title=", 14) == 0);
    free(text);
    text = written(check_write_github, "nothing");
    CHECK(strcmp(text, "::error title=malloscope check%3A no events::./prog allocated nothing, where the baseline has 100 allocations\n") == 0);
    free(text);
    text = written(check_write_github, "within");
    CHECK(!*text);
    for (size_t i = 0; i < 3; i++) {
        _cleanup_free_ char *path = format_text("%s/%s", tree, files[i]);
        unlink(path);
    }
    CHECK(rmdir(src) == 0 && rmdir(tree) == 0);
    unsetenv("GITHUB_WORKSPACE");
}

static void test_tap(void)
{
    _cleanup_free_ char *text = written(check_write_tap, "unstable");

    CHECK(strncmp(text, "TAP version 13\n1..3\nok 1 - measured\nnot ok 2 - allocations\n# allocations: 100 to", 60) == 0);
    CHECK(says(text, "\n#   5 to 36 calls from run to run\n#     in racer  src/race.c:9\nok 3 - peak # SKIP not measured\n"));
    free(text);
    text = written(check_write_tap, "within");
    CHECK(says(text, "ok 2 - allocations\n# 100 calls, baseline 100 (as before), at most 101 (baseline + 1)\nok 3 - peak # SKIP nothing to compare it with\n# 4,096 bytes\n"));
    free(text);
    text = written(check_write_tap, "nothing");
    CHECK(says(text, "\nnot ok 1 - measured\n# ./prog allocated nothing"));
}

static void test_ready(void)
{
    struct failure failure = { 0 };
    const char *const none[] = { NULL }, *const inputs[] = { "/dev/null/x", "/tmp", "same.json", NULL };
    const struct {
        struct check_outputs o;
        const char *wanted;
    } cases[] = {
        { { .json = true, .tap = true }, "only one of" }, { { .json = true, .junit = "-" }, "only one of" }, { { .junit = "--json" }, "--junit: --json is no file" },
        { { .markdown = "/dev/null/x" }, "--markdown: cannot write /dev/null/x: Not a directory" }, { { .junit = "same.json" }, "--junit: same.json is read" },
        { { .benchmark_json = "/nowhere/at/all" }, "No such file" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(check_outputs_ready(&cases[i].o, i == 4 ? inputs : none, &failure) < 0 && says(failure.text, cases[i].wanted));
    CHECK(check_outputs_ready(&(struct check_outputs){ .json = true, .junit = "/dev/null", .markdown = "/dev/null" }, none, &failure) == 0);
    struct verdict v;
    made_regression(&v);
    CHECK(check_outputs_write(&(struct check_outputs){ .junit = "/dev/full" }, &v, &failure) < 0 && says(failure.text, "--junit: not all was written to /dev/full: No space left"));
    verdict_release(&v);
}

int main(void)
{
    unsetenv("CI_PROJECT_DIR");
    test_safe_utf8();
    test_sources();
    test_paths();
    test_github();
    test_tap();
    test_ready();
    return check_summary();
}
