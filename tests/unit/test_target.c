/* What target_find says, against what the system does: each sample is also
 * started with a library in LD_PRELOAD that leaves a mark, and only what gets
 * the mark may be called traceable. */
#include "analyze/launch/target.h"
#include "tests/unit/check.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NOBODY 65534
#define MARK_FD 200
#define MARKED 1000 /* the sample ran well, and the library was in it */

enum { AS_NOBODY = 1, NO_NEW_PRIVS = 2, NO_TRIAL = 4 };

static char directory[PATH_MAX];
static char *mark_library; /* NULL: no compiler, so nothing is tried */

static void write_file(const char *path, const void *bytes, size_t count, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    CHECK(fd >= 0 && write(fd, bytes, count) == (ssize_t)count && fchmod(fd, mode) == 0);
    close(fd);
}

static void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text), 0755);
}

static size_t read_file(const char *path, char **ret_bytes)
{
    struct stat st = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    *ret_bytes = alloc_zeroed(1, (size_t)st.st_size);
    CHECK(read(fd, *ret_bytes, (size_t)st.st_size) == st.st_size);
    close(fd);
    return (size_t)st.st_size;
}

static void copy_file(const char *from, const char *to, mode_t mode)
{
    _cleanup_free_ char *bytes = NULL;
    size_t count = read_file(from, &bytes);
    write_file(to, bytes, count, mode);
}

static bool builds(const char *name, const char *compiler, const char *source)
{
    _cleanup_free_ char *command = format_text("printf '%%s\\n' '%s' >source.c && %s source.c -o %s >/dev/null 2>&1",
                                               source, compiler, name);
    bool built = system(command) == 0;
    if (!built)
        fprintf(stderr, "not tested: `%s` cannot build %s\n", compiler, name);
    return built;
}

static int find_verdict(const char *program, struct failure *ret_failure)
{
    struct target target;
    int code = target_find(program, &target, ret_failure);

    CHECK(code ? !target.path && *ret_failure->text && !strchr(ret_failure->text, '\n') : target.path != NULL);
    target_release(&target);
    return code;
}

/* MARKED, another exit status, or -errno of the exec; the argument is for a loader that is run as a program. */
static int try_it(const char *program, unsigned how)
{
    int pipe_fds[2], status = 0, error = 0;
    char *argv[] = { (char *)program, (char *)"./true", NULL };
    char said;

    CHECK(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        for (int fd = 0; fd < 3; fd++)
            dup2(null, fd);
        dup2(pipe_fds[1], MARK_FD);
        if (how & AS_NOBODY && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
                                setresuid(NOBODY, NOBODY, NOBODY)))
            _exit(99);
        if (how & NO_NEW_PRIVS)
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        setenv("LD_PRELOAD", mark_library, 1);
        alarm(20);
        execvp(program, argv);
        error = errno;
        _exit(write(MARK_FD, &error, sizeof error) == sizeof error ? 98 : 99);
    }
    close(pipe_fds[1]);
    waitpid(pid, &status, 0);
    char bytes[64];
    ssize_t got = read(pipe_fds[0], bytes, sizeof bytes);
    close(pipe_fds[0]);
    memcpy(&said, bytes, 1);
    if (got > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 98) {
        memcpy(&error, bytes, sizeof error);
        return -error;
    }
    /* With another status it was the shell, choking on what the kernel would not run. */
    return got > 0 && said == 'M' && status == 0 ? MARKED : WIFEXITED(status) ? WEXITSTATUS(status) :
                                                                                128 + WTERMSIG(status);
}

