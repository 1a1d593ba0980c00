/* Debug information that is packed by zstd, for a libelf that only knows zlib. */
#ifndef MALLOSCOPE_SYMBOLS_UNPACK_ZSTD_H
#define MALLOSCOPE_SYMBOLS_UNPACK_ZSTD_H

#include <libelf.h>
#include <stddef.h>

struct unpacked {
    void **sections;
    size_t count, capacity;
};

/* Puts the content into elf in the packed one's place; to be done before libdw looks at it. elf: a file that was mapped
 * (elf_file.h). *ret_unpacked is to be released after elf's end. What cannot be unpacked is left as it is. */
void unpack_zstd(Elf *elf, struct unpacked *ret_unpacked);
void unpacked_release(struct unpacked *u);

#endif
