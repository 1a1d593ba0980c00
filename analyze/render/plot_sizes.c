/* Sizes -> a picture. A directory in TMPDIR gets the script (variables, then a
 * template from scripts/) and its data, gnuplot runs there, and the picture is
 * copied beside the output and renamed. So gnuplot sees only fixed names, no
 * path of the user's: those may have quotes, spaces and newlines, and gnuplot's
 * language can run programs. The title is the one foreign text in the script. */
#include "analyze/render/plot_sizes.h"

#include "analyze/file_size_limit.h"
#include "analyze/new_file.h"
#include "analyze/render/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRIPT_NAME "sizes.gp"
#define BARS_NAME "sizes-bars.dat"
#define CURVE_NAME "sizes-curve.dat"
#define NOTE_CHARACTERS 250
#define TITLE_CHARACTERS 90 /* so many fit on a line of the picture */

static const struct picture_format {
    const char *suffix, *picture_name;
    const char *terminal, *options;
    const char *fallback; /* with its options, for a gnuplot without cairo */
} formats[] = {
    { "png", "sizes.png", "pngcairo", "size 1200,700 noenhanced font 'DejaVu Sans,11'",
      "png truecolor size 1200,700 noenhanced font 'DejaVuSans,11'" },
    { "svg", "sizes.svg", "svg", "size 1200,700 noenhanced font 'DejaVu Sans,sans-serif,11' fontscale 1.333 "
      "background 'white'", "svg" },
    { "pdf", "sizes.pdf", "pdfcairo", "size 12in,7in noenhanced font 'DejaVu Sans,11' fontscale 0.72 linewidth 1.4",
      "pdf size 12in,7in noenhanced font 'Helvetica,11'" },
};

/* One picture; work_release removes what it has on disk. */
struct work {
    const struct size_table *table;
    const struct plot_sizes *options;
    const struct picture_format *format;
    uint64_t size_end; /* the largest size on the axis */
    char *template;    /* the script's second part, as text */
    char *directory;   /* where gnuplot runs */
    struct new_file picture;
};

static void work_release(struct work *work)
{
    new_file_drop(&work->picture);
    if (work->directory) {
        const char *const names[] = { SCRIPT_NAME, BARS_NAME, CURVE_NAME, work->format->picture_name };
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            _cleanup_free_ char *path = format_text("%s/%s", work->directory, names[i]);
            unlink(path);
        }
        rmdir(work->directory);
    }
    free(work->directory);
    free(work->template);
}

static FILE *open_in(const char *directory, const char *below, const char *name, const char *mode)
{
    _cleanup_free_ char *path = format_text("%s%s/%s", directory, below, name);
    return fopen(path, mode);
}

static const struct picture_format *format_of(const char *name)
{
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && dot > name && i < sizeof formats / sizeof *formats; i++)
        if (strcasecmp(dot + 1, formats[i].suffix) == 0)
            return &formats[i];
    return NULL;
}

/* The template: where the environment says, else the installed one, else that of
 * the tree in which we were built. */
static int read_template(struct work *work, struct failure *ret_failure)
{
    const char *name = work->options->linear ? "plot-sizes-linear.gp" : "plot-sizes-log2.gp";
    char exe[PATH_MAX], *chosen = getenv("MALLOSCOPE_DATADIR");
    ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
    _cleanup_fclose_ FILE *file = NULL;

    exe[length > 0 ? length : 0] = 0;
    *(strrchr(exe, '/') ?: exe) = 0;
    if (chosen && *chosen)
        file = open_in(chosen, "", name, "re");
    else if (!(file = open_in(exe, "/../share/malloscope", name, "re")))
        file = open_in(exe, "/../../scripts", name, "re"); /* from build/analyze/malloscope */
#ifdef MALLOSCOPE_SOURCE_DIR
    if (!file && !(chosen && *chosen))
        file = open_in(MALLOSCOPE_SOURCE_DIR, "/scripts", name, "re");
#endif
    if (file && getdelim(&work->template, &(size_t){ 0 }, 0, file) > 0)
        return 0;
    return fail(ret_failure, ENOENT, "%s: gnuplot's script is not readable in %s%s; install malloscope again, or set "
                "MALLOSCOPE_DATADIR to its directory", name, chosen && *chosen ? chosen : exe,
                chosen && *chosen ? "" : "/../share/malloscope");
}

