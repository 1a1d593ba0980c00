#include "analyze/launch/shim.h"

#include "analyze/launch/program.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <gnu/libc-version.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

int shim_find(char **ret_path, struct failure *ret_failure)
{
    /* From the directory of the executable: installed, or in a build tree. */
    static const char *const places[] = { "../" MALLOSCOPE_LIBDIR "/libmalloscope.so", "../interpose/libmalloscope.so" };
    const char *named = getenv("MALLOSCOPE_SHIM");
    char self[PATH_MAX];
    char *found = NULL;

    if (named && *named) {
        found = realpath(named, NULL);
        if (!found)
            return fail(ret_failure, ENOENT, "MALLOSCOPE_SHIM=%s: %s", named, strerror(errno));
    }
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length > 0 && !found) {
        self[length] = 0;
        *strrchr(self, '/') = 0;
        for (size_t i = 0; i < sizeof places / sizeof places[0] && !found; i++) {
            _cleanup_free_ char *path = format_text("%s/%s", self, places[i]);
            found = access(path, R_OK) == 0 ? realpath(path, NULL) : NULL;
        }
    }
    if (!found && length < 0 && access("/proc/self", F_OK) != 0)
        return fail(ret_failure, ENOENT, "/proc is not mounted here, by which malloscope finds its library, and processes that still run: "
                    "mount -t proc proc /proc");
    if (!found)
        return fail(ret_failure, ENOENT, "libmalloscope.so is not beside this program (%s/%s): install malloscope whole, "
                    "or name the library in MALLOSCOPE_SHIM", length > 0 ? self : "?", places[0]);
    /* The loader splits LD_PRELOAD at both. */
    if (strpbrk(found, " :")) {
        int error = fail(ret_failure, EINVAL, "%s: LD_PRELOAD cannot hold a path with a space or a colon: "
                         "move malloscope to another directory", found);
        free(found);
        return error;
    }
    struct shim shim;
    int error = shim_read(found, &shim);
    if (error)
        fail(ret_failure, -error, "%s: cannot be loaded (%s): install malloscope again", found, strerror(-error));
    else if (!shim.right_machine)
        error = fail(ret_failure, EINVAL, "%s: is for another machine: install malloscope again", found);
    else if (!shim.right_version) /* the loader would end the program */
        error = fail(ret_failure, EINVAL, "%s: needs glibc %s, here is %s: build malloscope on this machine", found,
                     shim.version, gnu_get_libc_version());
    if (error) {
        free(found);
        return error;
    }
    const char *runtime = sanitizer_library(getenv("LD_PRELOAD"));
    if (runtime) {
        free(found);
        return fail(ret_failure, EINVAL, "LD_PRELOAD=%s: %s must stand before all other libraries, so that with "
                    "malloscope's the program would end or crash; unset it", getenv("LD_PRELOAD"), runtime);
    }
    *ret_path = found;
    return 0;
}

/* What this program was itself built for. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* The versions of glibc that its symbols ask for: the largest counts. */
static void take_version(struct shim *shim, const char *name)
{
    if (name && strncmp(name, "GLIBC_2.", 8) == 0 && strverscmp(name + 6, shim->version) > 0)
        snprintf(shim->version, sizeof shim->version, "%s", name + 6);
}

static void take_needs(struct shim *shim, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
    Elf_Data *data = elf_getdata(section, NULL);
    GElf_Verneed need;
    GElf_Vernaux version;

    /* Offsets lead forward: a damaged file ends the loop. */
    for (size_t at = 0; data && at < data->d_size && gelf_getverneed(data, (int)at, &need); at += need.vn_next) {
        for (size_t inner = at + need.vn_aux; inner < data->d_size && gelf_getvernaux(data, (int)inner, &version);
             inner += version.vna_next) {
            take_version(shim, elf_strptr(elf, header->sh_link, version.vna_name));
            if (!version.vna_next)
                break;
        }
        if (!need.vn_next)
            break;
    }
}