static int verdict_as(const char *program, unsigned how, struct failure *ret_failure)
{
    int status = 0;

    if (!(how & (AS_NOBODY | NO_NEW_PRIVS)))
        return find_verdict(program, ret_failure);
    snprintf(ret_failure->text, sizeof ret_failure->text, "(said in a child)");
    pid_t pid = fork();
    if (pid == 0) {
        if (how & AS_NOBODY && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
                                setresuid(NOBODY, NOBODY, NOBODY)))
            _exit(99);
        if (how & NO_NEW_PRIVS)
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        _exit(find_verdict(program, ret_failure));
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* words: what the message must have, in this order, between '|'. */
static void expect_as(const char *program, unsigned how, int code, const char *words)
{
    struct failure failure;
    int said = verdict_as(program, how, &failure);
    bool right = said == code;

    if (said && !(how & (AS_NOBODY | NO_NEW_PRIVS))) {
        _cleanup_free_ char *copy = copy_text(words, strlen(words));
        char *rest, *at = failure.text;
        for (char *word = strtok_r(copy, "|", &rest); word && at; word = strtok_r(NULL, "|", &rest))
            at = strstr(at, word);
        right = right && at;
    }
    if (!right)
        fprintf(stderr, "%s: expected %d with '%s', got %d: %s\n", program, code, words, said, said ? failure.text : "");
    CHECK(right);
    if (!mark_library || how & NO_TRIAL)
        return;
    int happened = try_it(program, how);
    right = (code == 0) == (happened == MARKED);
    if (!right)
        fprintf(stderr, "%s: verdict %d, but when started: %d\n", program, said, happened);
    CHECK(right);
    /* EACCES: of a directory in PATH, which shells pass over in silence. */
    if (code == 127 && how == 0)
        CHECK(happened == -ENOENT || happened == -ENOTDIR || happened == -ENAMETOOLONG || happened == -EACCES);
}

static void expect(const char *program, int code, const char *words)
{
    expect_as(program, 0, code, words);
}

static void make_scripts_chain(const char *last, int count)
{
    for (int i = 1; i <= count; i++) {
        _cleanup_free_ char *name = format_text("chain%d", i);
        _cleanup_free_ char *text = i == 1 ? format_text("#!%s\n", last) :
                                             format_text("#!%s/chain%d\n", directory, i - 1);
        write_text(name, text);
    }
}

/* A program header table of up to three entries behind a header, both of this
 * machine unless said otherwise; strings at 512, a dynamic section at 1024. */
struct sample {
    unsigned char class, data;
    unsigned machine, type;
    const char *interpreter, *soname;
    size_t interpreter_bytes; /* 0: all, with the end */
};

static void write_elf(const char *path, struct sample sample)
{
    unsigned char file[4096] = { 0 };
    Elf64_Ehdr own, header = { 0 };
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    CHECK(read(fd, &own, sizeof own) == sizeof own);
    close(fd);
    memcpy(header.e_ident, own.e_ident, EI_NIDENT);
    if (sample.class)
        header.e_ident[EI_CLASS] = sample.class;
    if (sample.data)
        header.e_ident[EI_DATA] = sample.data;
    unsigned machine = sample.machine ? sample.machine : own.e_machine;
    bool swapped = header.e_ident[EI_DATA] != own.e_ident[EI_DATA];
    header.e_machine = (Elf64_Half)(swapped ? (machine & 255) << 8 | machine >> 8 : machine);
    header.e_type = (Elf64_Half)(sample.type ? sample.type : ET_DYN);
    header.e_version = EV_CURRENT;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    Elf64_Phdr segments[3] = { { .p_type = PT_LOAD, .p_vaddr = 0x10000, .p_filesz = sizeof file,
                                 .p_memsz = sizeof file, .p_flags = PF_R } };
    header.e_phnum = 1;
    if (sample.interpreter) {
        size_t bytes = sample.interpreter_bytes ? sample.interpreter_bytes : strlen(sample.interpreter) + 1;
        memcpy(file + 512, sample.interpreter, strlen(sample.interpreter) + 1);
        segments[header.e_phnum++] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = 512, .p_filesz = bytes };
    }
    if (sample.soname) {
        Elf64_Dyn dynamic[] = { { DT_SONAME, { 7 } }, { DT_STRTAB, { 0x10000 + 768 } }, { DT_NULL, { 0 } } };
        memcpy(file + 768 + 7, sample.soname, strlen(sample.soname) + 1);
        memcpy(file + 1024, dynamic, sizeof dynamic);
        segments[header.e_phnum++] = (Elf64_Phdr){ .p_type = PT_DYNAMIC, .p_offset = 1024, .p_filesz = sizeof dynamic };
    }
    memcpy(file, &header, sizeof header);
    memcpy(file + sizeof header, segments, sizeof segments);
    write_file(path, file, sizeof file, 0755);
}

