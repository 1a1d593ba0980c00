/* The decisions of the kernel (binfmt_script.c, binfmt_elf.c, commoncap.c), for a
 * process that goes on as it is now. */
#include "interpose/outside/exec_target.h"

#include "interpose/inside/hints.h"
#include "interpose/inside/sys.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FIRST_BYTES 256 /* all that the kernel reads of a script's first line */
#define LEVELS 5        /* of scripts whose interpreters are scripts */
#define SEGMENTS_MAX 64
#define LOADER_BYTES 80
#define MOUNT_NOSUID 2  /* of statfs's flags */

struct image {
    int fd;
    bool readable; /* else it may only be executed */
    struct stat st;
    size_t first_bytes;
    unsigned char first[FIRST_BYTES + 1]; /* with a final 0 */
};

/* What we are built for. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static long number_of(long call)
{
    return sys_call(call, 0, 0, 0, 0, 0, 0);
}

static NOINLINE bool mount_takes_ids(const struct image *image)
{
    struct statfs mount;
    return sys_call(SYS_fstatfs, image->fd, (long)&mount, 0, 0, 0, 0) != 0 || !(mount.f_flags & MOUNT_NOSUID);
}

/* Whether the kernel would set AT_SECURE: then the loader ignores LD_PRELOAD. */
static bool changes_privileges(const struct image *image)
{
    long user = number_of(SYS_geteuid), group = number_of(SYS_getegid), real_user = number_of(SYS_getuid);
    bool sets_user = image->st.st_mode & S_ISUID;
    /* Without the group's right to execute, the bit is an old sign for mandatory locking. */
    bool sets_group = (~image->st.st_mode & (S_ISGID | S_IXGRP)) == 0;

    if ((sets_user || sets_group) && mount_takes_ids(image) &&
        sys_call(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0, 0) != 1) {
        user = sets_user ? image->st.st_uid : user;
        group = sets_group ? image->st.st_gid : group;
    }
    if (user != real_user || group != number_of(SYS_getgid))
        return true;
    return real_user != 0 && sys_call(SYS_fgetxattr, image->fd, (long)"security.capability", 0, 0, 0, 0) > 0 &&
           mount_takes_ids(image);
}

static bool is_for_us(const struct image *image)
{
    const unsigned char *own = (const unsigned char *)&__ehdr_start, *theirs = image->first;

    return theirs[EI_CLASS] == own[EI_CLASS] && theirs[EI_DATA] == own[EI_DATA] && memcmp(theirs + 18, own + 18, 2) == 0;
}

static bool read_segment(const struct image *image, const ElfW(Ehdr) *header, size_t number, ElfW(Phdr) *ret_segment)
{
    return number < header->e_phnum && number < SEGMENTS_MAX && header->e_phentsize == sizeof *ret_segment &&
           sys_pread(image->fd, ret_segment, sizeof *ret_segment, header->e_phoff + number * sizeof *ret_segment) ==
               sizeof *ret_segment;
}

/* The bytes at an address in memory, as far as they are in the file. */
static void read_address(const struct image *image, const ElfW(Ehdr) *header, uint64_t address, char *ret_bytes, size_t bytes)
{
    ElfW(Phdr) segment;

    for (size_t i = 0; read_segment(image, header, i, &segment); i++)
        if (segment.p_type == PT_LOAD && address - segment.p_vaddr < segment.p_filesz)
            sys_pread(image->fd, ret_bytes, bytes, address - segment.p_vaddr + segment.p_offset);
}

/* The dynamic section, read a piece at a time: the stack may be a small one. */
struct dynamic {
    uint64_t at, end; /* in the file; of what has not been read */
    long next, count; /* of the piece */
    ElfW(Dyn) piece[8];
};

static void dynamic_begin(struct dynamic *d, const ElfW(Phdr) *segment)
{
    enum { BYTES_MAX = 8192 };

    d->at = segment->p_offset;
    d->end = d->at + (segment->p_filesz < BYTES_MAX ? segment->p_filesz : BYTES_MAX);
    d->next = d->count = 0;
}

