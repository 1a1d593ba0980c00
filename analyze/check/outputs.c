/* Options -> files and stdout. A format writes to a FILE; this is who opens it, and sees whether
 * all of it came there. */
#include "analyze/check/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUTPUT_FILES 3

struct output_file {
    const char *option, *path; /* path NULL: not asked for */
    void (*write)(FILE *to, const struct verdict *v);
};

static void files_of(const struct check_outputs *o, struct output_file *ret_files)
{
    ret_files[0] = (struct output_file){ "--markdown", o->markdown, check_write_markdown };
    ret_files[1] = (struct output_file){ "--junit", o->junit, check_write_junit };
    ret_files[2] = (struct output_file){ "--benchmark-json", o->benchmark_json, check_write_benchmark_json };
}

static bool is_stdout(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

bool check_outputs_option(struct check_outputs *o, int option, const char *value)
{
    switch (option) {
    case CHECK_OUTPUTS_JSON:
        return o->json = true;
    case CHECK_OUTPUTS_TAP:
        return o->tap = true;
    case CHECK_OUTPUTS_GITHUB:
        return o->github = true;
    case CHECK_OUTPUTS_MARKDOWN:
        o->markdown = value;
        return true;
    case CHECK_OUTPUTS_JUNIT:
        o->junit = value;
        return true;
    case CHECK_OUTPUTS_BENCHMARK_JSON:
        o->benchmark_json = value;
        return true;
    default:
        return false;
    }
}

static size_t on_stdout(const struct check_outputs *o)
{
    return (size_t)o->json + o->tap + is_stdout(o->markdown) + is_stdout(o->junit) + is_stdout(o->benchmark_json);
}

bool check_outputs_take_stdout(const struct check_outputs *o)
{
    return on_stdout(o) > 0;
}

/* By name or by what is there: a file that is not yet is the same only by its name. */
static bool is_same(const char *one, const char *other)
{
    struct stat a, b;

    if (stat(one, &a) < 0 || stat(other, &b) < 0)
        return strcmp(one, other) == 0;
    return S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* It is emptied: should this run end without a verdict, an earlier one's would be taken for its own. */
static int try_file(const struct output_file *f, struct failure *ret_failure)
{
    if (f->path[0] == '-' && f->path[1])
        return fail(ret_failure, EINVAL, "%s: %s is no file (./%s would be one)", f->option, f->path, f->path);
    _cleanup_close_ int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
    if (fd < 0 && errno != ENXIO) /* a pipe that nobody reads yet */
        return fail(ret_failure, errno, "%s: cannot write %s: %s", f->option, f->path, strerror(errno));
    return 0;
}

static bool is_input(const char *path, const char *const *inputs)
{
    for (const char *const *input = inputs; *input; input++)
        if (is_same(path, *input))
            return true;
    return false;
}

int check_outputs_ready(const struct check_outputs *o, const char *const *inputs, struct failure *ret_failure)
{
    struct output_file files[OUTPUT_FILES];

    files_of(o, files);
    if (on_stdout(o) > 1)
        return fail(ret_failure, EINVAL, "only one of --json, --tap and the files named - can be on standard output");
    for (size_t i = 0; i < OUTPUT_FILES; i++) {
        if (!files[i].path || is_stdout(files[i].path))
            continue;
        if (is_input(files[i].path, inputs))
            return fail(ret_failure, EINVAL, "%s: %s is read, and would be overwritten", files[i].option, files[i].path);
        int error = try_file(&files[i], ret_failure);
        if (error)
            return error;
        for (size_t k = 0; k < i; k++)
            if (files[k].path && is_same(files[i].path, files[k].path))
                return fail(ret_failure, EINVAL, "%s and %s are both to be %s", files[k].option, files[i].option, files[i].path);
    }
    return 0;
}

void check_outputs_empty(const struct check_outputs *o, const char *const *inputs)
{
    struct output_file files[OUTPUT_FILES];
    struct stat st;

    files_of(o, files);
    for (size_t i = 0; i < OUTPUT_FILES; i++)
        if (files[i].path && *files[i].path != '-' && !is_input(files[i].path, inputs) && stat(files[i].path, &st) == 0 && S_ISREG(st.st_mode)) {
            _cleanup_close_ int fd = open(files[i].path, O_WRONLY | O_TRUNC | O_CLOEXEC);
            (void)fd;
        }
}

static int write_file(const char *option, const char *path, const char *mode, void (*write)(FILE *, const struct verdict *),
                      const struct verdict *v, struct failure *ret_failure)
{
    FILE *to = fopen(path, mode);

    if (!to)
        return fail(ret_failure, errno, "%s: cannot write %s: %s", option, path, strerror(errno));
    write(to, v);
    errno = 0;
    bool failed = ferror(to);
    if (fclose(to) != 0 || failed)
        return fail(ret_failure, errno ? errno : EIO, "%s: not all was written to %s: %s", option, path, strerror(errno ? errno : EIO));
    return 0;
}

/* Workflow commands are read from both streams, so that stdout may be another output's. */
static int write_github(const struct check_outputs *o, const struct verdict *v, struct failure *ret_failure)
{
    const char *summary = getenv("GITHUB_STEP_SUMMARY");

    check_write_github(check_outputs_take_stdout(o) ? stderr : stdout, v);
    return summary && *summary ? write_file("--github", summary, "ae", check_write_markdown, v, ret_failure) : 0;
}

int check_outputs_write(const struct check_outputs *o, const struct verdict *v, struct failure *ret_failure)
{
    struct output_file files[OUTPUT_FILES];
    int error = 0;

    files_of(o, files);
    if (o->json)
        check_write_json(stdout, v);
    if (o->tap)
        check_write_tap(stdout, v);
    for (size_t i = 0; i < OUTPUT_FILES; i++) {
        if (is_stdout(files[i].path)) {
            files[i].write(stdout, v);
        } else if (files[i].path) {
            int failed = write_file(files[i].option, files[i].path, "we", files[i].write, v, ret_failure);
            error = failed ? failed : error;
        }
    }
    if (o->github) {
        int failed = write_github(o, v, ret_failure);
        error = failed ? failed : error;
    }
    return error;
}