static void test_plain(void)
{
    expect("/bin/true", 0, "");
    expect("./true", 0, "");
    expect_as("/bin/sh", NO_TRIAL, 0, ""); /* chokes on the argument */
    expect("", 127, "''");
    expect("./missing", 127, "./missing: No such file");
    expect("./true/below", 127, "Not a directory");
    expect("/", 126, "/: is a directory");
    expect(".", 126, "/.: is a directory");
    expect("/dev/null", 126, "device");
    copy_file("/bin/true", "not-executable", 0644);
    expect("./not-executable", 126, "./not-executable: cannot execute: Permission denied|chmod +x");
    CHECK(symlink("nowhere", "dangling") == 0 && symlink("true", "good-link") == 0 && symlink("loop", "loop") == 0);
    expect("./dangling", 127, "./dangling: No such file|symbolic link");
    expect("./good-link", 0, "");
    expect("./loop", 126, "Too many levels");
    _cleanup_free_ char *name = alloc_zeroed(1, 300);
    memset(name, 'n', 299);
    _cleanup_free_ char *path = format_text("./%s", name);
    expect(path, 126, "too long");
    expect(name, 127, "not found in PATH");
    target_release(NULL);
}

static void test_shell_texts(void)
{
    write_text("text", "exit 0\n");
    write_text("utf8", "# \xc3\xa4\nexit 0\n");
    write_text("archive", "exit 0\n\x01\x02 binary follows");
    write_text("empty", "");
    write_file("garbage", "\x01\x02\0\x03\0\0\x04junk", 11, 0755);
    write_file("zeros", "ab\0\0", 4, 0755);
    expect("./text", 0, "");
    expect("./utf8", 0, "");
    expect("./archive", 0, "");
    expect("./empty", 0, "");
    expect_as("./garbage", NO_TRIAL, 126, "./garbage: cannot execute: exec format error: neither");
    expect_as("./zeros", NO_TRIAL, 126, "exec format error");
}

static void test_scripts(void)
{
    static const struct {
        const char *line;
        int code;
        const char *words;
    } lines[] = {
        { "#!/bin/sh\n", 0, "" },
        { "#!/bin/sh", 0, "" },
        { "#! \t /bin/sh \t\n", 0, "" },
        { "#!/bin/sh -e\n", 0, "" },
        { "#!./true\n", 0, "" },
        { "#!\n", 0, "" }, /* nothing that the kernel takes: execvp gives it to the shell */
        { "#! \t \n", 0, "" },
        { "#!/bin/sh\r\n", 127, "./script: its interpreter /bin/sh?: No such file|CR LF" },
        { "#!/no/such -x\n", 127, "./script: its interpreter /no/such: No such file" },
        { "#!./not-executable\n", 126, "./script: its interpreter ./not-executable: cannot execute" },
        { "#!./\n", 126, "is a directory" },
        { "#!sh\n", 127, "its interpreter sh: No such file" }, /* no PATH here */
        { "#!/usr/bin/env true\n", 0, "" },
        { "#!/usr/bin/env  true  \n", 0, "" },
        { "#!/usr/bin/env -S true -x\n", 0, "" },
        { "#!/usr/bin/env -vS A=1 B=2 true\n", 0, "" },
        { "#!/usr/bin/env -Strue\n", 0, "" },
        { "#!/usr/bin/env -S PATH=/bin true\n", 0, "" },
    }, not_tried[] = {
        /* env runs its second argument, the script, for ever. */
        { "#! /usr/bin/env\n", 0, "" },
        { "#!/usr/bin/env A=1\n", 0, "" },
        /* The library is in env, which runs and fails: a trial proves nothing. */
        { "#!/usr/bin/env -S -u A no-such-program\n", 0, "" }, /* not looked through */
        { "#!/usr/bin/env -S PATH=./bin no-such-program\n", 0, "" },
        /* A shell's answer; execvp would have /bin/sh read the script. */
        { "#!./text\n", 126, "./script: its interpreter ./text: cannot execute: exec format error" },
        { "#!/usr/bin/env no-such-program\n", 127, "./script: its interpreter no-such-program: not found in PATH" },
        { "#!/usr/bin/env true\r\n", 127, "its interpreter true?: not found in PATH|CR LF" },
        { "#!/usr/bin/env true -x\n", 127, "its interpreter true -x: not found in PATH" },
        { "#!/usr/bin/env -S A=1 no-such-program -x\n", 127, "no-such-program: not found" },
        { "#!/usr/bin/env ./not-executable\n", 126, "./not-executable: cannot execute" },
        { "#!/usr/bin/env ./script\n", 126, "./script: its interpreter ./script: " },
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        _cleanup_free_ char *text = format_text("%sexit 0\n", lines[i].line);
        if (strchr(lines[i].line, '\n'))
            write_text("script", text);
        else
            write_text("script", lines[i].line);
        expect("./script", lines[i].code, lines[i].words);
    }
    for (size_t i = 0; i < sizeof not_tried / sizeof *not_tried; i++) {
        write_text("script", not_tried[i].line);
        expect_as("./script", NO_TRIAL, not_tried[i].code, not_tried[i].words);
    }
    make_scripts_chain("/bin/true", 7);
    expect("./chain5", 0, "");
    expect("./chain6", 126, "./chain6: its interpreter|chain5: |chain1|/bin/true: ");
    make_scripts_chain("/no/such", 3);
    expect("./chain3", 127, "./chain3: its interpreter|chain2: its interpreter|chain1: its interpreter /no/such: No");
}