/* The next entry with this tag; false: there is none. */
static bool dynamic_next(struct dynamic *d, const struct image *image, int64_t tag, uint64_t *ret_value)
{
    for (;;) {
        if (d->next == d->count) {
            long got = d->at < d->end ? sys_pread(image->fd, d->piece, sizeof d->piece, d->at) : 0;
            d->next = 0;
            d->count = got > 0 ? got / (long)sizeof *d->piece : 0;
            d->at += sizeof d->piece;
            if (!d->count)
                return false;
        }
        const ElfW(Dyn) *entry = &d->piece[d->next++];
        if (entry->d_tag == DT_NULL) {
            d->at = d->end;
            d->next = d->count;
            return false;
        }
        if (entry->d_tag == tag) {
            *ret_value = entry->d_un.d_val;
            return true;
        }
    }
}

/* The address of the strings that the section's other entries are offsets in. */
static NOINLINE uint64_t strings_of(const struct image *image, const ElfW(Phdr) *segment)
{
    struct dynamic dynamic;
    uint64_t strings = 0;

    dynamic_begin(&dynamic, segment);
    dynamic_next(&dynamic, image, DT_STRTAB, &strings);
    return strings;
}

/* Without an interpreter it is static, or the loader itself, which can be run as a
 * program, to load another one; it is known by its name for other libraries. */
static NOINLINE enum rec_untraced judge_static(const struct image *image, const ElfW(Ehdr) *header,
                                               const ElfW(Phdr) *segment, uint64_t strings, bool *ret_is_loader)
{
    struct dynamic dynamic;
    uint64_t name;
    char soname[16] = "";

    dynamic_begin(&dynamic, segment);
    if (dynamic_next(&dynamic, image, DT_SONAME, &name))
        read_address(image, header, strings + name, soname, sizeof soname - 1);
    *ret_is_loader = strncmp(soname, "ld-", 3) == 0 || strncmp(soname, "ld.so", 5) == 0 || strncmp(soname, "ld64.so", 7) == 0;
    return *ret_is_loader ? REC_UNTRACED_WITHDRAWN : REC_UNTRACED_STATIC;
}

