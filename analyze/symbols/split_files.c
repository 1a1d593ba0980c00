/* Only libdw itself can join a skeleton and its rest: it opens the file that the skeleton names. So the skeleton is made to name a
 * descriptor of ours, in the bytes of the file's sections, and when the unit is asked for its file is behind it, or one in memory that
 * has just this unit (dwo_file.h). */
#include "analyze/symbols/split_files.h"

#include "analyze/symbols/dwo_file.h"
#include "analyze/symbols/sysroot.h"
#include "analyze/util.h"

#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DESCRIPTOR_NAME "/proc/self/fd/%d"

/* Where a descriptor's name was put behind all others. */
struct names {
    Elf_Data *data; /* NULL: there is no such section */
    void *content;  /* its new one */
    uint32_t name;
};

struct split_files {
    const struct symbols_options *options;
    int fd;
    struct names strings, line_strings;
    Elf_Data *offsets; /* .debug_str_offsets */
    struct dwo_file package;
    char *package_path, *program, *problem;
    int package_error;
};

static Elf_Data *section_data(Elf *elf, const char *name)
{
    GElf_Shdr header;
    Elf_Scn *section = elf_section(elf, name, &header);

    return section && header.sh_type != SHT_NOBITS ? elf_getdata(section, NULL) : NULL;
}

static bool has_skeleton(Elf *elf)
{
    Dwarf *dwarf = section_data(elf, ".debug_addr") ? dwarf_begin_elf(elf, DWARF_C_READ, NULL) : NULL;
    Dwarf_CU *unit = NULL;
    uint8_t type = 0;

    while (dwarf && type != DW_UT_skeleton && dwarf_get_units(dwarf, unit, &unit, NULL, &type, NULL, NULL) == 0)
        ;
    dwarf_end(dwarf);
    return type == DW_UT_skeleton;
}

static void add_name(struct names *n, Elf_Data *data, const char *name)
{
    size_t bytes = strlen(name) + 1;

    if (!data || !data->d_buf || !data->d_size || data->d_size > UINT32_MAX - bytes - 1)
        return;
    char *content = alloc_zeroed(data->d_size + 1 + bytes, 1);
    memcpy(content, data->d_buf, data->d_size); /* and a 0 */
    memcpy(content + data->d_size + 1, name, bytes);
    *n = (struct names){ data, content, (uint32_t)data->d_size + 1 };
    data->d_buf = content;
    data->d_size += 1 + bytes;
}

static void open_package(struct split_files *s, const char *program)
{
    if (!program || s->package_path)
        return;
    char *path = format_text("%s.dwp", program);
    s->package_error = dwo_file_open(&s->package, path);
    if (s->package_error != -ENOENT && s->package_error != -ENOTDIR)
        s->package_path = path;
    else
        free(path);
}

struct split_files *split_files_new(Elf *elf, const struct symbols_options *options, const char *const programs[2])
{
    if (!has_skeleton(elf))
        return NULL;
    struct split_files *s = alloc_zeroed(1, sizeof *s);
    s->options = options;
    s->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    _cleanup_free_ char *name = format_text(DESCRIPTOR_NAME, s->fd);
    if (s->fd >= 0) {
        add_name(&s->strings, section_data(elf, ".debug_str"), name);
        add_name(&s->line_strings, section_data(elf, ".debug_line_str"), name);
    }
    s->offsets = section_data(elf, ".debug_str_offsets");
    for (size_t i = 0; i < 2; i++) {
        char *real = programs[i] ? realpath(programs[i], NULL) : NULL;
        open_package(s, programs[i]);
        open_package(s, real);
        if (i)
            free(real);
        else
            s->program = real;
    }
    return s;
}

void split_files_free(struct split_files *s)
{
    if (!s)
        return;
    cleanup_close(&s->fd);
    free(s->strings.content);
    free(s->line_strings.content);
    dwo_file_release(&s->package);
    free(s->package_path);
    free(s->program);
    free(s->problem);
    free(s);
}

const char *split_files_problem(const struct split_files *s)
{
    return s ? s->problem : NULL;
}

/* ---- the name ----------------------------------------------------------------------- */

/* Where .debug_str_offsets has this string's offset; NULL: nowhere. */
static uint8_t *string_offset(struct split_files *s, Dwarf_Die *skeleton, const Dwarf_Attribute *name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word base = 8;
    uint32_t index = 0;
    size_t bytes;

    switch (name->form) {
    case DW_FORM_strx1: bytes = 1; break;
    case DW_FORM_strx2: bytes = 2; break;
    case DW_FORM_strx3: bytes = 3; break;
    case DW_FORM_strx4: bytes = 4; break;
    case DW_FORM_strx: bytes = !(name->valp[0] & 0x80); break; /* of which the first have the first numbers */
    default: return NULL;
    }
    memcpy(&index, name->valp, bytes);
    if (dwarf_attr(skeleton, DW_AT_str_offsets_base, &attribute) && dwarf_formudata(&attribute, &base) != 0)
        return NULL;
    uint64_t at = base + 4 * (uint64_t)index;
    return bytes && s->offsets && s->offsets->d_buf && at < s->offsets->d_size && s->offsets->d_size - at >= 4
        ? (uint8_t *)s->offsets->d_buf + at : NULL;
}

