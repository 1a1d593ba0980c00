/* What would exec make of this file, and would the loader that it brings read
 * LD_PRELOAD? The hard problem: exec tells only by doing it, and a program that
 * ignores LD_PRELOAD runs well and leaves an empty log. So the decisions of the
 * kernel (exec.c, binfmt_script.c, binfmt_elf.c, commoncap.c) and of execvp are
 * repeated here. Errors are the -errno that exec would give, or -UNTRACEABLE. */
#include "analyze/launch/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define UNTRACEABLE ENOTSUP
#define OF_ENV 4096     /* added to an error that env will get, when our exec is over and has worked */
#define FIRST_BYTES 256 /* all that the kernel reads of a script: BINPRM_BUF_SIZE */
#define LEVELS 5        /* of scripts whose interpreters are scripts, as in exec_binprm() */

struct image {
    const char *path;
    int fd;
    size_t first_bytes;
    unsigned char first[FIRST_BYTES]; /* 0 past the file's end, as the kernel has them */
};

/* What this program was itself built for, and so the library next to it. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static int check_file(const char *path, unsigned level, bool by_execvp, struct target *target,
                      struct failure *ret_failure);
static int check_program(const char *program, unsigned level, char **ret_path, struct target *target,
                         struct failure *ret_failure);

static size_t read_at(int fd, void *buffer, size_t bytes, uint64_t offset)
{
    ssize_t got = pread(fd, buffer, bytes, (off_t)offset);
    return got > 0 ? (size_t)got : 0;
}

static int bad_format(const struct image *image, const char *what, struct failure *ret_failure)
{
    return fail(ret_failure, ENOEXEC, "%s: cannot execute: exec format error: %s", image->path, what);
}

/* The machine that an ELF header's first 20 bytes name; `number` holds it if no word is known. */
static const char *machine_name(const unsigned char *header, char number[32])
{
    static const struct {
        unsigned machine, class, data; /* 0: any */
        const char *name;
    } machines[] = {
        { EM_386, 0, 0, "i386" }, { EM_X86_64, ELFCLASS32, 0, "x32" }, { EM_X86_64, 0, 0, "x86-64" },
        { EM_ARM, 0, 0, "arm" }, { EM_AARCH64, 0, 0, "aarch64" }, { EM_MIPS, 0, 0, "mips" },
        { EM_S390, 0, 0, "s390x" }, { EM_PPC64, 0, ELFDATA2MSB, "ppc64" }, { EM_PPC64, 0, 0, "ppc64le" },
        { EM_RISCV, ELFCLASS32, 0, "riscv32" }, { EM_RISCV, 0, 0, "riscv64" },
    }, *end = machines + sizeof machines / sizeof *machines;
    bool big = header[EI_DATA] == ELFDATA2MSB;
    unsigned machine = (unsigned)header[big ? 18 : 19] << 8 | header[big ? 19 : 18];

    for (typeof(end) at = machines; at < end; at++)
        if (at->machine == machine && (!at->class || at->class == header[EI_CLASS]) &&
            (!at->data || at->data == header[EI_DATA]))
            return at->name;
    snprintf(number, 32, "machine %u", machine);
    return number;
}

static int check_machine(const struct image *image, struct failure *ret_failure)
{
    const unsigned char *theirs = image->first, *own = (const unsigned char *)&__ehdr_start;
    char number[32], own_number[32];
    const char *name = machine_name(theirs, number), *own_name = machine_name(own, own_number);

    if (image->first_bytes < (theirs[EI_CLASS] == ELFCLASS32 ? sizeof(Elf32_Ehdr) : sizeof(Elf64_Ehdr)) ||
        theirs[EI_CLASS] - 1u > 1 || theirs[EI_DATA] - 1u > 1)
        return bad_format(image, "its ELF header is cut short or damaged; build or copy it again", ret_failure);
    if (theirs[EI_CLASS] != own[EI_CLASS])
        return fail(ret_failure, UNTRACEABLE, "%s: a %d-bit program (%s), malloscope's library is %d-bit %s: it cannot "
                    "be loaded there; record a build for %s", image->path, 32 * theirs[EI_CLASS], name,
                    32 * own[EI_CLASS], own_name, own_name);
    if (theirs[EI_DATA] != own[EI_DATA] || memcmp(theirs + 18, own + 18, 2) != 0)
        return fail(ret_failure, UNTRACEABLE, "%s: built for %s%s, malloscope's library is for %s: it cannot be loaded "
                    "there; record a build for %s", image->path, theirs[EI_DATA] == ELFDATA2MSB ? "big-endian " : "",
                    name, own_name, own_name);
    return 0;
}

