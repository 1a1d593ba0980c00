/* Pictures of sizes. The truth: the files' magic numbers and PNG's own header,
 * bars and texts worked out by hand, and gnuplot itself on the kept script.
 * Without gnuplot the test is skipped (77). */
#include "analyze/render/plot_sizes.h"

#include "tests/unit/check.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[] = "/tmp/malloscope-test-plot-XXXXXX";

static char *path_of(const char *name)
{
    return format_text("%s/%s", base, name);
}

static void write_text(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    if (CHECK(file)) {
        fputs(text, file);
        fclose(file);
        chmod(path, mode);
    }
}

/* A file's bytes, with a 0 after them; of a file that is not there, none. */
static char *read_bytes(const char *path, size_t *ret_bytes)
{
    _cleanup_fclose_ FILE *file = fopen(path, "r");
    char *bytes = calloc(1, 4 << 20);

    *ret_bytes = file ? fread(bytes, 1, (4 << 20) - 1, file) : 0;
    return bytes;
}

static bool file_is(const char *path, const char *expected)
{
    size_t bytes;
    _cleanup_free_ char *text = read_bytes(path, &bytes);
    return strcmp(text, expected) == 0;
}

static bool file_has(const char *path, const char *part)
{
    size_t bytes;
    _cleanup_free_ char *text = read_bytes(path, &bytes);
    return strstr(text, part) != NULL;
}

static size_t lines_of(const char *path)
{
    size_t bytes, lines = 0;
    _cleanup_free_ char *text = read_bytes(path, &bytes);

    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    return lines;
}

static int entries_in(const char *directory)
{
    DIR *opened = opendir(directory);
    int count = -2; /* . and .. */

    while (opened && readdir(opened))
        count++;
    if (opened)
        closedir(opened);
    return count;
}

/* Is it a whole picture of its kind? */
static bool is_picture(const char *path, const char *kind)
{
    static const unsigned char png[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H', 'D', 'R',
                                         0, 0, 1200 >> 8, 1200 & 255, 0, 0, 700 >> 8, 700 & 255 };
    size_t bytes;
    _cleanup_free_ char *picture = read_bytes(path, &bytes);
    const char *start = strcmp(kind, "svg") == 0 ? "<?xml" : "%PDF-", *end = *start == '<' ? "</svg>" : "%%EOF";

    if (strcmp(kind, "png") == 0)
        return bytes > 10000 && memcmp(picture, png, sizeof png) == 0 && memcmp(picture + bytes - 8, "IEND", 4) == 0;
    return bytes > 2000 && strncmp(picture, start, 5) == 0 && memmem(picture + bytes - 32, 32, end, strlen(end));
}

static struct size_table table_of(const struct size_count *rows, size_t count)
{
    struct sizes sizes = { 0 };
    struct size_table table;

    for (size_t i = 0; i < count; i++)
        for (uint64_t k = 0; k < rows[i].count; k++)
            sizes_add(&sizes, rows[i].size, 1);
    sizes_end(&sizes);
    sizes_table(&sizes, &table);
    sizes_release(&sizes);
    return table;
}

#define TABLE(...) table_of((const struct size_count[]){ __VA_ARGS__ }, \
                            sizeof (const struct size_count[]){ __VA_ARGS__ } / sizeof(struct size_count))

/* 18 allocations of 6,014 bytes; below 100: 7 (38.9 %) of 14 (0.2 %). */
static struct size_table small_table(void)
{
    return TABLE({ 0, 1 }, { 1, 2 }, { 3, 4 }, { 100, 10 }, { 5000, 1 });
}

static struct size_table typical_table(void)
{
    struct sizes sizes = { 0 };
    struct size_table table;
    uint64_t seed = 7;

    for (int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        sizes_add(&sizes, seed >> 62 ? 8 + (seed >> 40) % 120 : (seed >> 30 & 0xfffff) >> (seed >> 50) % 20, 1);
    }
    sizes_end(&sizes);
    sizes_table(&sizes, &table);
    sizes_release(&sizes);
    return table;
}

