/* Code -> whether a function ends in a jump to one that asks for memory, where no debug information says so: without any, or of clang,
 * which does not tell of calls of functions in other modules. A jump has the distance to where it goes in four bytes, and there is, of
 * another module, a stub that jumps to what the loader has put into a slot. So no instruction has to be told from another: bytes that
 * come out at a function's beginning by chance are not to be expected. For x86-64 alone. */
#include "analyze/symbols/asked_inside.h"

#include "analyze/symbols/demangle.h"
#include "analyze/symbols/elf_file.h"
#include "analyze/util.h"

struct target {
    uint64_t address; /* a function's beginning, or a slot's */
    const char *name; /* the file's */
};

struct targets {
    struct target *of;
    size_t count, capacity;
};

struct code {
    const struct symbols_asking *how;
    Elf *elf; /* with the code */
    struct targets functions, slots;
};

static int by_address(const void *left, const void *right)
{
    const struct target *a = left, *b = right;
    return a->address < b->address ? -1 : a->address > b->address;
}

static void add(struct targets *t, uint64_t address, const char *name)
{
    t->of = grow(t->of, &t->capacity, t->count + 1, sizeof *t->of);
    t->of[t->count++] = (struct target){ address, name };
}

/* NULL: nothing begins there. */
static const char *name_at(const struct targets *t, uint64_t address)
{
    const struct target wanted = { .address = address };
    const struct target *found = t->count ? bsearch(&wanted, t->of, t->count, sizeof *t->of, by_address) : NULL;

    return found ? found->name : NULL;
}

/* ---- what jumps may lead to ------------------------------------------------------------ */

static bool is_function(const GElf_Sym *sym)
{
    return GELF_ST_TYPE(sym->st_info) == STT_FUNC && sym->st_shndx != SHN_UNDEF && sym->st_value;
}

static void add_functions(struct code *c, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
    Elf_Data *data = elf_getdata(section, NULL);
    size_t bytes = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
    GElf_Sym sym;

    for (size_t i = 1; data && bytes && i < data->d_size / bytes && i <= INT32_MAX; i++) {
        const char *name = gelf_getsym(data, (int)i, &sym) && is_function(&sym) ? elf_strptr(elf, header->sh_link, sym.st_name) : NULL;
        if (name)
            add(&c->functions, sym.st_value, name);
    }
}

static void add_slots(struct code *c, Elf_Scn *section, const GElf_Shdr *header)
{
    Elf_Data *data = elf_getdata(section, NULL), *symbols;
    Elf_Scn *table = elf_getscn(c->elf, header->sh_link);
    size_t bytes = gelf_fsize(c->elf, ELF_T_RELA, 1, EV_CURRENT);
    GElf_Shdr of;
    GElf_Rela rela;
    GElf_Sym sym;

    if (!data || !bytes || !table || !gelf_getshdr(table, &of) || of.sh_type != SHT_DYNSYM || !(symbols = elf_getdata(table, NULL)))
        return;
    for (size_t i = 0; i < data->d_size / bytes && i <= INT32_MAX; i++) {
        if (!gelf_getrela(data, (int)i, &rela) || !GELF_R_SYM(rela.r_info) || !gelf_getsym(symbols, (int)GELF_R_SYM(rela.r_info), &sym))
            continue;
        const char *name = elf_strptr(c->elf, of.sh_link, sym.st_name);
        if (name && (GELF_R_TYPE(rela.r_info) == R_X86_64_JUMP_SLOT || GELF_R_TYPE(rela.r_info) == R_X86_64_GLOB_DAT))
            add(&c->slots, rela.r_offset, name);
    }
}

static void find_targets(struct code *c, Elf *symbols)
{
    GElf_Shdr header;

    for (Elf_Scn *section = NULL; (section = elf_nextscn(symbols, section));)
        if (gelf_getshdr(section, &header) && (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM))
            add_functions(c, symbols, section, &header);
    for (Elf_Scn *section = NULL; (section = elf_nextscn(c->elf, section));)
        if (gelf_getshdr(section, &header) && header.sh_type == SHT_RELA)
            add_slots(c, section, &header);
    if (c->functions.count)
        qsort(c->functions.of, c->functions.count, sizeof *c->functions.of, by_address);
    if (c->slots.count)
        qsort(c->slots.of, c->slots.count, sizeof *c->slots.of, by_address);
}

/* ---- jumps ------------------------------------------------------------------------------- */

/* Code from an address on, at most so much. NULL: there is none. */
static const uint8_t *code_at(const struct code *c, uint64_t address, size_t *bytes)
{
    GElf_Shdr header;

    for (Elf_Scn *section = NULL; (section = elf_nextscn(c->elf, section));) {
        if (!gelf_getshdr(section, &header) || header.sh_type != SHT_PROGBITS || !(header.sh_flags & SHF_EXECINSTR) || address < header.sh_addr ||
            address - header.sh_addr >= header.sh_size)
            continue;
        Elf_Data *data = elf_rawdata(section, NULL);
        size_t at = (size_t)(address - header.sh_addr);
        if (!data || !data->d_buf || at >= data->d_size)
            return NULL;
        *bytes = *bytes < data->d_size - at ? *bytes : data->d_size - at;
        return (const uint8_t *)data->d_buf + at;
    }
    return NULL;
}

