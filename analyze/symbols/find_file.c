/* Where debug files are is a convention of GDB's that all distributions follow: by
 * build-id under /usr/lib/debug/.build-id, or by the name in .gnu_debuglink, beside the
 * binary, in .debug there, or in its directory's likeness under /usr/lib/debug. */
#include "analyze/symbols/find_file.h"

#include "analyze/symbols/debuginfod.h"
#include "analyze/symbols/elf_file.h"
#include "analyze/symbols/sysroot.h"
#include "analyze/symbols/vdso.h"
#include "analyze/util.h"
#include "format/checksum.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_DEBUG_PATH "/usr/lib/debug"
#define BUILD_ID_BYTES_MAX 64

/* ---- where to look --------------------------------------------------------------- */

/* The n-th directory of debug files, and the root that it is below; NULL: there are no more. To be freed. */
static char *debug_path(const struct symbols_options *o, size_t n, const char **ret_root)
{
    *ret_root = o->debug_paths ? NULL : o->sysroot;
    if (!o->debug_paths)
        return n ? NULL : copy_text(DEFAULT_DEBUG_PATH, strlen(DEFAULT_DEBUG_PATH));
    const char *at = o->debug_paths;
    for (; n; n--) {
        at = strchr(at, ':');
        if (!at)
            return NULL;
        at++;
    }
    return copy_text(at, strcspn(at, ":"));
}

static char *build_id_path(const char *directory, const uint8_t *build_id, size_t bytes)
{
    char text[2 * BUILD_ID_BYTES_MAX + 1];

    for (size_t i = 0; i < bytes; i++)
        sprintf(text + 2 * i, "%02x", build_id[i]);
    return format_text("%s/.build-id/%.2s/%s.debug", directory, text, text + 2);
}

/* ---- what is taken ----------------------------------------------------------------- */

static uint64_t stamp_of(const struct stat *st)
{
    const uint64_t all[] = { st->st_dev, st->st_ino, (uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec,
                             (uint64_t)st->st_mtim.tv_nsec };
    return checksum(all, sizeof all);
}

static uint32_t crc_of(int fd)
{
    static uint32_t table[256];
    uint32_t crc = ~0u;
    uint8_t buffer[65536];
    ssize_t got;

    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
        table[i] = c;
    }
    for (off_t at = 0; (got = pread(fd, buffer, sizeof buffer, at)) > 0; at += got)
        for (ssize_t i = 0; i < got; i++)
            crc = table[(crc ^ buffer[i]) & 0xff] ^ crc >> 8;
    return ~crc;
}

/* What the debug file must be: its build-id, or where there is none its checksum. */
struct wanted {
    const uint8_t *build_id;
    size_t build_id_bytes;
    bool has_crc;
    uint32_t crc;
    const struct stat *binary; /* a link may lead to the binary itself; NULL: it is not here */
};

/* A file that is where the debug file belongs and is none, or another's, or that there is none; the first that is met is told. */
static void reject(struct module_files *f, const char *path, const char *why)
{
    if (!f->text)
        f->text = format_text("%s %s", path, why);
}

/* What was rejected becomes the problem. */
static void tell_rejected(struct module_files *f, Elf *binary)
{
    GElf_Shdr header;
    bool has_symbols = binary && (elf_has_symtab(binary) || elf_section(binary, ".gnu_debugdata", &header));
    char *text = format_text(": its debug file %s: %s", f->text,
                             has_symbols ? "its functions' names are from the symbol table, without lines and inlined calls"
                                         : "only those of its functions that it exports have names");

    free(f->text);
    f->problem = f->text = text;
}

/* wanted_path: with all links; to be freed here. */
static void take_debug_file(struct module_files *f, const char *root, char *wanted_path, const struct wanted *wanted)
{
    _cleanup_elf_file_ struct elf_file file = ELF_FILE_CLOSED;
    _cleanup_free_ char *path = sysroot_path(root, wanted_path);

    free(wanted_path);
    if (f->debug)
        return;
    size_t sections;
    int error = elf_file_open(&file, path, false);
    if (!error && (elf_getshdrnum(file.elf, &sections) != 0 || !sections))
        error = -ENOEXEC; /* it was cut: they are at the end */
    if (error == -ENOENT || error == -ENOTDIR)
        return;
    if (error) {
        reject(f, path, error == -ENOEXEC ? "is damaged" : "cannot be read");
        return;
    }
    if (wanted->binary && file.status.st_dev == wanted->binary->st_dev && file.status.st_ino == wanted->binary->st_ino)
        return;
    bool has_id = wanted->build_id_bytes && file.build_id_bytes;
    if (has_id ? !elf_file_has_build_id(&file, wanted->build_id, wanted->build_id_bytes)
               : !wanted->has_crc || crc_of(file.fd) != wanted->crc) {
        reject(f, path, has_id ? "is of another build" : "is damaged, or of another build");
        return;
    }
    f->debug = path;
    path = NULL;
    f->stamp = f->stamp * 31 + stamp_of(&file.status);
    f->bytes += (uint64_t)file.status.st_size;
}

