/* Works on what the loader has mapped: each module's dynamic section tells where its
 * symbols are, and its relocations, which say for every word that holds a function's
 * address (a call's, in the GOT, or data) the function's name.
 *
 * The name alone does not tell whose function a word is bound to, so a word is changed
 * only if it holds the address that is to be replaced. Words that are not bound yet hold
 * something else; when their time comes, the loader looks into the symbol table, and so
 * that is changed first. */
#include "interpose/outside/redirect.h"

#include "interpose/inside/sys.h"

#include <string.h>
#include <sys/auxv.h>

#if defined(__x86_64__)
#define ADDRESS_WORD R_X86_64_64
#define GOT_WORD R_X86_64_GLOB_DAT
#define CALL_WORD R_X86_64_JUMP_SLOT
#elif defined(__aarch64__)
#define ADDRESS_WORD R_AARCH64_ABS64
#define GOT_WORD R_AARCH64_GLOB_DAT
#define CALL_WORD R_AARCH64_JUMP_SLOT
#endif

static const ElfW(Phdr) *segment_of(const struct linked_module *m, uint64_t address)
{
    for (unsigned i = 0; i < m->header_count; i++) {
        const ElfW(Phdr) *header = &m->headers[i];
        if (header->p_type == PT_LOAD && address - m->bias - header->p_vaddr < header->p_memsz)
            return header;
    }
    return NULL;
}

/* glibc has made the dynamic section's addresses absolute, where it may write there. */
static const void *absolute(const struct linked_module *m, uint64_t address)
{
    return (const void *)(address < m->bias ? m->bias + address : address);
}

/* False: it has no symbols. */
static bool read_module(const struct dl_phdr_info *info, struct linked_module *ret)
{
    const ElfW(Dyn) *entry = NULL;

    *ret = (struct linked_module){ .bias = info->dlpi_addr, .start = ~0ull, .headers = info->dlpi_phdr,
                                   .header_count = info->dlpi_phnum };
    for (unsigned i = 0; i < ret->header_count; i++) {
        const ElfW(Phdr) *header = &ret->headers[i];
        uint64_t start = ret->bias + header->p_vaddr, end = start + header->p_memsz;
        if (header->p_type == PT_DYNAMIC)
            entry = (const void *)start;
        if (header->p_type == PT_LOAD && start < ret->start)
            ret->start = start;
        if (header->p_type == PT_LOAD && end > ret->end)
            ret->end = end;
    }
    for (; entry && entry->d_tag != DT_NULL; entry++) {
        switch (entry->d_tag) {
        case DT_SYMTAB: ret->symbols = absolute(ret, entry->d_un.d_ptr); break;
        case DT_STRTAB: ret->names = absolute(ret, entry->d_un.d_ptr); break;
        case DT_GNU_HASH: ret->hash = absolute(ret, entry->d_un.d_ptr); break;
        case DT_RELA: ret->data.at = absolute(ret, entry->d_un.d_ptr); break;
        case DT_RELASZ: ret->data.count = entry->d_un.d_val / sizeof(ElfW(Rela)); break;
        case DT_JMPREL: ret->calls.at = absolute(ret, entry->d_un.d_ptr); break;
        case DT_PLTRELSZ: ret->calls.count = entry->d_un.d_val / sizeof(ElfW(Rela)); break;
        }
    }
    return ret->symbols && ret->names;
}

