/* libdw reads .dwo files, but no packages, and of a file with both kinds of sections only the others. So what a unit has in any of
 * them becomes an ELF file of its own. A package's table of strings is all units': only the unit's are taken, or each would
 * cost as much as all. The table of sources that may be there is for types only, but libdw would take it for code, too, whose is the
 * skeleton's: it is left out. */
#include "analyze/symbols/dwo_file.h"

#include "analyze/util.h"

#include <errno.h>
#include <string.h>

static const char *const section_names[DWO_PARTS] = { ".debug_info.dwo", ".debug_abbrev.dwo", ".debug_str_offsets.dwo",
                                                      ".debug_rnglists.dwo", ".debug_str.dwo" };

/* *section: NULL, or the last one of that name; then the one that was found. */
static struct dwo_part read_section(Elf *elf, const char *name, Elf_Scn **section)
{
    GElf_Shdr header;
    size_t names;

    while (elf_getshdrstrndx(elf, &names) == 0 && (*section = elf_nextscn(elf, *section))) {
        const char *its = gelf_getshdr(*section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
        if (!its || strcmp(its, name) != 0 || header.sh_type == SHT_NOBITS ||
            (header.sh_flags & SHF_COMPRESSED && elf_compress(*section, 0, 0) < 0))
            continue;
        Elf_Data *data = elf_getdata(*section, NULL);
        if (data && data->d_buf)
            return (struct dwo_part){ data->d_buf, data->d_size };
    }
    return (struct dwo_part){ 0 };
}

static struct dwo_part read_first(Elf *elf, const char *name)
{
    Elf_Scn *section = NULL;
    return read_section(elf, name, &section);
}

/* gcc puts each type of its own (-fdebug-types-section) into one, in front of the code's. */
static void join_units(struct dwo_file *f)
{
    size_t capacity = 0, bytes = 0, count = 0;
    Elf_Scn *section = NULL;

    for (struct dwo_part part; (part = read_section(f->file.elf, section_names[DWO_INFO], &section)).data; count++) {
        f->units = grow(f->units, &capacity, bytes + part.bytes, 1);
        memcpy(f->units + bytes, part.data, part.bytes);
        bytes += part.bytes;
    }
    if (count > 1) {
        f->parts[DWO_INFO] = (struct dwo_part){ f->units, bytes };
        return;
    }
    free(f->units);
    f->units = NULL;
}

int dwo_file_open(struct dwo_file *f, const char *path)
{
    *f = (struct dwo_file){ 0 };
    int error = elf_file_open(&f->file, path, true);

    if (error) {
        dwo_file_release(f);
        return error;
    }
    unpack_sections(f->file.elf, &f->unpacked);
    for (size_t i = 0; i < DWO_PARTS; i++)
        f->parts[i] = read_first(f->file.elf, section_names[i]);
    f->index = read_first(f->file.elf, ".debug_cu_index");
    if (!f->index.data)
        join_units(f);
    f->is_plain = !f->index.data && !f->units && !f->unpacked.count && !elf_has_dwarf(f->file.elf) &&
                  !read_first(f->file.elf, ".debug_line.dwo").data;
    if (f->parts[DWO_INFO].data && f->parts[DWO_ABBREV].data)
        return 0;
    dwo_file_release(f);
    return -ENODATA;
}

void dwo_file_release(struct dwo_file *f)
{
    if (f->file.elf)
        elf_file_release(&f->file);
    unpacked_release(&f->unpacked);
    free(f->units);
    *f = (struct dwo_file){ 0 };
}

/* ---- packages -------------------------------------------------------------------- */

/* The index: version (2: GNU's, 5), columns, units, slots, 4 bytes each; the units' ids by hash, 8 bytes each, 0: free;
 * the number of its row, from 1; of each column which section it is for; rows of offsets; rows of lengths. */
struct index {
    const uint8_t *ids, *rows, *columns, *offsets, *lengths;
    uint32_t version, column_count, unit_count, slot_count;
};

static uint32_t number_at(const uint8_t *at, uint64_t position)
{
    uint32_t number;

    memcpy(&number, at + 4 * position, sizeof number);
    return number;
}

static bool read_index(struct index *x, const struct dwo_part *p)
{
    if (p->bytes < 16)
        return false;
    *x = (struct index){ .version = number_at(p->data, 0) & 0xffff, .column_count = number_at(p->data, 1),
                         .unit_count = number_at(p->data, 2), .slot_count = number_at(p->data, 3) };
    uint64_t cells = (uint64_t)x->column_count * x->unit_count;
    if ((x->version != 2 && x->version != 5) || x->column_count > 16 || !x->slot_count || x->slot_count & (x->slot_count - 1) ||
        16 + 12 * (uint64_t)x->slot_count + 4 * (uint64_t)x->column_count + 8 * cells > p->bytes)
        return false;
    x->ids = p->data + 16;
    x->rows = x->ids + 8 * (uint64_t)x->slot_count;
    x->columns = x->rows + 4 * (uint64_t)x->slot_count;
    x->offsets = x->columns + 4 * (uint64_t)x->column_count;
    x->lengths = x->offsets + 4 * cells;
    return true;
}

/* From 1; 0: it is not there. */
static uint32_t row_of(const struct index *x, uint64_t id)
{
    uint64_t mask = x->slot_count - 1, slot = id & mask, step = (id >> 32 & mask) | 1, there;

    for (uint32_t tried = 0; tried < x->slot_count; tried++, slot = (slot + step) & mask) {
        uint32_t row = number_at(x->rows, slot);
        memcpy(&there, x->ids + 8 * slot, sizeof there);
        if (!row)
            return 0;
        if (there == id)
            return row <= x->unit_count ? row : 0;
    }
    return 0;
}

/* DWO_PARTS: one that is not needed. */
static enum dwo_parts part_of(uint32_t version, uint32_t section)
{
    switch (section) {
    case 1: return DWO_INFO;
    case 3: return DWO_ABBREV;
    case 6: return DWO_STR_OFFSETS;
    case 8: return version == 5 ? DWO_RNGLISTS : DWO_PARTS;
    default: return DWO_PARTS;
    }
}

static bool find_unit(const struct dwo_file *f, uint64_t id, struct dwo_part ret_parts[DWO_PARTS], uint32_t *ret_version)
{
    struct index x;
    uint32_t row = read_index(&x, &f->index) ? row_of(&x, id) : 0;

    if (!row)
        return false;
    *ret_version = x.version;
    for (uint32_t i = 0; i < x.column_count; i++) {
        enum dwo_parts part = part_of(x.version, number_at(x.columns, i));
        uint64_t cell = (uint64_t)(row - 1) * x.column_count + i;
        uint32_t offset = number_at(x.offsets, cell), length = number_at(x.lengths, cell);
        if (part == DWO_PARTS || !length)
            continue;
        if (offset > f->parts[part].bytes || length > f->parts[part].bytes - offset)
            return false;
        ret_parts[part] = (struct dwo_part){ f->parts[part].data + offset, length };
    }
    ret_parts[DWO_STR] = f->parts[DWO_STR];
    return true;
}

/* Makes the unit's own table of strings, and of offsets into it; both are to be freed. */
static void take_strings(struct dwo_part parts[DWO_PARTS], size_t head, uint8_t **ret_offsets, char **ret_strings)
{
    const struct dwo_part all = parts[DWO_STR], old = parts[DWO_STR_OFFSETS];
    size_t used = 1, capacity = 0;

    *ret_offsets = (uint8_t *)copy_text((const char *)old.data, old.bytes);
    *ret_strings = grow(NULL, &capacity, 1, 1); /* the empty one is for what is damaged */
    for (size_t at = head; at + 4 <= old.bytes; at += 4) {
        uint32_t offset = number_at(old.data + at, 0), here = 0;
        const char *string = offset < all.bytes ? (const char *)all.data + offset : NULL;
        const char *end = string ? memchr(string, 0, all.bytes - offset) : NULL;
        if (end) {
            size_t bytes = (size_t)(end - string) + 1;
            *ret_strings = grow(*ret_strings, &capacity, used + bytes, 1);
            memcpy(*ret_strings + used, string, bytes);
            here = (uint32_t)used;
            used += bytes;
        }
        memcpy(*ret_offsets + at, &here, sizeof here);
    }
    parts[DWO_STR_OFFSETS].data = *ret_offsets;
    parts[DWO_STR] = (struct dwo_part){ (uint8_t *)*ret_strings, used };
}

/* ---- an ELF file of one unit -------------------------------------------------------- */

/* Its header, its sections, their names, the table of sections: nothing, one for each, the names. */
static void *make_image(const struct elf_file *like, const struct dwo_part parts[DWO_PARTS], size_t *ret_bytes)
{
    Elf64_Shdr sections[DWO_PARTS + 2] = { 0 };
    char names[200] = "\0.shstrtab";
    size_t at = sizeof(Elf64_Ehdr), name_bytes = 11, bytes = at + sizeof names + 8 + sizeof sections;
    GElf_Ehdr its;

    for (size_t i = 0; i < DWO_PARTS; i++)
        bytes += parts[i].bytes;
    uint8_t *image = alloc_zeroed(bytes, 1);
    for (size_t i = 0; i < DWO_PARTS; i++) {
        sections[1 + i] = (Elf64_Shdr){ .sh_name = (Elf64_Word)name_bytes, .sh_type = SHT_PROGBITS, .sh_offset = at,
                                        .sh_size = parts[i].bytes, .sh_addralign = 1 };
        name_bytes += (size_t)sprintf(names + name_bytes, "%s", section_names[i]) + 1;
        if (parts[i].bytes)
            memcpy(image + at, parts[i].data, parts[i].bytes);
        at += parts[i].bytes;
    }
    sections[1 + DWO_PARTS] = (Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_STRTAB, .sh_offset = at, .sh_size = sizeof names, .sh_addralign = 1 };
    memcpy(image + at, names, sizeof names);
    at = (at + sizeof names + 7) & ~(size_t)7;
    memcpy(image + at, sections, sizeof sections);
    Elf64_Ehdr header = { .e_type = ET_REL, .e_version = EV_CURRENT, .e_shoff = at, .e_ehsize = sizeof header,
                          .e_shentsize = sizeof *sections, .e_shnum = DWO_PARTS + 2, .e_shstrndx = DWO_PARTS + 1 };
    if (gelf_getehdr(like->elf, &its)) {
        header.e_machine = its.e_machine;
        memcpy(header.e_ident, its.e_ident, sizeof header.e_ident);
    }
    memcpy(image, &header, sizeof header);
    *ret_bytes = bytes;
    return image;
}

void *dwo_file_image(const struct dwo_file *f, uint64_t id, size_t *ret_bytes)
{
    struct dwo_part parts[DWO_PARTS] = { 0 };
    _cleanup_free_ uint8_t *offsets = NULL;
    _cleanup_free_ char *strings = NULL;
    uint32_t version;

    if (gelf_getclass(f->file.elf) != ELFCLASS64)
        return NULL;
    if (!f->index.data)
        return make_image(&f->file, f->parts, ret_bytes);
    if (!find_unit(f, id, parts, &version))
        return NULL;
    bool is_wide = version == 5 && parts[DWO_STR_OFFSETS].bytes > 4 && number_at(parts[DWO_STR_OFFSETS].data, 0) == UINT32_MAX;
    if (parts[DWO_STR_OFFSETS].data && !is_wide)
        take_strings(parts, version == 5 ? 8 : 0, &offsets, &strings);
    return make_image(&f->file, parts, ret_bytes);
}