static void test_kinds(void)
{
    struct size_table tables[] = { typical_table(), TABLE({ 24, 1000 }), TABLE({ 0, 3 }),
                                   TABLE({ 1, 5 }, { 70, 9 }, { 1ull << 40, 2 }), TABLE({ UINT64_MAX, 1 }) };
    static const char *const kinds[] = { "png", "svg", "pdf" };
    struct failure failure = { "" };

    for (size_t i = 0; i < 2 * 3 * sizeof tables / sizeof *tables; i++) {
        const char *kind = kinds[i / 2 % 3];
        _cleanup_free_ char *output = format_text("%s/out/picture.%s", base, kind);
        struct plot_sizes options = { "ls -l", 100, i % 2, output, NULL };
        if (!CHECK(plot_sizes_draw(&tables[i / 6], &options, &failure) == 0 && is_picture(output, kind)))
            printf("  table %zu, %s%s: %s\n", i / 6, kind, i % 2 ? ", linear" : "", failure.text);
    }
    _cleanup_free_ char *out = path_of("out");
    CHECK(entries_in(out) == 3); /* each drawn over the one before, and nothing beside them */
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        size_table_release(&tables[i]);
}

static void test_thresholds(void)
{
    static const uint64_t thresholds[] = { 0, 1, 4096, 1000000, UINT64_MAX };
    _cleanup_free_ char *output = path_of("out/picture.png");
    struct size_table table = typical_table();
    struct failure failure;

    for (size_t i = 0; i < sizeof thresholds / sizeof *thresholds; i++)
        for (int linear = 0; linear < 2; linear++) {
            struct plot_sizes options = { "ls", thresholds[i], linear, output, NULL };
            int error = plot_sizes_draw(&table, &options, &failure);
            CHECK(linear && thresholds[i] > PLOT_LINEAR_BYTES ? error == -EINVAL && strstr(failure.text, "at most")
                                                              : error == 0 && is_picture(output, "png"));
        }
    size_table_release(&table);
}

static void test_what_is_drawn(void)
{
    _cleanup_free_ char *svg = path_of("out/picture.svg"), *kept = path_of("kept");
    _cleanup_free_ char *bars = path_of("kept/sizes-bars.dat"), *curve = path_of("kept/sizes-curve.dat");
    struct plot_sizes options = { "ls -l", 100, false, svg, kept };
    struct size_table table = small_table();
    struct failure failure;

    CHECK(plot_sizes_draw(&table, &options, &failure) == 0);
    CHECK(file_is(bars, "0 0 1 0\n1 1 2 2\n2 3 4 12\n4 7 0 0\n8 15 0 0\n16 31 0 0\n32 63 0 0\n64 127 10 1000\n"
                        "128 255 0 0\n256 511 0 0\n512 1023 0 0\n1024 2047 0 0\n2048 4095 0 0\n4096 8191 1 5000\n"));
    CHECK(file_is(curve, "-1 0 0\n0 1 0\n1 3 2\n3 7 14\n100 17 1014\n5000 18 6014\n8191 18 6014\n"));
    CHECK(file_has(svg, ">ls -l</text>"));
    CHECK(file_has(svg, ">18 allocations, 6,014 B</text>"));
    CHECK(file_has(svg, ">threshold 100 B: 38.9 % of allocations, 0.2 % of bytes below</text>"));
    CHECK(file_has(svg, ">by number of allocations</text>") && file_has(svg, ">by bytes</text>"));
    CHECK(file_has(svg, "56</text>")); /* 10 of 18, on its bar */
    CHECK(file_has(svg, "83</text>")); /* 5000 of 6014 */
    CHECK(file_has(svg, "64</text>") && file_has(svg, "4 Ki</text>") && !file_has(svg, "8192"));

    options.linear = true;
    CHECK(plot_sizes_draw(&table, &options, &failure) == 0);
    CHECK(file_has(bars, "0 0 1 0\n1 1 2 2\n2 2 0 0\n3 3 4 12\n4 4 0 0\n") &&
          file_has(bars, "99 99 0 0\n100 100 10 1000\n") && !file_has(bars, "101"));
    CHECK(file_is(curve, "-1 0 0\n0 1 0\n1 3 2\n3 7 14\n100 17 1014\n100 17 1014\n"));
    CHECK(file_has(svg, ">18 allocations, 6,014 B; 5.6 % of the allocations are larger than 100 B and not shown<"));
    size_table_release(&table);

    /* However many sizes there are, about 64 points for a power of two; but all in the linear view. */
    struct sizes many = { 0 };
    for (uint64_t size = 1; size < 200000; size++)
        sizes_add(&many, size, 1);
    sizes_end(&many);
    sizes_table(&many, &table);
    options.linear = false;
    CHECK(plot_sizes_draw(&table, &options, &failure) == 0);
    CHECK(lines_of(curve) > 64 * 10 && lines_of(curve) < 64 * 18);
    options.linear = true;
    options.threshold = 4096;
    CHECK(plot_sizes_draw(&table, &options, &failure) == 0 && lines_of(curve) == 1 + 4096 + 1);
    sizes_release(&many);
    size_table_release(&table);
}