/* Around the kernel's 256 bytes, the line's end and the file's end in every position. What ends past them the
 * kernel does not take, so that the shell runs it: then even an interpreter that is missing does no harm. */
static void test_long_lines(void)
{
    static const char *const interpreters[] = { "/bin/true", "/no///such" };

    for (size_t length = 240; length < 270; length++)
        for (size_t i = 0; i < 2; i++)
            for (int end = 0; end < 3; end++) {
                char text[512] = "#!";
                struct failure failure;
                size_t bytes = length, name_bytes = strlen(interpreters[i]);
                memset(text + 2, '/', length - 2);
                memcpy(text + length - name_bytes, interpreters[i], name_bytes);
                if (end)
                    text[bytes++] = end == 1 ? '\n' : ' ';
                write_file("long", text, bytes, 0755);
                int code = find_verdict("./long", &failure);
                CHECK(code == 0 || (i == 1 && code == 127));
                if (mark_library && !CHECK((code == 0) == (try_it("./long", 0) == MARKED)))
                    printf("a line of %zu bytes, end %d, %s: verdict %d\n", length, end, interpreters[i], code);
            }
}

static void test_path(void)
{
    _cleanup_free_ char *saved = copy_text(getenv("PATH"), strlen(getenv("PATH")));
    struct target target;
    struct failure failure;

    CHECK(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0 && mkdir("a/folder", 0755) == 0);
    copy_file("/bin/true", "a/tool", 0644);
    copy_file("/bin/true", "b/tool", 0755);
    copy_file("/bin/true", "here", 0755);
    copy_file("/bin/true", "b/broken", 0755);
    copy_file("/bin/true", "b/env-broken", 0755);
    write_text("a/broken", "#!/no/such\n");
    write_text("a/env-broken", "#!/usr/bin/env no-such-program\n");
    CHECK(symlink("nowhere", "a/gone") == 0);
    _cleanup_free_ char *both = format_text("/no/such:%s/a:%s/b", directory, directory);
    _cleanup_free_ char *found = format_text("%s/b/tool", directory);
    _cleanup_free_ char *first = format_text("%s/a", directory);
    _cleanup_free_ char *empty_first = format_text(":%s/a", directory);

    setenv("PATH", both, 1);
    expect("tool", 0, "");
    CHECK(target_find("tool", &target, &failure) == 0 && strcmp(target.path, found) == 0);
    target_release(&target);
    expect("broken", 0, "");
    expect_as("env-broken", NO_TRIAL, 127, "/a/env-broken: its interpreter no-such-program: not found");
    expect("gone", 127, "gone: not found in PATH");
    expect("here", 127, "here: not found in PATH; write ./");
    expect("b/tool", 0, "");
    setenv("PATH", first, 1);
    expect("tool", 126, "/a/tool: cannot execute");
    expect("folder", 126, "/a/folder: is a directory");
    expect("broken", 127, "/a/broken: its interpreter /no/such: No such file");
    setenv("PATH", empty_first, 1);
    expect("here", 0, "");
    CHECK(target_find("here", &target, &failure) == 0 && strcmp(target.path, "./here") == 0);
    target_release(&target);
    setenv("PATH", "", 1);
    expect("here", 0, "");
    unsetenv("PATH");
    expect("true", 0, "");
    setenv("PATH", saved, 1);
    expect("no-such-program", 127, "no-such-program: not found in PATH; correct");
}