/* Whether the kernel would raise AT_SECURE, and the loader then drop LD_PRELOAD. */
static int check_privileges(const char *path, const struct stat *st, struct failure *ret_failure)
{
    struct statvfs fs;

    if (statvfs(path, &fs) == 0 && fs.f_flag & ST_NOSUID)
        return 0;
    bool sets_ids = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
    if (sets_ids && st->st_mode & S_ISUID && st->st_uid != geteuid()) {
        _cleanup_free_ char *number = format_text("user %u", st->st_uid);
        const struct passwd *user = getpwuid(st->st_uid);
        return fail(ret_failure, UNTRACEABLE, "%s: set-user-ID to %s: the kernel makes the loader ignore LD_PRELOAD; "
                    "run it as that user (or record a copy without the bit)", path, user ? user->pw_name : number);
    }
    /* Without the group's right to execute, the bit is an old sign for mandatory locking. */
    if (sets_ids && (~st->st_mode & (S_ISGID | S_IXGRP)) == 0 && st->st_gid != getegid())
        return fail(ret_failure, UNTRACEABLE, "%s: set-group-ID to group %u: the kernel makes the loader ignore "
                    "LD_PRELOAD; run it with that group (or record a copy without the bit)", path, st->st_gid);
    if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        return fail(ret_failure, UNTRACEABLE, "%s: has file capabilities: the kernel makes the loader ignore "
                    "LD_PRELOAD; run it as root (or record a copy, which has none)", path);
    return 0;
}

/* The start of its DT_SONAME, or "": a loader and a library have one, a program has no use for it. */
static void read_soname(const struct image *image, const ElfW(Phdr) *segments, size_t count, char ret_name[16])
{
    ElfW(Dyn) entry;
    uint64_t name = 0, table = 0;
    size_t at = 0;

    while (at < count && segments[at].p_type != PT_DYNAMIC)
        at++;
    for (uint64_t i = 0; at < count && i < segments[at].p_filesz / sizeof entry && i < 4096; i++) {
        if (read_at(image->fd, &entry, sizeof entry, segments[at].p_offset + i * sizeof entry) < sizeof entry ||
            entry.d_tag == DT_NULL)
            break;
        if (entry.d_tag == DT_SONAME)
            name = entry.d_un.d_val;
        else if (entry.d_tag == DT_STRTAB)
            table = entry.d_un.d_ptr;
    }
    for (size_t i = 0; name && i < count; i++)
        if (segments[i].p_type == PT_LOAD && table - segments[i].p_vaddr < segments[i].p_filesz)
            read_at(image->fd, ret_name, 15, table - segments[i].p_vaddr + segments[i].p_offset + name);
}

static int check_loader(const struct image *image, const ElfW(Phdr) *segments, size_t count,
                        struct target *target, struct failure *ret_failure)
{
    char loader[PATH_MAX], name[16] = "";
    size_t at = 0;

    while (at < count && segments[at].p_type != PT_INTERP)
        at++;
    if (at == count) {
        read_soname(image, segments, count, name);
        /* The loader itself, run as a program: ld-linux-x86-64.so.2, ld64.so.2 (ppc64le), ld.so.1 (mips). */
        if (strncmp(name, "ld-", 3) == 0 || strncmp(name, "ld.so", 5) == 0 || strncmp(name, "ld64.so", 7) == 0)
            return 0;
        return fail(ret_failure, UNTRACEABLE, *name ? "%s: a library, not a program; record a program that uses it" :
                    "%s: statically linked: the loader that would load malloscope's library is not used; relink it "
                    "dynamically", image->path);
    }
    size_t bytes = segments[at].p_filesz;
    if (bytes < 2 || bytes > sizeof loader || read_at(image->fd, loader, bytes, segments[at].p_offset) < bytes ||
        loader[bytes - 1])
        return bad_format(image, "its loader's name is damaged; build or copy it again", ret_failure);
    if (strstr(loader, "ld-musl"))
        return fail(ret_failure, UNTRACEABLE, "%s: linked with musl (its loader is %s), malloscope's library is built "
                    "for glibc: it cannot be loaded there; record a glibc build", image->path, loader);
    if (access(loader, F_OK) != 0)
        return fail(ret_failure, errno, "%s: its loader %s is missing (%s): install the C library that it was built "
                    "for, or build it here", image->path, loader, strerror(errno));
    const char *base = basename(loader);
    if (strncmp(base, "ld-linux", 8) != 0 && strncmp(base, "ld.so", 5) != 0 && strncmp(base, "ld64.so", 7) != 0)
        return fail(ret_failure, UNTRACEABLE, "%s: its loader %s is not glibc's (ld-linux...), malloscope's library is built "
                    "for glibc: it cannot be loaded there; record a glibc build", image->path, loader);
    target->loader = copy_text(loader, strlen(loader));
    return 0;
}

