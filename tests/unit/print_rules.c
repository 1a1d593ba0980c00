/* print_rules FILE  maps a module as the loader would, reads addresses (as the file
 * has them, hexadecimal) and prints the rule of each as a line. For processors whose
 * files this one cannot load: built with a cross compiler by tests/shim/test_cfi_aarch64.py. */
#include "interpose/inside/cfi.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct cfi_work work;

static const char *base_name(unsigned base)
{
    static const char *const names[] = { "same", "c", "sp", "x29", "lr", "?", "?", "?" };
    return names[base];
}

int main(int argc, char **argv)
{
    int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    struct cfi_tables tables = { NULL, NULL, NULL };
    struct stat status;
    uint64_t bytes = 0, address;

    if (fd < 0 || fstat(fd, &status) != 0)
        return 2;
    const uint8_t *file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (file == MAP_FAILED)
        return 2;
    const Elf64_Ehdr *header = (const void *)file;
    const Elf64_Phdr *segments = (const void *)(file + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++)
        if (segments[i].p_type == PT_LOAD)
            bytes = segments[i].p_vaddr + segments[i].p_memsz;
    uint8_t *bias = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bias == MAP_FAILED)
        return 2;
    for (unsigned i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD && pread(fd, bias + segments[i].p_vaddr, segments[i].p_filesz,
                                                   (off_t)segments[i].p_offset) != (ssize_t)segments[i].p_filesz)
            return 2;
        if (segments[i].p_type == PT_GNU_EH_FRAME)
            tables = (struct cfi_tables){ bias + segments[i].p_vaddr, bias, bias + bytes };
    }
    while (scanf("%lx", &address) == 1) {
        static const char *const kinds[] = { "0", "step", "end", "none", "unsupported", "broken", "6", "7" };
        struct rule r;
        cfi_find_rule(&tables, (uint64_t)bias + address, &work, &r);
        printf("%lx %s", address, kinds[r.kind]);
        if (r.kind == RULE_STEP) {
            printf(r.cfa_is_read ? " [%s%+d]" : " %s%+d", base_name(r.cfa_base), r.cfa);
            printf(r.fp_base ? " %s%+d" : " %s", base_name(r.fp_base), r.fp);
            printf(r.ra_base != RULE_IN_LR ? " %s%+d" : " %s", base_name(r.ra_base), r.ra);
        }
        printf("%s\n", r.signal ? " signal" : "");
    }
    return 0;
}
