/* What `doctor` reads: the loader's list, the kernel's files, programs and
 * libraries that are damaged. Whether its verdicts are right: cli/test_doctor.py. */
#include "analyze/launch/confinement.h"
#include "analyze/launch/libraries.h"
#include "analyze/launch/probe.h"
#include "analyze/launch/program.h"
#include "analyze/launch/shim.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[PATH_MAX];

static void write_text(const char *path, const char *text, size_t bytes)
{
    FILE *file = fopen(path, "w");
    CHECK(file && fwrite(text, 1, bytes, file) == bytes && fclose(file) == 0);
}

static void parse(const char *text, struct libraries *ret)
{
    _cleanup_free_ char *copy = copy_text(text, strlen(text));
    *ret = (struct libraries){ 0 };
    libraries_parse(copy, ret);
}

static bool is(const struct library *l, const char *name, const char *path)
{
    return strcmp(l->name, name) == 0 && (path ? l->path && strcmp(l->path, path) == 0 : !l->path);
}

static void test_libraries(void)
{
    struct libraries l;

    parse("\tlinux-vdso.so.1 (0x00007ffc)\n\tlibx.so.2 => /opt/with space/libx.so.2 (0x00007f00)\n"
          "\t./liby.so (0x00007f01)\n\tlibz.so => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f02)\n", &l);
    CHECK(l.count == 4 && is(&l.list[0], "libx.so.2", "/opt/with space/libx.so.2") && is(&l.list[1], "./liby.so", "./liby.so"));
    CHECK(is(&l.list[2], "libz.so", NULL) && libraries_missing(&l) == &l.list[2]);
    CHECK(is(&l.list[3], "/lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2"));
    libraries_release(&l);

    parse("ERROR: ld.so: object 'none.so' from LD_PRELOAD cannot be preloaded (...): ignored.\n"
          "./a: error while loading shared libraries: libgone.so.1: cannot open shared object file: No such file\n", &l);
    CHECK(l.count == 1 && is(&l.list[0], "libgone.so.1", NULL));
    libraries_release(&l);

    static const char *const nothing[] = { "", "\n\n", "\t", "\tstatically linked\n", "not a dynamic executable\n", " => ",
        "x => y (0x1)", ": cannot open shared object file: error while loading shared libraries: ",
        ": error while loading shared libraries: : cannot open shared object file" };
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        parse(nothing[i], &l);
        CHECK(l.count == 0 || (i == 8 && l.count == 1));
        libraries_release(&l);
    }
}

static void test_probe(void)
{
    char *arguments[] = { (char *)"/bin/sh", (char *)"-c", NULL, NULL }, *nothing[] = { NULL };
    char *changes[] = { (char *)"GIVEN=1", (char *)"TAKEN", NULL };
    struct probe p;

    setenv("TAKEN", "x", 1);
    setenv("MALLOSCOPE_OUTPUT", "x", 1);
    setenv("MALLOSCOPE_QUIET", "x", 1);
    arguments[2] = (char *)"echo $GIVEN$TAKEN$MALLOSCOPE_OUTPUT$MALLOSCOPE_QUIET; echo err >&2; read none || exit 7";
    CHECK(probe_run(arguments, changes, 20, &p) == 0);
    CHECK(strcmp(p.output, "1\nerr\n") == 0 && WIFEXITED(p.status) && WEXITSTATUS(p.status) == 7 && !p.too_slow);
    probe_release(&p);
    unsetenv("MALLOSCOPE_OUTPUT");
    unsetenv("MALLOSCOPE_QUIET");

    arguments[2] = (char *)"exec sleep 100";
    CHECK(probe_run(arguments, nothing, 1, &p) == 0 && p.too_slow && WIFSIGNALED(p.status));
    probe_release(&p);
    arguments[2] = (char *)"head -c 3000000 /dev/zero";
    CHECK(probe_run(arguments, nothing, 20, &p) == 0 && !p.too_slow && p.status == 0 && !*p.output);
    probe_release(&p);
    arguments[0] = (char *)"/no/such/program";
    CHECK(probe_run(arguments, nothing, 20, &p) == 0 && WIFEXITED(p.status) && WEXITSTATUS(p.status) == 127);
    probe_release(&p);
}

static void write_under(const char *path, const char *text)
{
    _cleanup_free_ char *whole = format_text("root%s", path);
    _cleanup_free_ char *command = format_text("mkdir -p \"$(dirname '%s')\"", whole);
    CHECK(system(command) == 0);
    write_text(whole, text, strlen(text));
}