static void test_machines(void)
{
    static const struct {
        struct sample sample;
        const char *words;
    } others[] = {
        { { .class = ELFCLASS64, .data = ELFDATA2LSB, .machine = EM_AARCH64 }, "built for aarch64, |library is for" },
        { { .class = ELFCLASS64, .data = ELFDATA2LSB, .machine = EM_RISCV }, "built for riscv64, " },
        { { .class = ELFCLASS64, .data = ELFDATA2LSB, .machine = EM_PPC64 }, "built for ppc64le, " },
        { { .class = ELFCLASS64, .data = ELFDATA2MSB, .machine = EM_PPC64 }, "built for big-endian ppc64, " },
        { { .class = ELFCLASS64, .data = ELFDATA2MSB, .machine = EM_S390 }, "built for big-endian s390x, " },
        { { .class = ELFCLASS64, .data = ELFDATA2LSB, .machine = 9999 }, "built for machine 9999, " },
        { { .class = ELFCLASS32, .data = ELFDATA2LSB, .machine = EM_386 }, "a 32-bit program (i386), |library is 64-bit" },
        { { .class = ELFCLASS32, .data = ELFDATA2LSB, .machine = EM_ARM }, "a 32-bit program (arm), " },
        { { .class = ELFCLASS32, .data = ELFDATA2LSB, .machine = EM_X86_64 }, "a 32-bit program (x32), " },
        { { .class = ELFCLASS32, .data = ELFDATA2MSB, .machine = EM_MIPS }, "a 32-bit program (mips), " },
    };
    Elf64_Ehdr own;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    CHECK(read(fd, &own, sizeof own) == sizeof own);
    close(fd);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (others[i].sample.machine == own.e_machine && others[i].sample.class == own.e_ident[EI_CLASS])
            continue;
        write_elf("other", others[i].sample);
        expect("./other", 125, others[i].words);
    }
    write_text("script", "#!./other\n");
    expect_as("./script", NO_TRIAL, 125, "./script: its interpreter ./other: a 32-bit program (mips)");
    if (builds("thirty-two", "gcc -m32", "int main(void){return 0;}"))
        expect("./thirty-two", 125, "./thirty-two: a 32-bit program (i386), malloscope's library is 64-bit x86-64");
}

static void test_linking(void)
{
    static const char main_source[] = "int main(void){return 0;}";

    if (builds("static", "gcc -static -no-pie", main_source)) {
        expect("./static", 125, "./static: statically linked: |relink it dynamically");
        write_text("script", "#!./static\n");
        expect("./script", 125, "./script: its interpreter ./static: statically linked");
        write_text("script", "#!/usr/bin/env -S A=1 ./static\n");
        expect_as("./script", NO_TRIAL, 125, "./script: its interpreter ./static: statically linked");
    }
    if (builds("static-pie", "gcc -static-pie", main_source))
        expect("./static-pie", 125, "./static-pie: statically linked");
    if (builds("fixed", "gcc -no-pie", main_source))
        expect("./fixed", 0, "");
    if (builds("musl", "musl-gcc", main_source))
        expect_as("./musl", NO_TRIAL, 125, "./musl: linked with musl (its loader is /lib/ld-musl|glibc");
    if (builds("musl-static", "musl-gcc -static", main_source))
        expect("./musl-static", 125, "statically linked");
    if (builds("libsome.so", "gcc -shared -fPIC -Wl,-soname,libsome.so", "int some(void){return 0;}"))
        expect("./libsome.so", 125, "./libsome.so: a library");
    if (builds("object.o", "gcc -c", main_source)) {
        CHECK(chmod("object.o", 0755) == 0);
        expect("./object.o", 126, "exec format error: an ELF file, but not a program");
    }
    write_elf("other", (struct sample){ .interpreter = "/lib/ld-musl-none.so.1" });
    expect("./other", 125, "linked with musl");
    write_elf("other", (struct sample){ .interpreter = "/no/such-loader.so" });
    expect("./other", 127, "./other: its loader /no/such-loader.so is missing");
    write_elf("other", (struct sample){ .interpreter = "/bin/true", .interpreter_bytes = 5 });
    expect("./other", 126, "exec format error: its loader's name is damaged");
    write_elf("other", (struct sample){ .interpreter = "/", .interpreter_bytes = 1 });
    expect("./other", 126, "its loader's name is damaged");
    write_elf("other", (struct sample){ .interpreter = "/", .interpreter_bytes = 5000 });
    expect("./other", 126, "its loader's name is damaged");
    write_elf("other", (struct sample){ .soname = "libother.so.1" });
    expect("./other", 125, "a library");
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = { "ld-linux-other.so.2", "ld64.so.2", "ld.so.1" };
        write_elf("other", (struct sample){ .soname = names[i] });
        expect_as("./other", NO_TRIAL, 0, "");
    }
    if (access("/lib64/ld-linux-x86-64.so.2", X_OK) == 0)
        expect("/lib64/ld-linux-x86-64.so.2", 0, "");
}

