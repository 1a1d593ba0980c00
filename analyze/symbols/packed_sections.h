/* Debug information that is packed: by zlib, which libelf unpacks at a third of the speed; by zstd, which not every libelf knows; or so
 * that nobody can unpack it. */
#ifndef MALLOSCOPE_SYMBOLS_PACKED_SECTIONS_H
#define MALLOSCOPE_SYMBOLS_PACKED_SECTIONS_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>

struct unpacked {
    void **sections;
    size_t count, capacity;
};

/* Before libdw looks at elf, which was mapped (elf_file.h): it unpacks all packed sections that it knows, at once. These it
 * then takes for empty. */
void hide_unasked_sections(Elf *elf);

/* Puts the content into elf in the packed one's place; to be done before libdw looks at it. elf: a file that was mapped
 * (elf_file.h). *ret_unpacked is to be released after elf's end. What is not unpacked here is left as it is: libelf refuses it, or can
 * read it, as the sections of 32-bit files and those that are several streams of zlib's. */
void unpack_sections(Elf *elf, struct unpacked *ret_unpacked);
void unpacked_release(struct unpacked *u);

/* After libdw has unpacked what it can, and passed over the rest: there is such a rest. */
bool packed_sections_remain(Elf *elf);

#endif