/* What is known of the program so far is of the one before it: of a script, or of env. */
static void set_program(struct target *target, const char *path)
{
    free(target->program);
    free(target->loader);
    target->program = copy_text(path, strlen(path));
    target->loader = NULL;
    target->is_read = false;
    target->heap = (struct program){ 0 };
}

/* With a sanitizer's runtime it would run, and end at once or crash: only because of us. */
static int check_heap(const struct image *image, struct target *target, struct failure *ret_failure)
{
    target->is_read = program_read(image->path, &target->heap) == 0;
    if (!target->is_read || !target->heap.sanitizer_library)
        return 0;
    return fail(ret_failure, UNTRACEABLE, "%s: built with -fsanitize=%s: its library %s must stand before all others, so "
                "that with malloscope's the program ends or crashes; record a build without the sanitizer", image->path,
                target->heap.sanitizer ? target->heap.sanitizer : "...", target->heap.sanitizer_library);
}

static int check_elf(const struct image *image, const struct stat *st, struct target *target,
                     struct failure *ret_failure)
{
    ElfW(Ehdr) header;
    int error = check_machine(image, ret_failure);

    if (error)
        return error;
    memcpy(&header, image->first, sizeof header);
    size_t count = header.e_phnum, bytes = count * sizeof(ElfW(Phdr));
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
        return bad_format(image, "an ELF file, but not a program (an object file? link it first)", ret_failure);
    _cleanup_free_ ElfW(Phdr) *segments = alloc_zeroed(1, bytes);
    if (header.e_phentsize != sizeof *segments || !count || bytes > 65536 ||
        read_at(image->fd, segments, bytes, header.e_phoff) < bytes)
        return bad_format(image, "its program headers are cut short or damaged; build or copy it again", ret_failure);
    for (size_t i = 0; i < count; i++) {
        /* The rest of the last page may be missing: it reads as zeros, and some tools cut there. */
        uint64_t end = ((uint64_t)st->st_size + 4095) & ~4095ull, filled = segments[i].p_filesz;
        if (segments[i].p_type == PT_LOAD && (filled > end || segments[i].p_offset > end - filled))
            return bad_format(image, "the file ends before its segments do; build or copy it again", ret_failure);
    }
    error = check_privileges(image->path, st, ret_failure);
    if (!error)
        error = check_loader(image, segments, count, target, ret_failure);
    return error ? error : check_heap(image, target, ret_failure);
}

/* The interpreter of a "#!" line, and its argument or NULL, both in `line`;
 * false: it has none that the kernel would take. */
static bool parse_line(const struct image *image, char line[FIRST_BYTES], char **ret_interpreter, char **ret_argument)
{
    memcpy(line, image->first, FIRST_BYTES);
    if (memcmp(line, "#!", 2) != 0)
        return false;
    char *newline = memchr(line, '\n', FIRST_BYTES), *end = newline ? newline : line + FIRST_BYTES - 1;
    bool cut = !newline && !strchr(" \t", *end);
    *end = 0;
    *ret_interpreter = line + 2 + strspn(line + 2, " \t");
    char *argument = *ret_interpreter + strcspn(*ret_interpreter, " \t");
    if (argument == *ret_interpreter || (cut && argument == end))
        return false;
    if (*argument)
        *argument++ = 0;
    argument += strspn(argument, " \t");
    for (size_t length = strlen(argument); length && strchr(" \t", argument[length - 1]); length--)
        argument[length - 1] = 0;
    *ret_argument = *argument ? argument : NULL;
    return true;
}