static void test_kept_script(void)
{
    _cleanup_free_ char *output = path_of("out/it's \"a\" \nname;`touch pwned`.PNG");
    _cleanup_free_ char *kept = path_of("kept 'too' $x");
    _cleanup_free_ char *script = format_text("%s/sizes.gp", kept), *again = format_text("%s/sizes.png", kept);
    struct plot_sizes options = { "it's \"x\" `touch pwned` {a_b}^2 @m \xff\n<&>\\", 100, false, output, kept };
    struct size_table table = typical_table();
    struct failure failure;
    struct stat st;
    size_t bytes, bytes_again;

    mode_t mask = umask(027);
    for (int linear = 0; linear < 2; linear++) {
        options.linear = linear;
        CHECK(plot_sizes_draw(&table, &options, &failure) == 0 && is_picture(output, "png"));
        CHECK(stat(output, &st) == 0 && (st.st_mode & 0777) == 0640);
        CHECK(entries_in(kept) == 3 + linear); /* the picture of the first time */
        CHECK(file_has(script, "title = 'it''s \"x\" `touch pwned` {a_b}^2 @m ?""?<&>\\'\n"));
        CHECK(!file_has(script, base));
        setenv("KEPT", kept, 1);
        CHECK(system("cd \"$KEPT\" && HOME=/ gnuplot sizes.gp") == 0);
        _cleanup_free_ char *first = read_bytes(output, &bytes), *second = read_bytes(again, &bytes_again);
        CHECK(bytes == bytes_again && memcmp(first, second, bytes) == 0);
    }
    umask(mask);
    CHECK(access("pwned", F_OK) < 0);
    _cleanup_free_ char *svg = path_of("out/picture.svg"), *pwned = format_text("%s/pwned", kept);
    options.output = svg;
    CHECK(plot_sizes_draw(&table, &options, &failure) == 0);
    CHECK(file_has(svg, ">it's \"x\" `touch pwned` {a_b}^2 @m ?""?&lt;&amp;>\\</text>"));
    CHECK(access("pwned", F_OK) < 0 && access(pwned, F_OK) < 0);
    size_table_release(&table);
}

/* Drawing fails with that error and a message that has that part, in one line;
 * a picture that was there still is, and nothing else is. */
static void expect_failure(const char *output, const char *keep, int error, const char *part)
{
    _cleanup_free_ char *full = *output == '/' ? format_text("%s", output) : path_of(output), *out = path_of("out");
    struct plot_sizes options = { "ls", 100, false, full, keep };
    struct size_table table = small_table();
    struct failure failure = { "" };
    int entries = entries_in(out), got = plot_sizes_draw(&table, &options, &failure);

    if (!CHECK(got == -error && strstr(failure.text, part) && !strchr(failure.text, '\n')))
        printf("  %s: %d, \"%s\"; want %d, \"%s\"\n", output, got, failure.text, -error, part);
    CHECK(entries_in(out) == entries);
    size_table_release(&table);
}

static void test_bad_paths(void)
{
    _cleanup_free_ char *readonly = path_of("readonly"), *directory = path_of("out/directory.png");
    _cleanup_free_ char *no_parent = path_of("none/kept"), *a_file = path_of("out/picture.svg");
    _cleanup_free_ char *tmp = format_text("%s", getenv("TMPDIR"));
    struct rlimit limit, none;

    expect_failure("out/picture.gif", NULL, EINVAL, "picture.gif: no kind of picture; its name must end in");
    expect_failure("out/picture", NULL, EINVAL, ".png, .svg or .pdf");
    expect_failure("out/.png", NULL, EINVAL, ".png, .svg or .pdf");
    expect_failure("x.png/picture", NULL, EINVAL, ".png, .svg or .pdf");
    expect_failure("none/picture.png", NULL, ENOENT, "none/picture.png: no file can be made in its directory: No");
    CHECK(mkdir(readonly, 0555) == 0);
    bool is_root = geteuid() == 0 && seteuid(65534) == 0;
    expect_failure("readonly/picture.png", NULL, EACCES, "no file can be made in its directory: Permission denied");
    CHECK(!is_root || seteuid(0) == 0);
    CHECK(mkdir(directory, 0777) == 0);
    expect_failure("out/directory.png", NULL, EISDIR, "directory.png: cannot be written: Is a directory");
    expect_failure("out/new.png", no_parent, ENOENT, "none/kept: the directory for the script cannot be made: No");
    expect_failure("out/new.png", a_file, ENOTDIR, "svg: the script and its data cannot be written there: Not a");
    setenv("TMPDIR", no_parent, 1);
    expect_failure("out/new.png", NULL, ENOENT, "TMPDIR can name another directory");
    setenv("TMPDIR", tmp, 1);

    /* A full disk. */
    fflush(stdout);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    none = limit;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_FSIZE, &none);
    expect_failure("out/new.png", NULL, EFBIG, "cannot be written there: File too large");
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_DFL);

    struct size_table empty = TABLE({ 1, 0 });
    struct failure failure;
    CHECK(plot_sizes_draw(&empty, &(struct plot_sizes){ "ls", 100, false, directory, NULL }, &failure) == -ENODATA);
    CHECK(strcmp(failure.text, "ls: no allocations, nothing to draw") == 0);
    size_table_release(&empty);
}

