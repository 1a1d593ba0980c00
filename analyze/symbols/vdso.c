#include "analyze/symbols/vdso.h"

#include <errno.h>
#include <string.h>
#ifdef __linux__
#include <sys/auxv.h>
#endif

bool vdso_is(const char *path)
{
    return strcmp(path, "[vdso]") == 0 || strcmp(path, "linux-vdso.so.1") == 0 || strcmp(path, "linux-gate.so.1") == 0;
}

int vdso_open(struct elf_file *f)
{
#ifdef __linux__
    char *image = (char *)getauxval(AT_SYSINFO_EHDR);
    *f = (struct elf_file)ELF_FILE_CLOSED;
    if (!image || elf_version(EV_CURRENT) == EV_NONE)
        return -ENOENT;
    Elf64_Ehdr header;
    memcpy(&header, image, sizeof header);
    f->elf = elf_memory(image, header.e_shoff + (size_t)header.e_shnum * header.e_shentsize);
    if (!f->elf)
        return -ENOENT;
    elf_file_find_build_id(f);
    return 0;
#else
    *f = (struct elf_file)ELF_FILE_CLOSED;
    return -ENOENT;
#endif
}