static void find_by_build_id(struct module_files *f, const struct symbols_options *o, const struct wanted *wanted)
{
    if (wanted->build_id_bytes < 2 || wanted->build_id_bytes > BUILD_ID_BYTES_MAX)
        return;
    for (size_t n = 0; !f->debug; n++) {
        const char *root;
        _cleanup_free_ char *directory = debug_path(o, n, &root);
        if (!directory)
            return;
        take_debug_file(f, root, build_id_path(directory, wanted->build_id, wanted->build_id_bytes), wanted);
    }
}

/* path: of the binary, as the process saw it or as it really is; without the sysroot. */
static void find_by_link(struct module_files *f, const struct symbols_options *o, const char *path, const char *link,
                         const struct wanted *wanted)
{
    const char *root, *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path) : 0;

    take_debug_file(f, o->sysroot, format_text("%.*s/%s", length, path, link), wanted);
    take_debug_file(f, o->sysroot, format_text("%.*s/.debug/%s", length, path, link), wanted);
    for (size_t n = 0; !f->debug; n++) {
        _cleanup_free_ char *directory = debug_path(o, n, &root);
        if (!directory)
            return;
        take_debug_file(f, root, format_text("%s%.*s/%s", directory, length, path, link), wanted);
    }
}

/* The name and the checksum in .gnu_debuglink. */
static const char *debug_link(Elf *elf, uint32_t *ret_crc)
{
    GElf_Shdr header;
    Elf_Scn *section = elf_section(elf, ".gnu_debuglink", &header);
    Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;

    if (!data || !data->d_buf || data->d_size < 8)
        return NULL;
    const char *name = data->d_buf;
    size_t length = strnlen(name, data->d_size), at = (length + 4) & ~(size_t)3;
    if (!length || at > data->d_size - 4 || memchr(name, '/', length))
        return NULL;
    memcpy(ret_crc, name + at, sizeof *ret_crc);
    return name;
}

/* Of the recorded machine. To be freed. */
static char *real_path(const struct symbols_options *o, const char *path)
{
    if (!o->sysroot)
        return realpath(path, NULL);
    _cleanup_free_ char *real = sysroot_path(o->sysroot, path), *root = sysroot_path(o->sysroot, "");
    return copy_text(real + strlen(root), strlen(real) - strlen(root));
}

static void find_debug_file(struct module_files *f, const struct symbols_options *o, const char *path,
                            const struct elf_file *binary, const uint8_t *build_id, size_t build_id_bytes)
{
    struct wanted wanted = { .build_id = build_id, .build_id_bytes = build_id_bytes,
                             .binary = binary->elf ? &binary->status : NULL };

    find_by_build_id(f, o, &wanted);
    const char *link = !f->debug && binary->elf ? debug_link(binary->elf, &wanted.crc) : NULL;
    if (link) {
        wanted.has_crc = true;
        find_by_link(f, o, path, link, &wanted);
        _cleanup_free_ char *real = f->debug ? NULL : real_path(o, path);
        if (real && strcmp(real, path) != 0)
            find_by_link(f, o, real, link, &wanted);
    }
    if (!f->debug && o->debuginfod && build_id_bytes) {
        char *fetched = debuginfod_find(o, DEBUGINFOD_DEBUG_FILE, build_id, build_id_bytes, &f->problem);
        if (fetched)
            take_debug_file(f, NULL, fetched, &wanted);
    }
    if (!f->debug && link && elf_has_symtab(binary->elf)) /* without one it is one of many: symbols_lacks_debug_file() */
        reject(f, link, "is not found");
    f->stripped = !f->debug && binary->elf && (debug_link(binary->elf, &wanted.crc) || !elf_has_symtab(binary->elf));
    if (!f->debug && f->text && !f->problem)
        tell_rejected(f, binary->elf);
}

/* ---- the binary --------------------------------------------------------------------- */