static void test_privileges(void)
{
    struct statvfs fs;

    if (geteuid() != 0 || statvfs(".", &fs) != 0 || fs.f_flag & ST_NOSUID) {
        fprintf(stderr, "not tested: set-user-ID, file capabilities (needs root, and no nosuid)\n");
        return;
    }
    copy_file("/bin/true", "set-id", 0755);
    CHECK(chown("set-id", NOBODY, 0) == 0 && chmod("set-id", 04755) == 0);
    expect("./set-id", 125, "./set-id: set-user-ID to nobody: |LD_PRELOAD; run it as that user (or record a copy");
    expect_as("./set-id", AS_NOBODY, 0, "");
    expect_as("./set-id", NO_NEW_PRIVS, 0, "");
    write_text("script", "#!./set-id\n");
    expect("./script", 125, "./script: its interpreter ./set-id: set-user-ID to nobody");
    CHECK(chown("set-id", 54321, 0) == 0 && chmod("set-id", 04755) == 0);
    expect("./set-id", 125, "set-user-ID to user 54321: ");
    CHECK(chown("set-id", 0, 0) == 0 && chmod("set-id", 04755) == 0);
    expect("./set-id", 0, "");
    expect_as("./set-id", AS_NOBODY, 125, "");
    CHECK(chmod("set-id", 04711) == 0); /* cannot be read, and yet refused */
    expect_as("./set-id", AS_NOBODY, 125, "");
    CHECK(chmod("set-id", 0711) == 0);
    expect_as("./set-id", AS_NOBODY, 0, "");
    CHECK(chmod("set-id", 0700) == 0);
    expect_as("./set-id", AS_NOBODY, 126, "");
    CHECK(chown("set-id", 0, NOBODY) == 0 && chmod("set-id", 02755) == 0);
    expect("./set-id", 125, "./set-id: set-group-ID to group 65534: ");
    expect_as("./set-id", AS_NOBODY, 0, "");
    CHECK(chmod("set-id", 02745) == 0);
    expect("./set-id", 0, "");
    write_text("script", "#!/bin/sh\n");
    CHECK(chown("script", NOBODY, NOBODY) == 0 && chmod("script", 06755) == 0);
    expect("./script", 0, "");

    struct vfs_cap_data capability = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
                                       .data = { { .permitted = 1 << CAP_NET_RAW } } };
    copy_file("/bin/true", "capable", 0755);
    if (setxattr("capable", "security.capability", &capability, XATTR_CAPS_SZ_2, 0) != 0) {
        fprintf(stderr, "not tested: file capabilities (%s)\n", strerror(errno));
        return;
    }
    expect("./capable", 0, "");
    expect_as("./capable", AS_NOBODY, 125, "");
    expect_as("./capable", AS_NOBODY | NO_NEW_PRIVS, 125, "");
}

/* In a mount namespace of this process's own. */
static void test_mounts(void)
{
    CHECK(mkdir("mounted", 0755) == 0);
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "mounted", "tmpfs", MS_NOSUID, "mode=755") != 0) {
        fprintf(stderr, "not tested: noexec and nosuid file systems (cannot mount)\n");
        return;
    }
    copy_file("/bin/true", "mounted/true", 0755);
    CHECK(chown("mounted/true", NOBODY, NOBODY) == 0 && chmod("mounted/true", 06755) == 0);
    expect("mounted/true", 0, "");
    write_text("script", "#!mounted/true\n");
    CHECK(mount("none", "mounted", NULL, MS_REMOUNT | MS_NOEXEC, NULL) == 0);
    expect("mounted/true", 126, "mounted/true: on a file system mounted noexec");
    expect("./script", 126, "./script: its interpreter mounted/true: on a file system mounted noexec");
    CHECK(umount("mounted") == 0);
}

