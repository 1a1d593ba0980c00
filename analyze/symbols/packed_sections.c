#include "analyze/symbols/packed_sections.h"

#include "analyze/util.h"

#include <gelf.h>
#include <libdeflate.h>
#include <string.h>
#include <zstd.h>

#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2
#endif
#define UNPACKED_BYTES_MAX (4ull << 30)
#define DEFLATE_RATIO_MAX 1032 /* 258 bytes of two bits */

/* All of it, and no more, must come of all of it. */
static bool unpack_zstd(void *content, size_t bytes, const void *packed, size_t packed_bytes)
{
    return ZSTD_decompress(content, bytes, packed, packed_bytes) == bytes;
}

static bool unpack_zlib(void *content, size_t bytes, const void *packed, size_t packed_bytes)
{
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    bool good = decompressor && libdeflate_zlib_decompress(decompressor, packed, packed_bytes, content, bytes, NULL) == LIBDEFLATE_SUCCESS;

    libdeflate_free_decompressor(decompressor);
    return good;
}

static void unpack_section(Elf_Scn *section, GElf_Shdr *header, const GElf_Chdr *packed, struct unpacked *u)
{
    bool is_zlib = packed->ch_type == ELFCOMPRESS_ZLIB;
    size_t head = sizeof(Elf64_Chdr), bytes = packed->ch_size;
    Elf_Data *data = elf_getdata(section, NULL);

    if (!data || !data->d_buf || data->d_size < head || packed->ch_size > UNPACKED_BYTES_MAX || !bytes)
        return;
    if (is_zlib && bytes / DEFLATE_RATIO_MAX > data->d_size - head)
        return;
    void *content = malloc(bytes);
    if (!content)
        return;
    header->sh_flags &= ~(GElf_Xword)SHF_COMPRESSED;
    header->sh_size = bytes;
    header->sh_addralign = packed->ch_addralign;
    if (!(is_zlib ? unpack_zlib : unpack_zstd)(content, bytes, (char *)data->d_buf + head, data->d_size - head) ||
        !gelf_update_shdr(section, header)) {
        free(content);
        return;
    }
    data->d_buf = content;
    data->d_size = bytes;
    data->d_type = ELF_T_BYTE;
    u->sections = grow(u->sections, &u->capacity, u->count + 1, sizeof *u->sections);
    u->sections[u->count++] = content;
}

/* Where variables are, a quarter of all, and macros. */
static bool is_asked_for(const char *name)
{
    static const char *const unasked[] = { ".debug_loc", ".debug_loclists", ".debug_macro", ".debug_macinfo" };

    for (size_t i = 0; i < sizeof unasked / sizeof *unasked; i++)
        if (strcmp(name, unasked[i]) == 0)
            return false;
    return true;
}

void hide_unasked_sections(Elf *elf)
{
    GElf_Shdr header;
    size_t names;

    if (elf_getshdrstrndx(elf, &names) != 0)
        return;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        const char *name = gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
        if (!name || !(header.sh_flags & SHF_COMPRESSED) || is_asked_for(name))
            continue;
        header.sh_type = SHT_NOBITS;
        gelf_update_shdr(section, &header);
    }
}

void unpack_sections(Elf *elf, struct unpacked *u)
{
    GElf_Shdr header;
    GElf_Chdr packed;

    *u = (struct unpacked){ 0 };
    if (gelf_getclass(elf) != ELFCLASS64)
        return;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));)
        if (gelf_getshdr(section, &header) && header.sh_flags & SHF_COMPRESSED && header.sh_type != SHT_NOBITS &&
            gelf_getchdr(section, &packed) && (packed.ch_type == ELFCOMPRESS_ZLIB || packed.ch_type == ELFCOMPRESS_ZSTD))
            unpack_section(section, &header, &packed, u);
}

bool packed_sections_remain(Elf *elf)
{
    size_t names;

    if (elf_getshdrstrndx(elf, &names) != 0)
        return true;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        GElf_Shdr header;
        const char *name = gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
        if (!name || header.sh_type == SHT_NOBITS)
            continue;
        if (strncmp(name, ".debug_", 7) == 0 && header.sh_flags & SHF_COMPRESSED)
            return true;
        Elf_Data *data = strncmp(name, ".zdebug_", 8) == 0 ? elf_getdata(section, NULL) : NULL;
        if (data && data->d_buf && data->d_size >= 4 && memcmp(data->d_buf, "ZLIB", 4) == 0)
            return true;
    }
    return false;
}

void unpacked_release(struct unpacked *u)
{
    for (size_t i = 0; i < u->count; i++)
        free(u->sections[i]);
    free(u->sections);
    *u = (struct unpacked){ 0 };
}