static uint64_t distance(const uint8_t *at)
{
    int32_t value;
    memcpy(&value, at, sizeof value);
    return (uint64_t)(int64_t)value;
}

/* Of a jump to this address. */
static const char *name_of_target(const struct code *c, uint64_t address)
{
    const char *name = name_at(&c->functions, address);
    size_t bytes = 16, at = 0;
    const uint8_t *stub = name ? NULL : code_at(c, address, &bytes);

    if (!stub || bytes < 16)
        return name;
    at += memcmp(stub, "\xf3\x0f\x1e\xfa", 4) == 0 ? 4 : 0; /* endbr64 */
    at += stub[at] == 0xf2;
    return stub[at] == 0xff && stub[at + 1] == 0x25 ? name_at(&c->slots, address + at + 6 + distance(stub + at + 2)) : NULL;
}

static bool asks(const struct code *c, const char *name)
{
    _cleanup_free_ char *bare = copy_text(name, strcspn(name, "@")), *function = NULL, *signature = NULL;

    demangle(bare, &function, &signature);
    return c->how->asks(function, NULL);
}

/* The bytes of a jump that has its distance at the end, if these are one; else 0. */
static size_t jump_length(const uint8_t *at, size_t bytes, bool *ret_short)
{
    *ret_short = bytes >= 2 && (at[0] == 0xeb || (at[0] & 0xf0) == 0x70);
    if (*ret_short)
        return 2;
    if (bytes >= 5 && at[0] == 0xe9)
        return 5;
    return bytes >= 6 && at[0] == 0x0f && (at[1] & 0xf0) == 0x80 ? 6 : 0;
}

static bool ends_in_asking(const struct code *c, uint64_t address, uint64_t size)
{
    size_t bytes = size < (1u << 20) ? (size_t)size : 1u << 20;
    const uint8_t *code = code_at(c, address, &bytes);

    for (size_t i = 0; code && i + 2 <= bytes; i++) {
        bool is_short;
        size_t length = jump_length(code + i, bytes - i, &is_short);
        const char *name = NULL;
        if (length) {
            uint64_t target = address + i + length + (is_short ? (uint64_t)(int64_t)(int8_t)code[i + 1] : distance(code + i + length - 4));
            name = target - address < size ? NULL : name_of_target(c, target); /* as most: within the function */
        } else if (code[i] == 0xff && code[i + 1] == 0x25 && i + 6 <= bytes) {
            name = name_at(&c->slots, address + i + 6 + distance(code + i + 2));
        }
        if (name && asks(c, name))
            return true;
    }
    return false;
}

static void look_at_functions(const struct code *c, Elf *elf, Elf_Scn *section, const GElf_Shdr *header, const struct symbols_asked *asked,
                              const char *bare, volatile uint8_t *ret_found)
{
    Elf_Data *data = elf_getdata(section, NULL);
    size_t bytes = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
    GElf_Sym sym;

    for (size_t i = 1; data && bytes && i < data->d_size / bytes && i <= INT32_MAX; i++) {
        const char *name = gelf_getsym(data, (int)i, &sym) && is_function(&sym) ? elf_strptr(elf, header->sh_link, sym.st_name) : NULL;
        if (name && asked_is_name(name, asked->name, bare) && ends_in_asking(c, sym.st_value, sym.st_size)) {
            *ret_found |= SYMBOLS_TAIL_ASK | SYMBOLS_TAIL_CALL;
            return;
        }
    }
}

void asked_read_code(const struct symbols_asking *how, const struct module_files *files, const struct symbols_asked *asked, char *const *bare, size_t count,
                     volatile uint8_t *ret_found)
{
    _cleanup_elf_file_ struct elf_file file = ELF_FILE_CLOSED, debug = ELF_FILE_CLOSED;
    struct code c = { .how = how };
    GElf_Ehdr head;
    GElf_Shdr header;

    if (!files->binary || elf_file_open(&file, files->binary, true) != 0 || !gelf_getehdr(file.elf, &head) || head.e_machine != EM_X86_64)
        return;
    c.elf = file.elf;
    Elf *symbols = files->debug && elf_file_open(&debug, files->debug, true) == 0 ? debug.elf : file.elf;
    find_targets(&c, symbols);
    for (Elf_Scn *section = NULL; (section = elf_nextscn(symbols, section));)
        for (size_t k = 0; k < count && gelf_getshdr(section, &header) && (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM); k++)
            if (!asked[k].is_module && !(ret_found[k] & (ASKED_IS_TOLD | SYMBOLS_TAIL_ASK)))
                look_at_functions(&c, symbols, section, &header, &asked[k], bare[k], &ret_found[k]);
    free(c.functions.of);
    free(c.slots.of);
}