static void test_confinement(void)
{
    struct confinement c;

    confinement_read("root", &c);
    CHECK(c.seccomp == -1 && !c.no_new_privs && !c.selinux_enforces && !*c.apparmor);
    write_under("/proc/self/status", "Name:\tx\nNoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t3\n");
    write_under("/sys/fs/selinux/enforce", "0");
    confinement_read("root", &c);
    CHECK(c.seccomp == 0 && !c.no_new_privs && !c.selinux_enforces && !*c.apparmor);
    write_under("/proc/self/status", "Name:\tx\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n");
    write_under("/sys/fs/selinux/enforce", "1");
    write_under("/proc/self/attr/current", "unconfined_u:unconfined_r:unconfined_t:s0"); /* SELinux's */
    confinement_read("root", &c);
    CHECK(c.seccomp == 2 && c.no_new_privs && c.selinux_enforces && !*c.apparmor);
    write_under("/sys/module/apparmor/parameters/enabled", "Y\n");
    write_under("/proc/self/attr/current", "unconfined\n");
    confinement_read("root", &c);
    CHECK(!*c.apparmor);
    write_under("/proc/self/attr/current", "docker-default (enforce)\n");
    confinement_read("root", &c);
    CHECK(strcmp(c.apparmor, "docker-default (enforce)") == 0);
    write_under("/proc/self/attr/apparmor/current", "snap.x (enforce)\n");
    confinement_read("root", &c);
    CHECK(strcmp(c.apparmor, "snap.x (enforce)") == 0);
    write_under("/sys/module/apparmor/parameters/enabled", "N\n");
    confinement_read("root", &c);
    CHECK(!*c.apparmor);
}

static void test_sanitizers(void)
{
    CHECK(sanitizer_library("libasan.so.8") && sanitizer_library("x:/usr/lib/libtsan.so.2 y") &&
          sanitizer_library("libclang_rt.asan-x86_64.so"));
    CHECK(!sanitizer_library(NULL) && !sanitizer_library("") && !sanitizer_library("liblsan.so.0:libubsan.so.1") &&
          !sanitizer_library("libclang_rt.ubsan_standalone-x86_64.so"));
}

/* Nothing that a damaged file holds may crash us, or be taken for a malloc. */
static void damage(const char *path)
{
    struct stat st;
    struct program program;
    struct shim shim;
    struct libraries one = { .list = &(struct library){ (char *)"libc.so.6", (char *)"damaged" }, .count = 1 };
    struct failure failure;
    GElf_Ehdr header;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    _cleanup_free_ char *bytes = alloc_zeroed(1, (size_t)st.st_size), *changed = alloc_zeroed(1, (size_t)st.st_size);
    CHECK(read(fd, bytes, (size_t)st.st_size) == st.st_size);
    close(fd);
    memcpy(&header, bytes, sizeof header);
    for (size_t length = 0; length < (size_t)st.st_size; length += (size_t)st.st_size / 50 + 1) {
        write_text("damaged", bytes, length);
        program_read("damaged", &program);
        CHECK(shim_read("damaged", &shim) != 0 || length > header.e_phoff);
    }
    for (int round = 0; round < 300; round++) {
        memcpy(changed, bytes, (size_t)st.st_size);
        for (int i = 0; i < 8; i++) {
            /* In the header, the section headers, or anywhere. */
            uint64_t where = random_below(3), table = (uint64_t)header.e_shnum * sizeof(GElf_Shdr);
            uint64_t at = where == 0 ? random_below(sizeof header) :
                          where == 1 ? header.e_shoff + random_below(table) : random_below((uint64_t)st.st_size);
            changed[at] = (char)random_below(256);
        }
        write_text("damaged", changed, (size_t)st.st_size);
        program_read("damaged", &program);
        shim_read("damaged", &shim);
        shim_check("damaged", &one, &failure);
    }
}

static void test_files(void)
{
    struct program program;
    struct shim shim;

    CHECK(program_read("/no/such", &program) < 0 && program_read("/", &program) < 0 && program_read("/dev/null", &program) < 0);
    CHECK(shim_read("/no/such", &shim) < 0 && shim_read("/", &shim) < 0 && shim_read("/dev/null", &shim) < 0);
    CHECK(mkfifo("pipe", 0600) == 0 && program_read("pipe", &program) < 0 && shim_read("pipe", &shim) < 0);
    CHECK(program_read("/proc/self/exe", &program) == 0);
    CHECK(shim_shares_loader("/lib64/ld-linux-x86-64.so.2") || access("/lib64/ld-linux-x86-64.so.2", F_OK) != 0);
    CHECK(!shim_shares_loader("/bin/true") && !shim_shares_loader("/no/such"));
    if (system("echo 'void *malloc(unsigned long n); void *malloc(unsigned long n) { return 0; } int main(void) { return 0; }' "
               ">own.c; gcc -fno-builtin -rdynamic own.c -o own 2>/dev/null") != 0) {
        fprintf(stderr, "not tested: damaged programs (no gcc)\n");
        return;
    }
    CHECK(program_read("own", &program) == 0 && program.malloc == MALLOC_EXPORTED && !program.stripped);
    damage("own");
    damage("/bin/true");
}

int main(void)
{
    const char *parent = getenv("TMPDIR");

    snprintf(directory, sizeof directory, "%s/test_doctor.XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(directory) || chdir(directory) != 0) {
        perror(directory);
        return 2;
    }
    test_libraries();
    test_probe();
    test_confinement();
    test_sanitizers();
    test_files();
    _cleanup_free_ char *remove = format_text("rm -rf '%s'", directory);
    CHECK(chdir("/") == 0 && system(remove) == 0);
    return check_summary();
}