/* One that is cut short would kill the loader by SIGBUS. */
static bool is_whole(Elf *elf, int fd)
{
    struct stat st;
    GElf_Phdr segment;
    size_t count;

    if (fstat(fd, &st) != 0 || elf_getphdrnum(elf, &count) != 0 || !count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!gelf_getphdr(elf, (int)i, &segment) || segment.p_filesz > (uint64_t)st.st_size ||
            segment.p_offset > (uint64_t)st.st_size - segment.p_filesz)
            return false;
    return true;
}

int shim_read(const char *path, struct shim *ret_shim)
{
    GElf_Ehdr header;
    int error = 0;

    *ret_shim = (struct shim){ 0 };
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    Elf *elf = elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_begin(fd, ELF_C_READ, NULL);
    if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header) || header.e_type != ET_DYN ||
        !is_whole(elf, fd))
        error = -ENOEXEC;
    for (Elf_Scn *section = NULL; !error && (section = elf_nextscn(elf, section));) {
        GElf_Shdr section_header;
        if (gelf_getshdr(section, &section_header) && section_header.sh_type == SHT_GNU_verneed)
            take_needs(ret_shim, elf, section, &section_header);
    }
    if (!error) {
        ret_shim->right_machine = header.e_machine == __ehdr_start.e_machine &&
                                  header.e_ident[EI_CLASS] == __ehdr_start.e_ident[EI_CLASS] &&
                                  header.e_ident[EI_DATA] == __ehdr_start.e_ident[EI_DATA];
        ret_shim->right_version = strverscmp(ret_shim->version, gnu_get_libc_version()) <= 0;
    }
    elf_end(elf);
    return error;
}

static bool has_version(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, const char *version)
{
    Elf_Data *data = elf_getdata(section, NULL);
    GElf_Verdef definition;
    GElf_Verdaux name;

    for (size_t at = 0; data && at < data->d_size && gelf_getverdef(data, (int)at, &definition); at += definition.vd_next) {
        if (gelf_getverdaux(data, (int)(at + definition.vd_aux), &name)) {
            const char *text = elf_strptr(elf, header->sh_link, name.vda_name);
            if (text && strncmp(text, "GLIBC_", 6) == 0 && strcmp(text + 6, version) == 0)
                return true;
        }
        if (!definition.vd_next)
            break;
    }
    return false;
}

/* True also of a file that cannot be read: it is for the loader to complain. */
static bool provides(const char *library, const char *version)
{
    _cleanup_close_ int fd = open(library, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    Elf *elf = fd < 0 || elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_begin(fd, ELF_C_READ, NULL);
    bool has = false, defines = false;

    for (Elf_Scn *section = NULL; elf && (section = elf_nextscn(elf, section));) {
        GElf_Shdr header;
        if (!gelf_getshdr(section, &header) || header.sh_type != SHT_GNU_verdef)
            continue;
        defines = true;
        has |= has_version(elf, section, &header, version);
    }
    elf_end(elf);
    return has || !defines;
}

int shim_check(const char *path, const struct libraries *libraries, struct failure *ret_failure)
{
    struct shim shim;

    if (shim_read(path, &shim) != 0 || !*shim.version)
        return 0;
    for (size_t i = 0; i < libraries->count; i++) {
        const struct library *library = &libraries->list[i];
        if (library->path && strcmp(library->name, "libc.so.6") == 0 && !provides(library->path, shim.version))
            return fail(ret_failure, EINVAL, "its C library, %s, is older than the glibc %s that malloscope's library needs, "
                        "so that the loader would end it; build malloscope with that C library", library->path, shim.version);
    }
    return 0;
}

bool shim_shares_loader(const char *loader)
{
    Dl_info own;
    struct stat a, b;

    return dladdr((const void *)getauxval(AT_BASE), &own) && own.dli_fname && stat(own.dli_fname, &a) == 0 &&
           stat(loader, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}