/* Where both are known. */
static bool is_after(const struct timespec *t, uint64_t loaded_ns)
{
    return loaded_ns && t->tv_sec > 0 && (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec > loaded_ns;
}

/* mv, cp -p, rsync and tar keep a file's time of modification, not its ctime. That is also later where it is the same file, copied to
 * another machine or with another mode: names are not withheld for it. */
static const char maybe_replaced[] = " has no build-id and was put there, or got another name, mode or owner, after it was recorded (by its ctime): "
                                     "names are wrong if it is another build; --sysroot / says that it is not";

/* -ESTALE: it is another build; -ETIME: it may be one, as far as can be known. */
static int take_binary(struct module_files *f, struct elf_file *binary, const char *path, const void *build_id,
                       size_t build_id_bytes, uint64_t loaded_ns)
{
    int error = elf_file_open(binary, path, false);

    if (!error && !binary->is_loadable)
        error = -ENOEXEC;
    if (!error && build_id_bytes && !elf_file_has_build_id(binary, build_id, build_id_bytes))
        error = -ESTALE;
    if (!error && !build_id_bytes && is_after(&binary->status.st_mtim, loaded_ns))
        error = -ETIME;
    if (error) {
        elf_file_release(binary);
        return error;
    }
    f->binary = copy_text(path, strlen(path));
    f->stamp = stamp_of(&binary->status);
    f->bytes = (uint64_t)binary->status.st_size;
    if (!build_id_bytes && is_after(&binary->status.st_ctim, loaded_ns))
        f->problem = maybe_replaced;
    return 0;
}

/* The package of split debug information, which is beside it (split_files.h). */
static void count_package(struct module_files *f)
{
    _cleanup_free_ char *path = f->binary ? format_text("%s.dwp", f->binary) : NULL;
    struct stat st;

    if (!path || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    f->stamp = f->stamp * 31 + stamp_of(&st);
    f->bytes += (uint64_t)st.st_size;
}

static int find_binary(struct module_files *f, const struct symbols_options *o, struct elf_file *binary, const char *path,
                       const void *build_id, size_t build_id_bytes, uint64_t loaded_ns)
{
    static const char deleted[] = " (deleted)";
    _cleanup_free_ char *rooted = sysroot_path(o->sysroot, path);
    size_t length = strlen(path), tail = sizeof deleted - 1;
    int error = take_binary(f, binary, rooted, build_id, build_id_bytes, loaded_ns);

    if (error && length > tail && strcmp(path + length - tail, deleted) == 0) {
        _cleanup_free_ char *before = copy_text(path, length - tail);
        free(rooted);
        rooted = sysroot_path(o->sysroot, before);
        error = take_binary(f, binary, rooted, build_id, build_id_bytes, loaded_ns);
        if (error == -ENOENT)
            return -EIDRM;
    }
    if (error && o->debuginfod && build_id_bytes) {
        _cleanup_free_ char *fetched = debuginfod_find(o, DEBUGINFOD_BINARY, build_id, build_id_bytes, &f->problem);
        if (fetched && take_binary(f, binary, fetched, build_id, build_id_bytes, 0) == 0)
            return 0;
    }
    return error;
}

static const char *problem_of(int error, bool has_sysroot)
{
    switch (error) {
    case -ESTALE:
        return " was replaced since the recording (its build-id differs): its functions have no names";
    case -ETIME:
        return " has no build-id and was changed after it was recorded, perhaps to another build: its functions have no names; "
               "--sysroot DIR takes a copy of the recorded one, --sysroot / this one";
    case -EIDRM:
        return ": it was deleted before the recording's end: its functions have no names";
    case -ENOENT:
    case -ENOTDIR:
        return has_sysroot ? ": no such file in the --sysroot: its functions have no names"
                           : ": no such file here: its functions have no names; --sysroot says where the recorded machine's files are";
    case -EACCES:
    case -EPERM:
        return ": may not be read: its functions have no names";
    case -ENOEXEC:
        return ": no ELF program or library, or a damaged one: its functions have no names";
    default:
        return ": cannot be read: its functions have no names";
    }
}

void find_files(struct module_files *f, const struct symbols_options *o, const char *path, const void *build_id,
                size_t build_id_bytes, uint64_t loaded_ns)
{
    _cleanup_elf_file_ struct elf_file binary = ELF_FILE_CLOSED;

    *f = (struct module_files){ 0 };
    if (vdso_is(path)) {
        if (vdso_open(&binary) == 0 && elf_file_has_build_id(&binary, build_id, build_id_bytes))
            f->binary = copy_text(path, strlen(path));
        return;
    }
    int error = find_binary(f, o, &binary, path, build_id, build_id_bytes, o->sysroot ? 0 : loaded_ns);
    count_package(f);
    if (binary.elf && elf_has_dwarf(binary.elf))
        return;
    if (binary.elf && !build_id_bytes) {
        build_id = binary.build_id;
        build_id_bytes = binary.build_id_bytes;
    }
    find_debug_file(f, o, path, &binary, build_id, build_id_bytes);
    if (error && !f->debug)
        f->problem = problem_of(error, o->sysroot);
}

void module_files_release(struct module_files *f)
{
    free(f->binary);
    free(f->debug);
    free(f->text);
    *f = (struct module_files){ 0 };
}

char *find_shared_file(const struct symbols_options *o, const char *path, const char *name, const void *build_id,
                       size_t build_id_bytes)
{
    struct module_files found = { 0 };
    struct wanted wanted = { .build_id = build_id, .build_id_bytes = build_id_bytes };
    _cleanup_free_ char *real = realpath(path, NULL);
    const char *slash = real ? strrchr(real, '/') : NULL;

    find_by_build_id(&found, o, &wanted);
    if (!found.debug && *name == '/')
        take_debug_file(&found, o->sysroot, copy_text(name, strlen(name)), &wanted);
    if (!found.debug && *name != '/' && slash)
        take_debug_file(&found, NULL, format_text("%.*s/%s", (int)(slash - real), real, name), &wanted);
    if (!found.debug && o->debuginfod)
        found.debug = debuginfod_find(o, DEBUGINFOD_DEBUG_FILE, build_id, build_id_bytes, &found.problem);
    free(found.text);
    return found.debug;
}