/* What is known of a program that passes. */
static void expect_chain(const char *program, const char *chain, const char *last, bool has_loader)
{
    struct target target;
    struct failure failure;

    CHECK(target_find(program, &target, &failure) == 0);
    bool right = target.chain && strcmp(target.chain, chain) == 0 && strcmp(target.program, last) == 0 &&
                 !!target.loader == has_loader && target.is_read;
    if (!CHECK(right))
        printf("%s: chain %s, program %s, loader %s\n", program, target.chain, target.program, target.loader);
    target_release(&target);
    CHECK(!target.path && !target.chain && !target.program && !target.loader);
}

static void test_chains(void)
{
    _cleanup_free_ char *saved = copy_text(getenv("PATH"), strlen(getenv("PATH")));
    _cleanup_free_ char *path = format_text("%s/a:%s/b", directory, directory);
    _cleanup_free_ char *found = format_text("%s/b/late", directory), *script = format_text("#!%s/link\n", directory);
    _cleanup_free_ char *chain = format_text("./script -> %s/link", directory), *last = format_text("%s/link", directory);
    _cleanup_free_ char *by_env = format_text("./script -> /usr/bin/env -> %s", found);

    expect_chain("./true", "./true", "./true", true);
    CHECK(symlink("true", "link") == 0);
    write_text("script", script);
    expect_chain("./script", chain, last, true);
    write_text("script", "no line that the kernel takes\n");
    expect_chain("./script", "./script -> /bin/sh", "/bin/sh", true);
    /* What an earlier directory of PATH has and execvp passes over is not in it. */
    write_text("a/late", "#!/no/such\n");
    copy_file("/bin/true", "b/late", 0755);
    setenv("PATH", path, 1);
    expect_chain("late", found, found, true);
    CHECK(unlink("a/late") == 0);
    write_text("script", "#!/usr/bin/env late\n");
    expect_chain("./script", by_env, found, true);
    setenv("PATH", saved, 1);
    if (access("/lib64/ld-linux-x86-64.so.2", X_OK) == 0)
        expect_chain("/lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2", false);
}

/* Whose malloc: what the symbols tell; cli/test_doctor.py records such programs. */
static void test_heaps(void)
{
    static const char own[] = "void *malloc(unsigned long n); void free(void *p); WHERE void *malloc(unsigned long n) "
                              "{ return 0; } WHERE void free(void *p) { } int main(void) { free(malloc(1)); return 0; }";
    static const struct {
        const char *compiler;
        enum own_malloc wanted;
    } builds_of[] = {
        { "gcc -fno-builtin -DWHERE=", MALLOC_EXPORTED }, { "gcc -fno-builtin -no-pie -fno-pie -DWHERE=", MALLOC_EXPORTED },
        { "gcc -fno-builtin -rdynamic -DWHERE=", MALLOC_EXPORTED },
        { "gcc -fno-builtin -rdynamic -s -DWHERE=", MALLOC_EXPORTED },
        { "gcc -fno-builtin \"-DWHERE=__attribute__((visibility(\\\"hidden\\\")))\"", MALLOC_HIDDEN },
        { "gcc -fno-builtin -s \"-DWHERE=__attribute__((visibility(\\\"hidden\\\")))\"", MALLOC_NOT_OWN },
    };
    struct target target;
    struct failure failure;

    for (size_t i = 0; i < sizeof builds_of / sizeof *builds_of; i++) {
        if (!builds("own", builds_of[i].compiler, own))
            continue;
        CHECK(target_find("./own", &target, &failure) == 0 && target.is_read);
        if (!CHECK(target.heap.malloc == builds_of[i].wanted))
            printf("%s: %d\n", builds_of[i].compiler, target.heap.malloc);
        _cleanup_free_ char *text = program_own_heap(&target.heap);
        CHECK(!text == (builds_of[i].wanted == MALLOC_NOT_OWN));
        target_release(&target);
        /* env's is not taken for the program's, nor the program's for that of what follows. */
        write_text("script", "#!/usr/bin/env -S ./own\n");
        CHECK(target_find("./script", &target, &failure) == 0 && target.heap.malloc == builds_of[i].wanted);
        target_release(&target);
    }
    CHECK(target_find("/usr/bin/env", &target, &failure) == 0 && target.heap.malloc == MALLOC_NOT_OWN);
    target_release(&target);
    for (int i = 0; i < 2; i++) {
        static const char *const kinds[] = { "gcc -fsanitize=address", "gcc -fsanitize=thread" };
        if (builds("sane", kinds[i], "int main(void){return 0;}"))
            expect_as("./sane", NO_TRIAL, 125, i ? "-fsanitize=thread|libtsan.so" : "-fsanitize=address|libasan.so");
    }
}