/* By the module's hash table. NULL: it does not define the function. */
static ElfW(Sym) *find_symbol(const struct linked_module *m, const char *name)
{
    uint32_t hash = 5381;

    for (const char *at = name; *at; at++)
        hash = hash * 33 + (unsigned char)*at;
    if (!m->hash)
        return NULL;
    const uint32_t bucket_count = m->hash[0], first = m->hash[1], filter_words = m->hash[2];
    const uint32_t *buckets = m->hash + 4 + filter_words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t *chain = buckets + bucket_count;
    uint32_t i = bucket_count ? buckets[hash % bucket_count] : 0;

    if (i < first)
        return NULL;
    for (;; i++) {
        const ElfW(Sym) *symbol = &m->symbols[i];
        if ((chain[i - first] | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF &&
            ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && strcmp(m->names + symbol->st_name, name) == 0)
            return (ElfW(Sym) *)symbol;
        if (chain[i - first] & 1)
            return NULL;
    }
}

static bool is_made_read_only(const struct linked_module *m, uint64_t address, uint64_t page)
{
    for (unsigned i = 0; i < m->header_count; i++) {
        uint64_t start = m->bias + m->headers[i].p_vaddr, end = start + m->headers[i].p_memsz;
        if (m->headers[i].p_type == PT_GNU_RELRO && address >= (start & -page) && address < (end & -page))
            return true;
    }
    return false;
}

static bool write_word(const struct linked_module *m, uint64_t address, const void *value)
{
    const uint64_t page = getauxval(AT_PAGESZ);
    const ElfW(Phdr) *segment = segment_of(m, address);

    if (!segment || address % sizeof value)
        return false;
    int protection = (segment->p_flags & PF_R ? PROT_READ : 0) | (segment->p_flags & PF_W ? PROT_WRITE : 0) |
                     (segment->p_flags & PF_X ? PROT_EXEC : 0);
    if (is_made_read_only(m, address, page)) {
        if (sys_can_write(address)) /* not yet: another thread is loading it */
            return false;
        protection = PROT_READ;
    }
    if (!(protection & PROT_WRITE) && sys_protect((void *)(address & -page), page, protection | PROT_WRITE) != 0)
        return false;
    __atomic_store_n((const void **)address, value, __ATOMIC_RELEASE);
    if (!(protection & PROT_WRITE))
        sys_protect((void *)(address & -page), page, protection);
    return true;
}

static const char *name_of(const struct linked_module *m, const ElfW(Rela) *relocation)
{
    return m->names + m->symbols[ELF64_R_SYM(relocation->r_info)].st_name;
}

/* Which of the list a relocated word is about; NULL: none, or it is no plain address.
 * only_bound: the word must hold the real function's address. Of a large program's
 * relocations that leaves so few that their names need not be fast to find. */
static const struct redirection *find_target(const struct linked_module *m, const ElfW(Rela) *relocation,
                                             const struct redirection *list, size_t count, bool only_bound)
{
    uint64_t type = ELF64_R_TYPE(relocation->r_info);

    if ((type != ADDRESS_WORD && type != GOT_WORD && type != CALL_WORD) || relocation->r_addend)
        return NULL;
    const void *word = *(void *const *)(m->bias + relocation->r_offset);
    for (size_t i = 0; i < count; i++)
        if ((!only_bound || (word && word == list[i].real)) && strcmp(list[i].symbol, name_of(m, relocation)) == 0)
            return &list[i];
    return NULL;
}

static bool bind(const struct linked_module *m, const struct redirection *list, size_t count, bool only_bound)
{
    const struct relocations *tables[] = { &m->data, &m->calls };
    bool result = true;

    for (int table = 0; table < 2; table++) {
        for (size_t i = 0; i < tables[table]->count; i++) {
            const ElfW(Rela) *relocation = &tables[table]->at[i];
            const struct redirection *target = find_target(m, relocation, list, count, only_bound);
            if (target && !write_word(m, m->bias + relocation->r_offset, target->stand_in))
                result = false;
        }
    }
    return result;
}

struct search {
    uint64_t address;
    struct linked_module *ret;
};

static int is_module_of(struct dl_phdr_info *info, size_t bytes, void *data)
{
    const struct search *search = data;

    (void)bytes;
    return read_module(info, search->ret) && segment_of(search->ret, search->address);
}

bool redirect_module_of(const void *address, struct linked_module *ret)
{
    return dl_iterate_phdr(is_module_of, &(struct search){ (uint64_t)address, ret }) == 1;
}

/* A shared library's first bytes in memory are its file's. */
bool redirect_module_at(const struct link_map *map, struct linked_module *ret)
{
    const ElfW(Ehdr) *file = (const void *)map->l_addr;

    if (!map->l_addr || !*map->l_name || (uint64_t)map->l_ld - map->l_addr > INT32_MAX || memcmp(file->e_ident, ELFMAG, SELFMAG) != 0)
        return false;
    struct dl_phdr_info info = { .dlpi_addr = map->l_addr, .dlpi_name = map->l_name, .dlpi_phnum = file->e_phnum,
                                 .dlpi_phdr = (const void *)(map->l_addr + file->e_phoff) };
    return read_module(&info, ret);
}

bool redirect_find(const struct linked_module *module, struct redirection *list, size_t count)
{
    bool result = false;

    for (size_t i = 0; i < count; i++) {
        list[i].found = find_symbol(module, list[i].symbol);
        list[i].real = list[i].found ? (void *)(module->bias + list[i].found->st_value) : NULL;
        result |= list[i].found != NULL;
    }
    return result;
}

bool redirect_inner_calls(const struct linked_module *module, const struct redirection *list, size_t count)
{
    return bind(module, list, count, false);
}

/* The loader adds the module's bias to a symbol's value. */
static bool set_symbol(const struct linked_module *m, const struct redirection *r, const void *function)
{
    return !r->found || write_word(m, (uint64_t)&r->found->st_value, (const void *)((uint64_t)function - m->bias));
}

struct pass {
    const struct redirection *list;
    size_t count;
};

static int bind_module(struct dl_phdr_info *info, size_t bytes, void *data)
{
    const struct pass *pass = data;
    struct linked_module m;

    (void)bytes;
    if (read_module(info, &m))
        bind(&m, pass->list, pass->count, true);
    return 0;
}

bool redirect_calls(const struct linked_module *module, const struct redirection *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!set_symbol(module, &list[i], list[i].stand_in)) {
            while (i-- > 0)
                set_symbol(module, &list[i], list[i].real);
            return false;
        }
    dl_iterate_phdr(bind_module, &(struct pass){ list, count });
    return true;
}