static void test_bad_gnuplot(void)
{
    _cleanup_free_ char *bin = path_of("bin"), *fake = path_of("bin/gnuplot");
    _cleanup_free_ char *path = format_text("%s", getenv("PATH"));
    _cleanup_free_ char *data = path_of("data"), *template = path_of("data/plot-sizes-log2.gp");
    _cleanup_free_ char *old = path_of("out/old.png");

    CHECK(mkdir(bin, 0777) == 0 && mkdir(data, 0777) == 0);
    write_text(old, "an old picture", 0666);
    setenv("PATH", bin, 1);
    expect_failure("out/old.png", NULL, ENOENT, "gnuplot not found: install gnuplot-nox");
    write_text(fake, "#!/bin/sh\n", 0644);
    expect_failure("out/old.png", NULL, EAGAIN, "gnuplot cannot be started");
    write_text(fake, "#!/bin/sh\nkill -9 $$\n", 0755);
    expect_failure("out/old.png", NULL, EINTR, "gnuplot was ended by signal 9");
    write_text(fake, "#!/bin/sh\necho half > sizes.png; exit 3\n", 0755);
    expect_failure("out/old.png", NULL, EIO, "gnuplot failed: it does not say why");
    write_text(fake, "#!/bin/sh\necho >&2; echo '  no terminal' >&2; echo more >&2; exit 3\n", 0755);
    expect_failure("out/old.png", NULL, EIO, "gnuplot failed: no terminal");
    write_text(fake, "#!/bin/sh\n:> sizes.png\n", 0755);
    expect_failure("out/old.png", NULL, EIO, "old.png: gnuplot drew nothing");
    setenv("PATH", path, 1);

    setenv("MALLOSCOPE_DATADIR", data, 1);
    expect_failure("out/old.png", NULL, ENOENT, "MALLOSCOPE_DATADIR");
    write_text(template, "plot nothing_of_the_kind\n", 0666);
    expect_failure("out/old.png", NULL, EIO, "undefined variable: nothing_of_the_kind");
    write_text(template, "set nonsense\n", 0666);
    expect_failure("out/old.png", NULL, EIO, "gnuplot failed: \"sizes.gp\" line");
    unsetenv("MALLOSCOPE_DATADIR");
    CHECK(file_is(old, "an old picture"));
}

int main(void)
{
    _cleanup_free_ char *out = NULL, *tmp = NULL, *settings = NULL, *remove = NULL;

    if (system("gnuplot --version >/dev/null 2>&1") != 0) {
        puts("skipped: no gnuplot");
        return 77;
    }
    unsetenv("MALLOSCOPE_DATADIR");
    if (!CHECK(mkdtemp(base)))
        return check_summary();
    chmod(base, 0755);
    out = path_of("out");
    tmp = path_of("tmp");
    CHECK(mkdir(out, 0777) == 0 && mkdir(tmp, 0777) == 0 && chdir(out) == 0);
    setenv("TMPDIR", tmp, 1);
    settings = path_of(".gnuplot"); /* the user's, which are none of our business */
    write_text(settings, "exit status 3\n", 0666);
    setenv("HOME", base, 1);
    int open_files = entries_in("/proc/self/fd");

    test_kinds();
    test_thresholds();
    test_what_is_drawn();
    test_kept_script();
    test_bad_paths();
    test_bad_gnuplot();

    CHECK(entries_in(tmp) == 0);
    CHECK(entries_in("/proc/self/fd") == open_files);
    remove = format_text("rm -rf %s", base);
    CHECK(chdir("/") == 0 && system(remove) == 0);
    return check_summary();
}
