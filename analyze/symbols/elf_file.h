/* An ELF file that is open for reading: what the other files of this folder need to
 * know of it. Nothing of the file is trusted, and it is read, not mapped, unless asked:
 * a file that shrinks meanwhile then does no harm. */
#ifndef MALLOSCOPE_SYMBOLS_ELF_FILE_H
#define MALLOSCOPE_SYMBOLS_ELF_FILE_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct elf_file {
    int fd;
    Elf *elf;
    struct stat status;
    bool is_loadable; /* a program or library; dwz's shared files are objects */
    bool is_cut;      /* its table of sections is beyond its end */
    const uint8_t *build_id; /* elf's; NULL: it has none */
    size_t build_id_bytes;
};

#define ELF_FILE_CLOSED { .fd = -1 }

/* 0. -ENOENT and the like: it cannot be opened. -ENOEXEC: no regular file, or no ELF program,
 * library or object. mapped: for a process that may die of it; what is written to the pages is not to the file. */
int elf_file_open(struct elf_file *f, const char *path, bool mapped);
void elf_file_find_build_id(struct elf_file *f); /* of an elf that was opened otherwise */
void elf_file_release(struct elf_file *f); /* accepts one that is closed */
#define _cleanup_elf_file_ __attribute__((cleanup(elf_file_release)))

bool elf_file_has_build_id(const struct elf_file *f, const void *build_id, size_t build_id_bytes);

/* The section of that name with its header; NULL: there is none. */
Elf_Scn *elf_section(Elf *elf, const char *name, GElf_Shdr *ret_header);
/* There is debug information about functions, compressed or not. */
bool elf_has_dwarf(Elf *elf);
/* There is a table of all symbols, not only of exported ones. */
bool elf_has_symtab(Elf *elf);

#endif
