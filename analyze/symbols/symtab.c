/* ELF file -> functions in the order of their addresses, one per address.
 *
 * The hard problem is that symbol tables say less and more than "this function
 * is here": a function has several names (rank() chooses), functions lie within
 * functions (symbol.outer leads back out), hand-written assembly has no sizes
 * (settle() bounds it by the next symbol and the section), and a stripped library
 * has only its exports, so what lies beyond a symbol's size must stay nameless.
 *
 * The file is not to be trusted: libelf checks its own structures, everything
 * else is checked here. Nothing is mapped, so a file that shrinks does no harm. */
#include "analyze/symbols/symtab.h"

#include "analyze/util.h"

#include <fcntl.h>
#include <gelf.h>
#include <libiberty/demangle.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct symbol {
    uint64_t address, end;
    char *name;     /* as in the file, inside one of symbols.texts */
    char *shown;    /* what symtab_find() returns: name, or its own memory; NULL until asked for */
    uint32_t rank;  /* the lowest of an address is the one to show */
    uint32_t outer; /* 1 + index of the nearest earlier symbol that ends later; 0: none */
};

struct symtab {
    struct symbol *symbols;
    size_t count, capacity;
    char **texts; /* copies of the string tables */
    size_t text_count, text_capacity;
};

struct file {
    int fd;
    Elf *elf;
    const uint8_t *build_id; /* elf's */
    size_t build_id_bytes;
};

struct extent {
    uint64_t start, end; /* of a section's code; equal: it has none */
};

static void file_release(struct file *f)
{
    elf_end(f->elf);
    cleanup_close(&f->fd);
}

#define _cleanup_file_ __attribute__((cleanup(file_release)))

static void find_build_id(struct file *f)
{
    for (Elf_Scn *section = NULL; (section = elf_nextscn(f->elf, section));) {
        GElf_Shdr header;
        if (!gelf_getshdr(section, &header) || header.sh_type != SHT_NOTE)
            continue;
        Elf_Data *data = elf_getdata(section, NULL);
        GElf_Nhdr note;
        size_t name, bytes;
        for (size_t at = 0, next; data && (next = gelf_getnote(data, at, &note, &name, &bytes)) > 0; at = next) {
            const char *base = data->d_buf;
            if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || memcmp(base + name, "GNU", 4) != 0)
                continue;
            f->build_id = (const uint8_t *)base + bytes;
            f->build_id_bytes = note.n_descsz;
            return;
        }
    }
}

static bool file_open(struct file *f, const char *path, const void *build_id, size_t build_id_bytes)
{
    struct stat st;

    /* O_NONBLOCK: a path from a log may be a pipe by now. */
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0 || fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode) || elf_version(EV_CURRENT) == EV_NONE)
        return false;
    f->elf = elf_begin(f->fd, ELF_C_READ, NULL);
    GElf_Ehdr header;
    if (!f->elf || elf_kind(f->elf) != ELF_K_ELF || !gelf_getehdr(f->elf, &header)
        || (header.e_type != ET_EXEC && header.e_type != ET_DYN))
        return false;
    find_build_id(f);
    return build_id_bytes == 0
        || (f->build_id_bytes == build_id_bytes && memcmp(f->build_id, build_id, build_id_bytes) == 0);
}

#define RANK_UNSIZED (1u << 31)

/* The order of preference in the header's words, as a number: from bit 31 down no
 * size, maybe a mere label, local, 4 bits of underscores, 24 of length, weak. */
static uint32_t rank(const GElf_Sym *sym, const char *name)
{
    size_t underscores = strspn(name, "_"), length = strlen(name);

    return (sym->st_size == 0 ? RANK_UNSIZED : 0)
         | (GELF_ST_TYPE(sym->st_info) == STT_NOTYPE) << 30
         | (GELF_ST_BIND(sym->st_info) == STB_LOCAL) << 29
         | (uint32_t)(underscores < 15 ? underscores : 15) << 25
         | (uint32_t)(length < 0xffffff ? length : 0xffffff) << 1
         | (GELF_ST_BIND(sym->st_info) == STB_WEAK);
}

static void add_symbol(struct symtab *s, const GElf_Sym *sym, char *name, const struct extent *section)
{
    int type = GELF_ST_TYPE(sym->st_info);

    if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
        return; /* an object, a thread-local */
    if (sym->st_value < section->start || sym->st_value >= section->end)
        return;
    /* "malloc@@GLIBC_2.2.5". Names that share a tail in the string table are cut alike. */
    name[strcspn(name, "@")] = 0;
    /* Assemblers' own labels: ".L5" and, on ARM and RISC-V, "$x" and "$d". */
    if (name[0] == 0 || (type == STT_NOTYPE && (name[0] == '.' || name[0] == '$')))
        return;

    uint64_t rest = section->end - sym->st_value;
    s->symbols = grow(s->symbols, &s->capacity, s->count + 1, sizeof *s->symbols);
    s->symbols[s->count++] = (struct symbol){
        .address = sym->st_value,
        .end = sym->st_value + (sym->st_size && sym->st_size < rest ? sym->st_size : rest),
        .name = name,
        .rank = rank(sym, name),
    };
}

