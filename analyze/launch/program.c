/* Symbols -> whose malloc. A preloaded malloc stands before those of libraries,
 * but behind the executable's own: if that is exported everything goes there, and
 * if it is hidden (jemalloc linked statically, say) the executable's own calls
 * were bound to it when it was linked. Only .symtab tells of the latter.
 *
 * The file is not to be trusted: libelf checks its structures, and a table of
 * names must end with a 0. */
#include "analyze/launch/program.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *symbol, *sanitizer;
} runtimes[] = {
    { "__asan_init", "address" }, { "__tsan_init", "thread" }, { "__msan_init", "memory" },
    { "__hwasan_init", "hwaddress" },
};

/* Each has one name that all its versions and configurations have kept. */
static const struct {
    const char *symbol, *heap;
} heaps[] = {
    { "mi_malloc", "mimalloc" }, { "je_malloc", "jemalloc" }, { "_rjem_malloc", "jemalloc" },
    { "tc_malloc", "tcmalloc" }, { "rpmalloc", "rpmalloc" }, { "scalable_malloc", "tbbmalloc" },
};

#define COUNT(array) (sizeof array / sizeof *array)

const char *sanitizer_library(const char *names)
{
    static const char *const parts[] = { "libasan.so", "libtsan.so", "libhwasan.so", "libclang_rt.asan",
                                         "libclang_rt.tsan", "libclang_rt.hwasan" };

    for (size_t i = 0; names && i < COUNT(parts); i++)
        if (strstr(names, parts[i]))
            return parts[i];
    return NULL;
}

static void take_symbol(struct program *p, const GElf_Sym *symbol, const char *name, bool is_dynamic)
{
    bool is_code = GELF_ST_TYPE(symbol->st_info) == STT_FUNC || GELF_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC;

    if (name[0] == '_' && name[1] == 'Z')
        return; /* most names of a large program are C++'s */
    for (size_t i = 0; i < COUNT(runtimes); i++) /* also where it is only asked for */
        if (strcmp(name, runtimes[i].symbol) == 0)
            p->sanitizer = runtimes[i].sanitizer;
    for (size_t i = 0; i < COUNT(heaps); i++)
        if (strcmp(name, heaps[i].symbol) == 0)
            p->other_heap = heaps[i].heap;
    if (symbol->st_shndx == SHN_UNDEF || !is_code || strcmp(name, "malloc") != 0)
        return;
    if (is_dynamic)
        p->malloc = MALLOC_EXPORTED;
    else if (p->malloc == MALLOC_NOT_OWN)
        p->malloc = MALLOC_HIDDEN;
}

static void take_symbols(struct program *p, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
    size_t bytes = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
    Elf_Data *data = elf_getdata(section, NULL), *names = elf_getdata(elf_getscn(elf, header->sh_link), NULL);
    GElf_Sym symbol;

    /* Not by elf_strptr: there may be hundreds of thousands. */
    if (!data || !bytes || !names || !names->d_size || ((const char *)names->d_buf)[names->d_size - 1])
        return;
    for (size_t i = 0; i < data->d_size / bytes && i < INT32_MAX && gelf_getsym(data, (int)i, &symbol); i++)
        if (symbol.st_name < names->d_size)
            take_symbol(p, &symbol, (const char *)names->d_buf + symbol.st_name, header->sh_type == SHT_DYNSYM);
}

/* ld-linux-x86-64.so.2, ld64.so.2 (ppc64le), ld.so.1 (mips) */
static bool is_loader_name(const char *name)
{
    return strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld64.so.", 8) == 0 || strncmp(name, "ld.so.", 6) == 0;
}

static void take_dynamic(struct program *p, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
    Elf_Data *data = elf_getdata(section, NULL);
    GElf_Dyn entry;

    for (int i = 0; data && gelf_getdyn(data, i, &entry) && entry.d_tag != DT_NULL; i++) {
        if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_SONAME)
            continue;
        const char *name = elf_strptr(elf, header->sh_link, entry.d_un.d_val);
        if (name && entry.d_tag == DT_SONAME)
            p->is_loader = is_loader_name(name);
        else if (name && sanitizer_library(name))
            p->sanitizer_library = sanitizer_library(name);
    }
}

static int read_sections(Elf *elf, struct program *p)
{
    GElf_Ehdr header;
    size_t names;

    if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header) || elf_getshdrstrndx(elf, &names) != 0)
        return -ENOEXEC;
    p->stripped = true;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        GElf_Shdr section_header;
        if (!gelf_getshdr(section, &section_header))
            continue;
        const char *name = elf_strptr(elf, names, section_header.sh_name);
        p->is_go |= name && strcmp(name, ".go.buildinfo") == 0;
        if (section_header.sh_type == SHT_SYMTAB)
            p->stripped = false;
        if (section_header.sh_type == SHT_SYMTAB || section_header.sh_type == SHT_DYNSYM)
            take_symbols(p, elf, section, &section_header);
        if (section_header.sh_type == SHT_DYNAMIC)
            take_dynamic(p, elf, section, &section_header);
    }
    return 0;
}

int program_read(const char *path, struct program *ret_program)
{
    struct stat st;

    *ret_program = (struct program){ 0 };
    /* O_NONBLOCK: it may be a pipe, by a change since it was looked at. */
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || elf_version(EV_CURRENT) == EV_NONE)
        return -ENOEXEC;
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    int error = read_sections(elf, ret_program);
    elf_end(elf);
    return error;
}

char *program_own_heap(const struct program *p)
{
    _cleanup_free_ char *which = p->other_heap ? format_text(" (%s)", p->other_heap) : copy_text("", 0);

    if (p->malloc == MALLOC_EXPORTED && p->sanitizer)
        return format_text("built with -fsanitize=%s, and the sanitizer's malloc in it goes before the recorder's: its "
                           "allocations, and its libraries', are not recorded; record a build without the sanitizer",
                           p->sanitizer);
    if (p->malloc == MALLOC_EXPORTED)
        return format_text("it has a malloc of its own%s, which goes before the recorder's: its allocations, and its "
                           "libraries', are not recorded; link that allocator as a shared library, or leave it out", which);
    if (p->malloc == MALLOC_HIDDEN)
        return format_text("it has a malloc of its own%s, not exported: its own allocations are not recorded, only its "
                           "libraries'; link that allocator as a shared library, or leave it out", which);
    return NULL;
}