/* How many bytes of a UTF-8 character text starts with; 0: it is none, or not printable. */
static int character_bytes(const unsigned char *text)
{
    int more = *text < 0x80 ? 0 : *text < 0xc2 ? -1 : *text < 0xe0 ? 1 : *text < 0xf0 ? 2 : *text < 0xf5 ? 3 : -1;

    if (more < 0 || *text < 0x20 || *text == 0x7f)
        return 0;
    for (int i = 1; i <= more; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((*text == 0xe0 && text[1] < 0xa0) || (*text == 0xed && text[1] > 0x9f) ||
        (*text == 0xf0 && text[1] < 0x90) || (*text == 0xf4 && text[1] > 0x8f))
        return 0; /* longer than need be, half of a pair, or beyond Unicode */
    return more + 1;
}

/* As a single-quoted string of gnuplot: nothing in them is special but the
 * quote. What is no character becomes a '?', or an SVG would not be XML. */
static void write_text(FILE *file, const char *variable, const char *text, int most)
{
    fprintf(file, "%s = '", variable);
    for (int characters = 0; *text; characters++) {
        int bytes = character_bytes((const unsigned char *)text);
        if (characters == most) {
            fputs("…", file);
            break;
        }
        fprintf(file, "%.*s%s", bytes ? bytes : 1, bytes ? text : "?", *text == '\'' ? "'" : "");
        text += bytes ? bytes : 1;
    }
    fputs("'\n", file);
}

/* The end of the largest size's row or the threshold's, and room even for the smallest. */
static uint64_t axis_end(const struct size_table *table, const struct plot_sizes *options)
{
    uint64_t largest = table->rows[table->row_count - 1].size, end = 127;

    if (options->linear)
        return options->threshold > 100 ? options->threshold : 100;
    while (end < largest || end < options->threshold)
        end = end * 2 + 1;
    return end;
}

/* One line for each bar: its first and last size, allocations, bytes. */
static void write_bars(FILE *file, const struct size_table *table, bool linear, uint64_t size_end)
{
    uint64_t count_before = 0, bytes_before = 0, last = 0, count, bytes;

    for (uint64_t first = 0;; first = last + 1) {
        last = linear || !first ? first : 2 * first - 1;
        count = table->count, bytes = table->bytes;
        if (last < UINT64_MAX)
            size_table_below(table, last + 1, &count, &bytes);
        fprintf(file, "%"PRIu64" %"PRIu64" %"PRIu64" %"PRIu64"\n", first, last, count - count_before,
                bytes - bytes_before);
        count_before = count, bytes_before = bytes;
        if (last >= size_end)
            return;
    }
}

/* Sizes that differ by less than 1/64 of a power of two, as a pixel does, are one point. */
static uint64_t point_of(uint64_t size, bool linear)
{
    int shift = linear || size < 128 ? 0 : 63 - __builtin_clzll(size) - 6;
    return size >> shift << shift;
}

/* One line for each size: the size, allocations and bytes of it or less. It
 * starts left of size 0 and goes on to the end of the axis. */
static void write_curve(FILE *file, const struct size_table *t, bool linear, uint64_t size_end)
{
    uint64_t count = 0, bytes = 0;

    fputs("-1 0 0\n", file);
    for (size_t i = 0; i < t->row_count && t->rows[i].size <= size_end; i++) {
        count = t->rows[i].count_through, bytes = t->rows[i].bytes_through;
        if (i + 1 == t->row_count || point_of(t->rows[i].size, linear) != point_of(t->rows[i + 1].size, linear))
            fprintf(file, "%"PRIu64" %"PRIu64" %"PRIu64"\n", t->rows[i].size, count, bytes);
    }
    fprintf(file, "%"PRIu64" %"PRIu64" %"PRIu64"\n", size_end, count, bytes);
}

static void write_script(FILE *file, const struct work *work)
{
    const struct size_table *table = work->table;
    const struct picture_format *format = work->format;
    uint64_t threshold = work->options->threshold, count_below, bytes_below, count_shown = table->count, bytes_shown;

    size_table_below(table, threshold, &count_below, &bytes_below);
    if (work->options->linear)
        size_table_below(table, work->size_end + 1, &count_shown, &bytes_shown);
    /* The script finds out which terminals there are: a kept one may be drawn elsewhere. */
    fprintf(file, "# Written by malloscope plot sizes. To draw %s again: gnuplot " SCRIPT_NAME "\n"
            "set encoding utf8\n"
            "if (strstrt(GPVAL_TERMINALS, '%s')) {\n    set terminal %s %s\n} else {\n    set terminal %s\n}\n"
            "set output '%s'\n", format->picture_name, format->terminal, format->terminal, format->options,
            format->fallback, format->picture_name);
    write_text(file, "title", work->options->title, TITLE_CHARACTERS);
    write_text(file, "note", work->options->note ? work->options->note : "", NOTE_CHARACTERS);
    fprintf(file, "subtitle = '%s, %s%s", text_counted(table->count, "allocation"),
            text_bytes(table->bytes), work->options->is_estimate ? " (estimated)" : "");
    if (count_shown < table->count)
        fprintf(file, "; %s %% of the allocations are larger than %s and not shown",
                text_share(table->count - count_shown, table->count), text_bytes(work->size_end));
    fprintf(file, "'\nthreshold_label = 'threshold %s: %s %% of allocations", text_bytes(threshold),
            text_share(count_below, table->count));
    if (table->bytes)
        fprintf(file, ", %s %% of bytes", text_share(bytes_below, table->bytes));
    /* The points make them floating: gnuplot's integers are too small, and their quotients too. */
    fprintf(file, " below'\nthreshold = %"PRIu64".\ntotal_count = %"PRIu64".\ntotal_bytes = %"PRIu64".\n"
            "size_end = %"PRIu64".\nbars = '" BARS_NAME "'\ncurve = '" CURVE_NAME "'\n\n%s",
            threshold, table->count, table->bytes, work->size_end, work->template);
}

static int write_files(const struct work *work, const char *directory, struct failure *ret_failure)
{
    _cleanup_fclose_ FILE *script = open_in(directory, "", SCRIPT_NAME, "we");
    _cleanup_fclose_ FILE *bars = script ? open_in(directory, "", BARS_NAME, "we") : NULL;
    _cleanup_fclose_ FILE *curve = bars ? open_in(directory, "", CURVE_NAME, "we") : NULL;

    if (curve) {
        write_script(script, work);
        write_bars(bars, work->table, work->options->linear, work->size_end);
        write_curve(curve, work->table, work->options->linear, work->size_end);
    }
    if (!curve || fflush(script) || fflush(bars) || fflush(curve) || ferror(script) || ferror(bars) || ferror(curve))
        return fail(ret_failure, errno, "%s: the script and its data cannot be written there: %s", directory,
                    strerror(errno));
    return 0;
}

/* The first line that says something, or better the one that names a line of
 * the script, which comes after an echo of that line. To the end of the file. */
static void first_line(FILE *messages, char *ret_line, size_t bytes)
{
    _cleanup_free_ char *line = NULL;
    size_t capacity = 0;

    *ret_line = 0;
    while (getline(&line, &capacity, messages) > 0) {
        bool names_line = strncmp(line, "\"" SCRIPT_NAME "\"", strlen(SCRIPT_NAME) + 2) == 0;
        line[strcspn(line, "\n")] = 0;
        if (line[strspn(line, " \t^")] && (!*ret_line || (names_line && *ret_line != '"')))
            snprintf(ret_line, bytes, "%s", line + strspn(line, " \t"));
    }
}

static volatile sig_atomic_t gnuplot; /* its process */

static void end_gnuplot(int number)
{
    if (gnuplot > 0)
        kill((pid_t)gnuplot, number);
}

/* As system() does: an interrupt ends gnuplot, and we live to remove the files. What is sent to us alone is passed on. */
static const struct {
    int number;
    void (*handler)(int number);
} while_it_draws[] = { { SIGINT, SIG_IGN }, { SIGQUIT, SIG_IGN }, { SIGTERM, end_gnuplot }, { SIGHUP, end_gnuplot } };
#define WHILE_IT_DRAWS (sizeof while_it_draws / sizeof *while_it_draws)

static void take_signals(struct sigaction old[WHILE_IT_DRAWS])
{
    for (size_t i = 0; i < WHILE_IT_DRAWS; i++) {
        const struct sigaction action = { .sa_handler = while_it_draws[i].handler, .sa_flags = SA_RESTART };
        if (sigaction(while_it_draws[i].number, NULL, &old[i]) == 0 && old[i].sa_handler != SIG_IGN)
            sigaction(while_it_draws[i].number, &action, NULL);
    }
}

static void block_signals(sigset_t *ret_mask)
{
    sigset_t taken;

    sigemptyset(&taken);
    for (size_t i = 0; i < WHILE_IT_DRAWS; i++)
        sigaddset(&taken, while_it_draws[i].number);
    sigprocmask(SIG_BLOCK, &taken, ret_mask);
}

static void give_signals_back(const struct sigaction old[WHILE_IT_DRAWS])
{
    for (size_t i = 0; i < WHILE_IT_DRAWS; i++)
        sigaction(while_it_draws[i].number, &old[i], NULL);
}

static int run_gnuplot(const char *directory, struct failure *ret_failure)
{
    struct sigaction old[WHILE_IT_DRAWS];
    sigset_t mask;
    _cleanup_fclose_ FILE *messages = NULL;
    char line[512];
    int fds[2], status = 0;

    if (pipe2(fds, O_CLOEXEC) < 0 || !(messages = fdopen(fds[0], "r")))
        return fail(ret_failure, errno, "gnuplot cannot be started: %s", strerror(errno));
    block_signals(&mask); /* until it is known whom they are passed on to */
    pid_t pid = fork();
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, &mask, NULL);
        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        /* -d: without the user's settings, with which the picture would be another. */
        if (dup2(null_fd, 0) == 0 && dup2(null_fd, 1) == 1 && dup2(fds[1], 2) == 2 && chdir(directory) == 0) {
            file_size_limit_give_back();
            execlp("gnuplot", "gnuplot", "-d", SCRIPT_NAME, NULL);
        }
        _exit(errno == ENOENT ? 127 : 126);
    }
    gnuplot = pid;
    take_signals(old);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    close(fds[1]);
    first_line(messages, line, sizeof line);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    give_signals_back(old);
    if (WIFSIGNALED(status))
        return fail(ret_failure, EINTR, "gnuplot was ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) == 127)
        return fail(ret_failure, ENOENT, "gnuplot not found: install gnuplot-nox");
    if (pid < 0 || WEXITSTATUS(status) == 126)
        return fail(ret_failure, EAGAIN, "gnuplot cannot be started, though it is installed");
    return status ? fail(ret_failure, EIO, "gnuplot failed: %s", *line ? line : "it does not say why") : 0;
}