bool exec_target_is_sanitizer(const char *name)
{
    static const char *const starts[] = { "libasan.so", "libtsan.so", "libhwasan.so", "libclang_rt.asan", "libclang_rt.tsan",
                                          "libclang_rt.hwasan" };

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncmp(name, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

static NOINLINE bool needs_sanitizer(const struct image *image, const ElfW(Ehdr) *header, const ElfW(Phdr) *segment,
                                     uint64_t strings)
{
    struct dynamic dynamic;
    uint64_t needed;

    dynamic_begin(&dynamic, segment);
    while (dynamic_next(&dynamic, image, DT_NEEDED, &needed)) {
        char name[24] = "";
        read_address(image, header, strings + needed, name, sizeof name - 1);
        const char *slash = strrchr(name, '/');
        if (exec_target_is_sanitizer(slash ? slash + 1 : name))
            return true;
    }
    return false;
}

/* Of the loader's path, the end, which has its name. */
static void read_loader(const struct image *image, const ElfW(Phdr) *segment, char ret_name[LOADER_BYTES + 1])
{
    uint64_t bytes = segment->p_filesz < LOADER_BYTES ? segment->p_filesz : LOADER_BYTES;

    long got = sys_pread(image->fd, ret_name, bytes, segment->p_offset + segment->p_filesz - bytes);
    ret_name[got > 0 ? got : 0] = 0;
}

/* By the loader's name: ld-linux-x86-64.so.2, ld.so. Another C library's
 * may refuse to start with ours. */
static bool is_glibc(const char *loader)
{
    const char *slash = strrchr(loader, '/');
    const char *name = slash ? slash + 1 : loader;
    return strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld.so", 5) == 0 || strncmp(name, "ld64.so", 7) == 0;
}

static enum rec_untraced judge_program(const struct image *image, bool *ret_is_loader)
{
    ElfW(Ehdr) header;
    ElfW(Phdr) segment, dynamic_segment = { 0 };
    char loader[LOADER_BYTES + 1] = "";

    if (image->first_bytes < sizeof header)
        return REC_UNTRACED_WITHDRAWN; /* exec will fail */
    if (!is_for_us(image))
        return REC_UNTRACED_MACHINE;
    if (changes_privileges(image))
        return REC_UNTRACED_PRIVILEGED;
    memcpy(&header, image->first, sizeof header);
    for (size_t i = 0; read_segment(image, &header, i, &segment); i++) {
        if (segment.p_type == PT_DYNAMIC)
            dynamic_segment = segment;
        if (segment.p_type == PT_INTERP)
            read_loader(image, &segment, loader);
    }
    if (*loader && !is_glibc(loader))
        return REC_UNTRACED_LIBC;
    uint64_t strings = strings_of(image, &dynamic_segment);
    if (!*loader)
        return judge_static(image, &header, &dynamic_segment, strings, ret_is_loader);
    return needs_sanitizer(image, &header, &dynamic_segment, strings) ? REC_UNTRACED_SANITIZER : REC_UNTRACED_WITHDRAWN;
}

/* False: it is no file that could be executed. */
static bool open_image(const char *path, struct image *ret_image)
{
    /* Before it is opened: a pipe would let us wait, a device might do things. */
    if (sys_call(SYS_newfstatat, AT_FDCWD, (long)path, (long)&ret_image->st, 0, 0, 0) != 0 ||
        !S_ISREG(ret_image->st.st_mode))
        return false;
    ret_image->fd = (int)sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    ret_image->readable = ret_image->fd >= 0;
    if (!ret_image->readable)
        ret_image->fd = (int)sys_open(path, O_PATH, 0);
    if (ret_image->fd < 0)
        return false;
    long got = ret_image->readable ? sys_pread(ret_image->fd, ret_image->first, FIRST_BYTES, 0) : 0;
    ret_image->first_bytes = got > 0 ? (size_t)got : 0;
    ret_image->first[ret_image->first_bytes] = 0;
    return true;
}

/* The interpreter in a script's first line, made a string; NULL: it is no script. */
static char *interpreter_of(char *line)
{
    if (line[0] != '#' || line[1] != '!')
        return NULL;
    line[strcspn(line, "\n")] = 0;
    line += 2 + strspn(line + 2, " \t");
    line[strcspn(line, " \t")] = 0;
    return line;
}

enum rec_untraced exec_target_judge(const char *path, bool *ret_is_loader)
{
    struct image image;
    enum rec_untraced result = REC_UNTRACED_WITHDRAWN;
    bool is_loader = false;

    *ret_is_loader = false;
    for (int level = 0; level <= LEVELS && path && open_image(path, &image); level++) {
        bool is_elf = image.readable && memcmp(image.first, ELFMAG, SELFMAG) == 0;
        if (is_elf)
            result = judge_program(&image, level == 0 ? ret_is_loader : &is_loader);
        else if (!image.readable && changes_privileges(&image))
            result = REC_UNTRACED_PRIVILEGED;
        sys_close(image.fd);
        path = is_elf ? NULL : interpreter_of((char *)image.first);
    }
    return result;
}

static const char *search_path(void)
{
    for (char **entry = environ; entry && *entry; entry++)
        if (strncmp(*entry, "PATH=", 5) == 0)
            return *entry + 5;
    return "/bin:/usr/bin"; /* as the C library has it */
}

const char *exec_target_search(int directory, const char *file, char *ret_path, size_t bytes)
{
    struct stat st;
    size_t name = file ? strlen(file) : 0;

    if (!name || strchr(file, '/'))
        return file;
    for (const char *at = search_path();; at++) {
        size_t length = strcspn(at, ":");
        bool fits = length + 1 + name + 1 <= bytes;
        memcpy(ret_path, at, fits ? length : 0);
        char *end = ret_path + (fits ? length : 0);
        if (length)
            *end++ = '/';
        memcpy(end, file, fits ? name + 1 : 0);
        if (fits && sys_call(SYS_newfstatat, directory, (long)ret_path, (long)&st, 0, 0, 0) == 0 && S_ISREG(st.st_mode) &&
            sys_call(SYS_faccessat, directory, (long)ret_path, X_OK, 0, 0, 0) == 0)
            return ret_path;
        at += length;
        if (!*at)
            return NULL;
    }
}