/* What `env argument` runs, or NULL where that takes more than a look. */
static char *env_program(char *argument)
{
    char *rest;

    if (strncmp(argument, "-S", 2) != 0 && strncmp(argument, "-vS", 3) != 0)
        return *argument == '-' || strchr(argument, '=') ? NULL : argument;
    argument = strchr(argument, 'S') + 1;
    if (strpbrk(argument, "\"'\\$#"))
        return NULL;
    for (char *word = strtok_r(argument, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (*word == '-' || strncmp(word, "PATH=", 5) == 0)
            return NULL;
        if (!strchr(word, '='))
            return word;
    }
    return NULL;
}

/* As shells judge it: by the first line, for an archive may follow. */
static bool looks_like_text(const struct image *image)
{
    for (size_t i = 0; i < image->first_bytes && image->first[i] != '\n'; i++)
        if (image->first[i] == 127 || (image->first[i] < ' ' && !memchr("\t\r\f\v\b\033", image->first[i], 6)))
            return false;
    return true;
}

static int check_script(const struct image *image, unsigned level, bool by_execvp, struct target *target,
                        struct failure *ret_failure)
{
    char line[FIRST_BYTES], *interpreter, *argument = NULL;
    struct failure inner;
    _cleanup_free_ char *path = NULL;

    if (!parse_line(image, line, &interpreter, &argument)) {
        /* What the kernel does not know, execvp hands to the shell. */
        if (!by_execvp || !looks_like_text(image))
            return bad_format(image, "neither an ELF program nor a #! script", ret_failure);
        interpreter = strcpy(line, "/bin/sh");
    }
    int error = check_file(interpreter, level + 1, false, target, &inner);
    char *program = argument && strcmp(basename(interpreter), "env") == 0 ? env_program(argument) : NULL;
    if (!error && program) {
        error = check_program(program, level + 1, &path, target, &inner);
        error -= error ? OF_ENV : 0;
    }
    const char *named = program ? program : interpreter;
    return !error ? 0 : fail(ret_failure, -error, "%s: its interpreter %s%s", image->path, inner.text, strchr(named, '\r')
                             ? " (its first line ends with CR LF; convert it with dos2unix)" : "");
}

static int check_file(const char *path, unsigned level, bool by_execvp, struct target *target,
                      struct failure *ret_failure)
{
    struct stat st;
    struct statvfs fs;

    if (level > LEVELS)
        return fail(ret_failure, ELOOP, "%s: scripts that are each other's interpreters, %u deep", path, level);
    bool link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
    if (stat(path, &st) != 0)
        return fail(ret_failure, errno, "%s: %s%s", path, strerror(errno), link ? " (it is a symbolic link)" : "");
    if (!S_ISREG(st.st_mode))
        return fail(ret_failure, EACCES, "%s: is a %s, not a program", path,
                    S_ISDIR(st.st_mode) ? "directory" : "device, pipe or socket");
    if (statvfs(path, &fs) == 0 && fs.f_flag & ST_NOEXEC)
        return fail(ret_failure, EACCES, "%s: on a file system mounted noexec; copy it elsewhere", path);
    if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
        return fail(ret_failure, errno, "%s: cannot execute: %s; make it executable (chmod +x)", path, strerror(errno));
    char *chain = target->chain && *target->chain ? format_text("%s -> %s", target->chain, path) : copy_text(path, strlen(path));
    free(target->chain);
    target->chain = chain;
    set_program(target, path);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return check_privileges(path, &st, ret_failure);
    struct image image = { .path = path, .fd = fd };
    image.first_bytes = read_at(fd, image.first, sizeof image.first, 0);
    return memcmp(image.first, ELFMAG, SELFMAG) == 0 ? check_elf(&image, &st, target, ret_failure) :
                                                       check_script(&image, level, by_execvp, target, ret_failure);
}

/* What execvp(program) would say; *ret_path is what it would run, always to be freed. */
static int check_program(const char *program, unsigned level, char **ret_path, struct target *target,
                         struct failure *ret_failure)
{
    size_t chain_bytes = target->chain ? strlen(target->chain) : 0;
    const char *rest = getenv("PATH") ? getenv("PATH") : "/bin:/usr/bin"; /* as glibc has it */
    int error = 0;

    *ret_path = NULL;
    if (strchr(program, '/')) {
        *ret_path = copy_text(program, strlen(program));
        return check_file(program, level, true, target, ret_failure);
    }
    do {
        int bytes = (int)strcspn(rest, ":");
        /* Never the bare name: whoever starts it would search again. */
        _cleanup_free_ char *path = format_text("%.*s/%s", bytes ? bytes : 1, bytes ? rest : ".", program);
        rest += bytes;
        if (!*program || access(path, F_OK) != 0)
            continue;
        if (target->chain) /* without what an earlier directory's has added */
            target->chain[chain_bytes] = 0;
        error = check_file(path, level, true, target, ret_failure);
        if (error != -ENOENT && error != -ENOTDIR && error != -EACCES) {
            *ret_path = path;
            path = NULL;
            return error;
        }
    } while (*rest++);
    return error ? error : fail(ret_failure, ENOENT, "%s: not found in PATH; %s", *program ? program : "''", *program &&
                access(program, F_OK) == 0 ? "write ./ before it to mean the one in this directory" :
                                             "correct the name, or give its path");
}

int target_find(const char *program, struct target *ret_target, struct failure *ret_failure)
{
    *ret_target = (struct target){ 0 };
    int error = check_program(program, 0, &ret_target->path, ret_target, ret_failure) % OF_ENV;

    if (!error)
        return 0;
    target_release(ret_target);
    /* One line, whatever bytes a name has that came out of a file. */
    for (char *at = ret_failure->text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            *at = '?';
    return error == -UNTRACEABLE ? 125 : error == -ENOENT || error == -ENOTDIR ? 127 : 126;
}

void target_release(struct target *target)
{
    if (!target)
        return;
    free(target->path);
    free(target->program);
    free(target->loader);
    free(target->chain);
    *target = (struct target){ 0 };
}
