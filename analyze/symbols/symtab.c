/* ELF file -> functions in the order of their addresses, one per address.
 *
 * The hard problem is that symbol tables say less and more than "this function
 * is here": a function has several names (rank() chooses), functions lie within
 * functions (symbol.outer leads back out), hand-written assembly has no sizes
 * (settle() bounds it by the next symbol and the section), and a stripped library
 * has only its exports, so what lies beyond a symbol's size must stay nameless.
 *
 * The file is not to be trusted: libelf checks its own structures, everything
 * else is checked here. */
#include "analyze/symbols/symtab.h"

#include "analyze/util.h"

#include <gelf.h>
#include <string.h>

struct symbol {
    uint64_t address, end;
    char *name;     /* as in the file, inside one of symtab.texts */
    uint32_t file;  /* of symtab.files */
    uint32_t rank;  /* the lowest of an address is the one to show */
    uint32_t outer; /* 1 + index of the nearest earlier symbol that ends later; 0: none */
};

struct symtab {
    struct symbol *symbols;
    size_t count, capacity;
    char **texts; /* copies of the string tables */
    size_t text_count, text_capacity;
    struct symbol_files *files;
    bool are_claimed; /* they know whose functions are theirs */
};

struct extent {
    uint64_t start, end; /* of a section's code; equal: it has none */
};

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

static void add_symbol(struct symtab *s, const GElf_Sym *sym, char *name, const struct extent *section, uint32_t file)
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
        .file = file,
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
    uint32_t file = 0;
    for (size_t i = 1; i < data->d_size / entry_bytes && i <= INT32_MAX; i++) {
        GElf_Sym sym;
        if (!gelf_getsym(data, (int)i, &sym) || sym.st_name >= text->d_size)
            continue;
        if (GELF_ST_TYPE(sym.st_info) == STT_FILE) /* of the local ones that follow; a linker's own are of none */
            file = names[sym.st_name] ? symbol_files_add(s->files, names + sym.st_name) : 0;
        /* Undefined symbols have section 0, whose extent is empty; absolute ones a reserved number. */
        else if (sym.st_shndx < section_count && sym.st_shndx < SHN_LORESERVE)
            add_symbol(s, &sym, names + sym.st_name, &sections[sym.st_shndx], GELF_ST_BIND(sym.st_info) == STB_LOCAL ? file : 0);
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

struct symtab *symtab_make(Elf *const *elfs, size_t count)
{
    struct symtab *s = alloc_zeroed(1, sizeof *s);

    s->files = symbol_files_new();
    for (size_t i = 0; i < count && !add_file(s, elfs[i]); i++)
        ;
    settle(s);
    return s;
}

void symtab_free(struct symtab *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->text_count; i++)
        free(s->texts[i]);
    symbol_files_free(s->files);
    free(s->symbols);
    free(s->texts);
    free(s);
}

/* 1 + its index; 0: none. */
static size_t find(const struct symtab *s, uint64_t address)
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
    return low;
}

const char *symtab_find(const struct symtab *s, uint64_t address, uint64_t *ret_offset)
{
    size_t found = find(s, address);

    if (!found)
        return NULL;
    *ret_offset = address - s->symbols[found - 1].address;
    return s->symbols[found - 1].name;
}

bool symtab_file(struct symtab *s, uint64_t address, struct symbol_file *ret_file)
{
    size_t found = find(s, address);

    if (!found || !s->symbols[found - 1].file)
        return false;
    for (size_t i = 0; i < s->count && !s->are_claimed; i++)
        symbol_files_claim(s->files, s->symbols[i].name, s->symbols[i].file);
    s->are_claimed = true;
    return symbol_files_needed(s->files, s->symbols[found - 1].name, s->symbols[found - 1].file, ret_file);
}

bool symtab_is_midst(const struct symtab *s, uint64_t address)
{
    size_t found = find(s, address);
    return found && s->symbols[found - 1].address != address && !(s->symbols[found - 1].rank & RANK_UNSIZED);
}
