#include "analyze/symbols/code_starts.h"

#include "analyze/util.h"

#include <gelf.h>
#include <stdbool.h>

#define OFFSET_MAX (1ull << 32) /* in a section that was discarded */

struct extent {
    uint64_t start, end;
};

struct code_starts {
    const struct symtab *symtab;
    struct extent *sections; /* of code, by address */
    size_t count, capacity;
};

static int by_start(const void *left, const void *right)
{
    const struct extent *a = left, *b = right;
    return a->start < b->start ? -1 : a->start > b->start;
}

struct code_starts *code_starts_make(Elf *elf, const struct symtab *symtab)
{
    struct code_starts *c = alloc_zeroed(1, sizeof *c);
    GElf_Shdr header;

    c->symtab = symtab;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        if (!gelf_getshdr(section, &header) || !(header.sh_flags & SHF_EXECINSTR))
            continue;
        c->sections = grow(c->sections, &c->capacity, c->count + 1, sizeof *c->sections);
        c->sections[c->count++] = (struct extent){ header.sh_addr, header.sh_addr + header.sh_size };
    }
    if (c->count)
        qsort(c->sections, c->count, sizeof *c->sections, by_start);
    return c;
}

void code_starts_free(struct code_starts *c)
{
    if (!c)
        return;
    free(c->sections);
    free(c);
}

static bool is_in_section(const struct code_starts *c, uint64_t address)
{
    size_t low = 0, high = c->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->sections[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low && address < c->sections[low - 1].end;
}

enum code_start code_starts_at(const struct code_starts *c, uint64_t address)
{
    uint64_t end = c->count ? c->sections[c->count - 1].end : 0;

    if (!c->count) /* a file that does not say where its code is */
        return address && address < UINT64_MAX - 1 ? CODE_HERE : CODE_DISCARDED;
    if (is_in_section(c, address))
        return CODE_HERE;
    return address > end && address - end > OFFSET_MAX && UINT64_MAX - address > OFFSET_MAX ? CODE_NOWHERE : CODE_DISCARDED;
}

enum code_start code_starts_function_at(const struct code_starts *c, uint64_t address)
{
    enum code_start is = code_starts_at(c, address);
    return is == CODE_HERE && symtab_is_midst(c->symtab, address) ? CODE_DISCARDED : is;
}