static void name_descriptor(struct split_files *s, Dwarf_Die *skeleton, const Dwarf_Attribute *name)
{
    const struct names *names = name->form == DW_FORM_line_strp ? &s->line_strings : &s->strings;
    bool is_direct = name->form == DW_FORM_strp || name->form == DW_FORM_line_strp;
    uint8_t *offset = is_direct ? name->valp : string_offset(s, skeleton, name), offset_size;

    if (offset && names->data && dwarf_cu_info(skeleton->cu, NULL, NULL, NULL, NULL, NULL, NULL, &offset_size) == 0 && offset_size == 4)
        memcpy(offset, &names->name, sizeof names->name);
}

/* ---- the file ----------------------------------------------------------------------- */

static bool show(struct split_files *s, const void *image, size_t bytes)
{
    _cleanup_close_ int fd = memfd_create("dwo", MFD_CLOEXEC); /* libdw keeps it mapped */
    size_t done = 0;

    for (ssize_t wrote; fd >= 0 && done < bytes; done += (size_t)wrote)
        if ((wrote = write(fd, (const char *)image + done, bytes - done)) <= 0)
            break;
    return done == bytes && dup3(fd, s->fd, O_CLOEXEC) >= 0;
}

static void complain(struct split_files *s, const char *path, const char *why)
{
    if (!s->problem)
        s->problem = format_text("%s %s", path, why);
}

static const char *reason(int error)
{
    switch (error) {
    case -ENOENT:
    case -ENOTDIR:
        return "does not exist";
    case -ENODATA:
        return "has no such debug information";
    case -ENOEXEC:
        return "is damaged, or no ELF file";
    default:
        return "cannot be read";
    }
}

/* Of this build. */
static bool has_unit(Elf *elf, uint64_t id)
{
    Dwarf *dwarf = elf ? dwarf_begin_elf(elf, DWARF_C_READ, NULL) : NULL;
    Dwarf_CU *unit = NULL;
    bool is_there = false;
    uint8_t type;

    while (dwarf && !is_there && dwarf_get_units(dwarf, unit, &unit, NULL, &type, NULL, NULL) == 0) {
        uint64_t its;
        is_there = type == DW_UT_split_compile && dwarf_cu_info(unit, NULL, NULL, NULL, NULL, &its, NULL, NULL) == 0 && its == id;
    }
    dwarf_end(dwarf);
    return is_there;
}

static bool show_unit(struct split_files *s, const struct dwo_file *file, const char *path, uint64_t id)
{
    size_t bytes;
    _cleanup_free_ void *image = file->is_plain ? NULL : dwo_file_image(file, id, &bytes);
    Elf *elf = image ? elf_memory(image, bytes) : NULL;
    bool is_there = has_unit(file->is_plain ? file->file.elf : elf, id);

    elf_end(elf);
    if (!is_there)
        complain(s, path, file->index.data ? "lacks a unit of this build, or is damaged" : "is of another build, or damaged");
    return is_there && (file->is_plain ? dup3(file->file.fd, s->fd, O_CLOEXEC) >= 0 : show(s, image, bytes));
}

static bool show_file(struct split_files *s, const char *path, uint64_t id, bool is_last)
{
    struct dwo_file file;
    int error = dwo_file_open(&file, path);

    if (error && (error != -ENOENT || is_last))
        complain(s, path, reason(error));
    if (error)
        return false;
    bool is_shown = show_unit(s, &file, path, id);
    dwo_file_release(&file);
    return is_shown;
}

static const char *string_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    return dwarf_attr(die, name, &attribute) ? dwarf_formstring(&attribute) : NULL;
}

/* In the package, beside the program, and where it was made. */
static bool show_rest(struct split_files *s, Dwarf_Die *skeleton, const char *name, uint64_t id)
{
    const char *directory = string_of(skeleton, DW_AT_comp_dir), *slash = s->program ? strrchr(s->program, '/') : NULL;
    _cleanup_free_ char *beside = *name != '/' && slash ? format_text("%.*s/%s", (int)(slash - s->program), s->program, name) : NULL;
    _cleanup_free_ char *made = *name != '/' && directory ? format_text("%s/%s", directory, name) : copy_text(name, strlen(name));
    _cleanup_free_ char *rooted = sysroot_path(s->options->sysroot, made);

    if (s->package_path && s->package_error)
        complain(s, s->package_path, reason(s->package_error));
    else if (s->package_path && show_unit(s, &s->package, s->package_path, id))
        return true;
    return (beside && show_file(s, beside, id, false)) || show_file(s, rooted, id, true);
}

bool split_files_unit(struct split_files *s, Dwarf_Die *skeleton, Dwarf_Die *ret_split)
{
    Dwarf_Attribute attribute;
    uint64_t id;

    if (dwarf_cu_info(skeleton->cu, NULL, NULL, NULL, NULL, &id, NULL, NULL) != 0)
        return false;
    bool has_name = dwarf_attr(skeleton, DW_AT_dwo_name, &attribute) || dwarf_attr(skeleton, DW_AT_GNU_dwo_name, &attribute);
    const char *name = has_name ? dwarf_formstring(&attribute) : NULL;
    bool had_problem = s->problem;
    if (name && show_rest(s, skeleton, name, id))
        name_descriptor(s, skeleton, &attribute);
    bool is_there = dwarf_cu_info(skeleton->cu, NULL, NULL, NULL, ret_split, NULL, NULL, NULL) == 0 && ret_split->addr;
    if (!is_there)
        complain(s, name ? name : "a unit's file", "cannot be read");
    if (is_there && !had_problem) { /* of another place where it might have been */
        free(s->problem);
        s->problem = NULL;
    }
    return is_there;
}