static void test_damage(void)
{
    static const char *const samples[] = { "/bin/true", "./static-pie", "/lib64/ld-linux-x86-64.so.2" };
    struct failure failure;
    unsigned refused = 0;

    for (size_t s = 0; s < sizeof samples / sizeof *samples; s++) {
        _cleanup_free_ char *bytes = NULL;
        if (access(samples[s], R_OK) != 0)
            continue;
        size_t count = read_file(samples[s], &bytes);
        write_file("cut", bytes, 0, 0755);
        expect("./cut", 0, "");
        for (size_t length = 1; length <= 200; length++) {
            write_file("cut", bytes, length, 0755);
            CHECK(find_verdict("./cut", &failure) == 126 && strstr(failure.text, "exec format error"));
        }
        write_file("cut", bytes, count / 2, 0755);
        expect_as("./cut", NO_TRIAL, 126, "exec format error: the file ends before its segments do");
        write_file("cut", bytes, count, 0755);
        int fd = open("cut", O_WRONLY | O_CLOEXEC);
        for (off_t at = 0; at < 1024; at++)
            for (unsigned bit = 0; bit < 10; bit++) {
                char flipped = (char)(bit < 8 ? bytes[at] ^ 1 << bit : bit == 8 ? 0xff : 0);
                CHECK(pwrite(fd, &flipped, 1, at) == 1);
                refused += find_verdict("./cut", &failure) != 0;
                CHECK(pwrite(fd, bytes + at, 1, at) == 1);
            }
        /* Each segment, the dynamic one among them, lying anywhere. */
        Elf64_Ehdr header;
        memcpy(&header, bytes, sizeof header);
        for (size_t i = 0; i < header.e_phnum; i++)
            for (uint64_t value = 1; value; value <<= 1) {
                Elf64_Phdr segment, wild;
                off_t at = (off_t)(header.e_phoff + i * sizeof segment);
                memcpy(&segment, bytes + at, sizeof segment);
                wild = segment;
                wild.p_offset = value - 1;
                wild.p_filesz = UINT64_MAX - value;
                CHECK(pwrite(fd, &wild, sizeof wild, at) == sizeof wild);
                find_verdict("./cut", &failure);
                CHECK(pwrite(fd, &segment, sizeof segment, at) == sizeof segment);
            }
        close(fd);
    }
    CHECK(refused > 1000);
}

int main(void)
{
    const char *parent = getenv("TMPDIR");
    snprintf(directory, sizeof directory, "%s/test_target.XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(directory) || chdir(directory) != 0 || chmod(directory, 0755) != 0) {
        perror(directory);
        return 2;
    }
    if (builds("mark.so", "gcc -shared -fPIC", "#include <unistd.h>\n__attribute__((constructor)) static void "
               "mark(void) { if (write(200, \"M\", 1) < 0) return; }"))
        mark_library = format_text("%s/mark.so", directory);
    copy_file("/bin/true", "true", 0755);
    test_plain();
    test_shell_texts();
    test_scripts();
    test_long_lines();
    test_path();
    test_machines();
    test_linking();
    test_privileges();
    test_mounts();
    test_chains();
    test_heaps();
    test_damage();
    free(mark_library);
    _cleanup_free_ char *remove = format_text("rm -rf '%s'", directory);
    CHECK(chdir("/") == 0 && system(remove) == 0);
    return check_summary();
}