static void add_table(struct symtab *s, Elf *elf, Elf_Scn *table, const GElf_Shdr *header,
                      const struct extent *sections, size_t section_count)
{
    Elf_Data *data = elf_getdata(table, NULL);
    Elf_Data *text = elf_getdata(elf_getscn(elf, header->sh_link), NULL);
    size_t entry_bytes = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);

    if (!data || !text || !text->d_buf || !entry_bytes)
        return;
    /* A copy, in which every name ends, whatever the file says; and the Elf with all
     * that it has read can go. */
    char *names = copy_text(text->d_buf, text->d_size);
    s->texts = grow(s->texts, &s->text_capacity, s->text_count + 1, sizeof *s->texts);
    s->texts[s->text_count++] = names;
    for (size_t i = 1; i < data->d_size / entry_bytes && i <= INT32_MAX; i++) {
        GElf_Sym sym;
        /* Undefined symbols have section 0, whose extent is empty; absolute ones a reserved number. */
        if (gelf_getsym(data, (int)i, &sym) && sym.st_name < text->d_size && sym.st_shndx < section_count
            && sym.st_shndx < SHN_LORESERVE)
            add_symbol(s, &sym, names + sym.st_name, &sections[sym.st_shndx]);
    }
}

/* Adds what the file has; true: it has a .symtab. */
static bool add_file(struct symtab *s, Elf *elf)
{
    size_t section_count;
    bool complete = false;

    if (elf_getshdrnum(elf, &section_count) != 0)
        return false;
    _cleanup_free_ struct extent *sections = alloc_zeroed(section_count, sizeof *sections);
    GElf_Shdr header;
    for (size_t i = 1; i < section_count; i++)
        if (gelf_getshdr(elf_getscn(elf, i), &header) && header.sh_flags & SHF_EXECINSTR)
            sections[i] = (struct extent){ header.sh_addr, header.sh_addr + header.sh_size };
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        if (!gelf_getshdr(section, &header) || (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM))
            continue;
        add_table(s, elf, section, &header, sections, section_count);
        complete |= header.sh_type == SHT_SYMTAB;
    }
    return complete;
}

static void add_debug_file(struct symtab *s, const struct file *binary)
{
    char path[256] = "/usr/lib/debug/.build-id/";
    size_t length = strlen(path);

    if (binary->build_id_bytes < 2 || binary->build_id_bytes > 64)
        return;
    for (size_t i = 0; i < binary->build_id_bytes; i++)
        length += (size_t)sprintf(path + length, i == 0 ? "%02x/" : "%02x", binary->build_id[i]);
    strcpy(path + length, ".debug");
    _cleanup_file_ struct file debug = { .fd = -1 };
    if (file_open(&debug, path, binary->build_id, binary->build_id_bytes))
        add_file(s, debug.elf);
}

static int by_address(const void *left, const void *right)
{
    const struct symbol *a = left, *b = right;

    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* Sorts, leaves one symbol per address and gives each its end and its outer. */
static void settle(struct symtab *s)
{
    struct symbol *symbols = s->symbols;
    size_t kept = 0;
    uint64_t covered = 0; /* where the symbols with a size have all ended */

    if (!s->count)
        return;
    qsort(symbols, s->count, sizeof *symbols, by_address);
    for (size_t i = 0; i < s->count; i++) {
        struct symbol *last = kept ? &symbols[kept - 1] : NULL;
        bool unsized = symbols[i].rank & RANK_UNSIZED;
        if (unsized && symbols[i].address < covered)
            continue; /* a label in a function */
        if (!unsized && symbols[i].end > covered)
            covered = symbols[i].end;
        if (last && last->address == symbols[i].address) {
            if (symbols[i].end > last->end)
                last->end = symbols[i].end;
            continue;
        }
        if (last && last->rank & RANK_UNSIZED && last->end > symbols[i].address)
            last->end = symbols[i].address;
        symbols[kept++] = symbols[i];
    }
    s->count = kept;
    for (uint32_t i = 1; i < kept; i++) {
        uint32_t outer = i;
        while (outer && symbols[outer - 1].end <= symbols[i].end)
            outer = symbols[outer - 1].outer;
        symbols[i].outer = outer;
    }
}

struct symtab *symtab_open(const char *path, const void *build_id, size_t build_id_bytes)
{
    _cleanup_file_ struct file binary = { .fd = -1 };

    if (!file_open(&binary, path, build_id, build_id_bytes))
        return NULL;
    struct symtab *s = alloc_zeroed(1, sizeof *s);
    if (!add_file(s, binary.elf))
        add_debug_file(s, &binary);
    settle(s);
    return s;
}

void symtab_free(struct symtab *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        if (s->symbols[i].shown != s->symbols[i].name)
            free(s->symbols[i].shown);
    for (size_t i = 0; i < s->text_count; i++)
        free(s->texts[i]);
    free(s->symbols);
    free(s->texts);
    free(s);
}

/* libiberty refuses C++ names beyond 1024 characters, which templates easily have.
 * Without its limit it needs about 200 bytes of stack per character. Rust's names
 * keep the limit: their back-references can recurse for ever. */
#define MANGLED_BYTES_MAX 4096

static char *shown_name(char *name)
{
    bool is_cpp = strncmp(name, "_Z", 2) == 0 && strnlen(name, MANGLED_BYTES_MAX) < MANGLED_BYTES_MAX;
    char *demangled = cplus_demangle(name, DMGL_AUTO | (is_cpp ? DMGL_NO_RECURSE_LIMIT : 0));
    return demangled ? demangled : name;
}

const char *symtab_find(struct symtab *s, uint64_t address, uint64_t *ret_offset)
{
    size_t low = 0, high = s ? s->count : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->symbols[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    while (low && address >= s->symbols[low - 1].end)
        low = s->symbols[low - 1].outer;
    if (!low)
        return NULL;
    struct symbol *symbol = &s->symbols[low - 1];
    if (!symbol->shown)
        symbol->shown = shown_name(symbol->name);
    *ret_offset = address - symbol->address;
    return symbol->shown;
}
