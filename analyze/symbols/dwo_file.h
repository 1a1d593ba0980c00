/* A file that has the debug information of units apart from their skeletons: a .dwo file, an object file with such sections
 * (clang's -gsplit-dwarf=single), or a package of many (PROGRAM.dwp).
 *
 * For the same process, and with the same trust, as dwarf_index.h. */
#ifndef MALLOSCOPE_SYMBOLS_DWO_FILE_H
#define MALLOSCOPE_SYMBOLS_DWO_FILE_H

#include "analyze/symbols/elf_file.h"
#include "analyze/symbols/packed_sections.h"

struct dwo_part {
    const uint8_t *data; /* NULL: there is none */
    size_t bytes;
};

enum dwo_parts { DWO_INFO, DWO_ABBREV, DWO_STR_OFFSETS, DWO_RNGLISTS, DWO_STR, DWO_PARTS };

struct dwo_file {
    struct elf_file file;
    struct unpacked unpacked;
    struct dwo_part parts[DWO_PARTS];
    uint8_t *units; /* of several sections; NULL: there is one */
    struct dwo_part index; /* of a package */
    bool is_plain;         /* libdw can read it as it is */
};

/* 0. -ENOENT and the like; -ENOEXEC: no ELF file; -ENODATA: it has none of these sections. */
int dwo_file_open(struct dwo_file *f, const char *path);
void dwo_file_release(struct dwo_file *f); /* accepts one that is zeroed */

/* What a .dwo file of the unit alone has, in a .dwo file's form; a file that is no package is taken for that. NULL: it is not in it, or that is
 * damaged. To be freed. */
void *dwo_file_image(const struct dwo_file *f, uint64_t id, size_t *ret_bytes);

#endif