/* The picture out of gnuplot's directory, under its name. */
static int publish(struct work *work, const char *output, struct failure *ret_failure)
{
    _cleanup_free_ char *path = format_text("%s/%s", work->directory, work->format->picture_name);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got, total = 0;

    while ((got = sendfile(fileno(work->picture.file), fd, NULL, 1 << 30)) > 0)
        total += got;
    if (fd < 0 || (got == 0 && total == 0))
        return fail(ret_failure, EIO, "%s: gnuplot drew nothing, and does not say why", output);
    if (got < 0)
        return fail(ret_failure, errno, "%s: cannot be written: %s", output, strerror(errno));
    return new_file_close(&work->picture, ret_failure);
}

int plot_sizes_draw(const struct size_table *table, const struct plot_sizes *options, struct failure *ret_failure)
{
    __attribute__((cleanup(work_release))) struct work work = { .table = table, .options = options };
    const char *output = options->output, *slash = strrchr(output, '/'), *keep = options->keep_dir;
    const char *temporary = getenv("TMPDIR");
    int error;

    if (!(work.format = format_of(slash ? slash + 1 : output)))
        return fail(ret_failure, EINVAL, "%s: no kind of picture; its name must end in .png, .svg or .pdf", output);
    if (table->count == 0)
        return fail(ret_failure, ENODATA, "%s: no allocations, nothing to draw", options->title);
    if (options->linear && options->threshold > PLOT_LINEAR_BYTES)
        return fail(ret_failure, EINVAL, "a linear plot has a bar for each byte: the threshold can be %d at most, "
                    "not %"PRIu64, PLOT_LINEAR_BYTES, options->threshold);
    work.size_end = axis_end(table, options);
    if ((error = read_template(&work, ret_failure)) < 0)
        return error;

    /* What cannot be written is known before gnuplot runs. */
    if ((error = new_file_open(&work.picture, output, ret_failure)) < 0)
        return error;
    if (keep && mkdir(keep, 0777) < 0 && errno != EEXIST)
        return fail(ret_failure, errno, "%s: the directory for the script cannot be made: %s", keep, strerror(errno));
    if (keep && (error = write_files(&work, keep, ret_failure)) < 0)
        return error;
    work.directory = format_text("%s/malloscope-plot-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(work.directory))
        return fail(ret_failure, errno, "%s: cannot be made: %s; TMPDIR can name another directory", work.directory,
                    strerror(errno));
    if ((error = write_files(&work, work.directory, ret_failure)) < 0 ||
        (error = run_gnuplot(work.directory, ret_failure)) < 0)
        return error;
    return publish(&work, output, ret_failure);
}
