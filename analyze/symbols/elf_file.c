#include "analyze/symbols/elf_file.h"

#include "analyze/util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* True: it is among these notes. */
static bool find_build_id(struct elf_file *f, Elf_Data *data)
{
    GElf_Nhdr note;
    size_t name, bytes;

    for (size_t at = 0, next; data && (next = gelf_getnote(data, at, &note, &name, &bytes)) > 0; at = next) {
        const char *base = data->d_buf;
        if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || memcmp(base + name, "GNU", 4) != 0)
            continue;
        f->build_id = (const uint8_t *)base + bytes;
        f->build_id_bytes = note.n_descsz;
        return true;
    }
    return false;
}

void elf_file_find_build_id(struct elf_file *f)
{
    size_t count;

    for (Elf_Scn *section = NULL; (section = elf_nextscn(f->elf, section));) {
        GElf_Shdr header;
        if (!gelf_getshdr(section, &header) || header.sh_type != SHT_NOTE)
            continue;
        if (find_build_id(f, elf_getdata(section, NULL)))
            return;
    }
    /* A file may have lost its sections; what was loaded of it knows only these. */
    for (size_t i = 0; elf_getphdrnum(f->elf, &count) == 0 && i < count; i++) {
        GElf_Phdr header;
        if (!gelf_getphdr(f->elf, (int)i, &header) || header.p_type != PT_NOTE)
            continue;
        Elf_Type type = header.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
        if (find_build_id(f, elf_getdata_rawchunk(f->elf, (int64_t)header.p_offset, header.p_filesz, type)))
            return;
    }
}

int elf_file_open(struct elf_file *f, const char *path, bool mapped)
{
    *f = (struct elf_file)ELF_FILE_CLOSED;
    /* A path from a log may be anything by now: opening a pipe waits, opening a device does things. */
    if (stat(path, &f->status) != 0)
        return -errno;
    if (!S_ISREG(f->status.st_mode))
        return -ENOEXEC;
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0)
        return -errno;
    if (fstat(f->fd, &f->status) != 0 || !S_ISREG(f->status.st_mode) || elf_version(EV_CURRENT) == EV_NONE)
        return -ENOEXEC;
    f->elf = elf_begin(f->fd, mapped ? ELF_C_READ_MMAP_PRIVATE : ELF_C_READ, NULL);
    GElf_Ehdr header;
    if (!f->elf || elf_kind(f->elf) != ELF_K_ELF || !gelf_getehdr(f->elf, &header)
        || (header.e_type != ET_EXEC && header.e_type != ET_DYN && header.e_type != ET_REL))
        return -ENOEXEC;
    f->is_loadable = header.e_type != ET_REL;
    f->is_cut = header.e_shoff > (uint64_t)f->status.st_size;
    elf_file_find_build_id(f);
    return 0;
}

void elf_file_release(struct elf_file *f)
{
    elf_end(f->elf);
    cleanup_close(&f->fd);
    *f = (struct elf_file)ELF_FILE_CLOSED;
}

bool elf_file_has_build_id(const struct elf_file *f, const void *build_id, size_t build_id_bytes)
{
    return f->build_id_bytes == build_id_bytes && memcmp(f->build_id, build_id, build_id_bytes) == 0;
}

Elf_Scn *elf_section(Elf *elf, const char *name, GElf_Shdr *ret_header)
{
    size_t names;

    if (elf_getshdrstrndx(elf, &names) != 0)
        return NULL;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        const char *its = gelf_getshdr(section, ret_header) ? elf_strptr(elf, names, ret_header->sh_name) : NULL;
        if (its && strcmp(its, name) == 0)
            return section;
    }
    return NULL;
}

bool elf_has_dwarf(Elf *elf)
{
    GElf_Shdr header;

    /* A debug file has the program's sections without their content, and the other way round. */
    return (elf_section(elf, ".debug_info", &header) && header.sh_type != SHT_NOBITS)
        || (elf_section(elf, ".zdebug_info", &header) && header.sh_type != SHT_NOBITS);
}

bool elf_has_symtab(Elf *elf)
{
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) && header.sh_type == SHT_SYMTAB)
            return true;
    }
    return false;
}
