/* Unwind tables of real modules: what interpose/inside/cfi.c makes of them, and what
 * elfutils' libdw does. Each module is mapped as the loader would, and nothing of it
 * runs. Both answers are tried on a frame of made-up registers and memory: the CFA,
 * and the places of rbp and rip, must be the same numbers. A rule may be "unsupported"
 * only where libdw's answer uses what a rule cannot say; each such kind is counted. */
#include "tests/unit/check.h"

#if !defined(__x86_64__)
int main(void)
{
    CHECK(true); /* the files of this machine are another processor's */
    return check_summary();
}
#else

#include "interpose/inside/cfi.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct cfi_work work;

/* Of a module with more functions than this, evenly spread ones: a few seconds' worth. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FUNCTIONS_MAX 10000
#endif
#endif
#ifndef FUNCTIONS_MAX
#define FUNCTIONS_MAX 100000
#endif
#define PAGE 4096ull

enum { RBP = 6, RSP = 7, RIP = 16 };

/* Why a rule may be unsupported, as libdw's answer has it. */
enum kind {
    OTHER_REGISTER, /* the CFA, or where a register is saved, is found by another register */
    MOVED,          /* rbp or rip is in another register, or a value to be computed */
    READ_TWICE,     /* sums with a word that is read, or words behind words */
    NO_KIND,        /* nothing of these: a rule could have said it */
    KIND_COUNT,
};
static const char *const kind_names[] = { "other register", "moved", "sum of what is read", "without reason" };

struct counts {
    unsigned long functions, rows, addresses, ends, outside, signals, reads, unsupported[KIND_COUNT], differences;
};

struct module {
    const char *path;
    int fd;
    Elf *elf;
    Dwarf_CFI *cfi;
    uint8_t *bias, *start;
    size_t bytes;
    const uint8_t *header;
    struct counts counts;
};

/* --- a frame that is nowhere --------------------------------------------------- */

struct frame {
    uint64_t reg[17];
};

static uint64_t scrambled(uint64_t n)
{
    n = (n ^ n >> 31) * 0x9e3779b97f4a7c15ull;
    return (n ^ n >> 29) * 0xbf58476d1ce4e5b9ull;
}

static uint64_t word_at(uint64_t address)
{
    return scrambled(address + 1);
}

/* What libdw's operations come to. first: what is on the stack before. */
struct evaluation {
    uint64_t value;
    bool fails;          /* an operation that this does not know */
    bool other_register; /* it uses one besides rbp, rsp, rip */
    bool sums_read;      /* it uses a word that it read other than as the result */
};

static struct evaluation evaluate(const Dwarf_Op *ops, size_t count, const struct frame *frame, const uint64_t *first)
{
    struct evaluation e = { 0 };
    uint64_t stack[32] = { 0 };
    unsigned top = 0; /* how many there are */
    bool was_read = false;

    if (first)
        stack[top++] = *first;
    for (size_t i = 0; i < count; i++) {
        const Dwarf_Op *op = &ops[i];
        if (was_read)
            e.sums_read = true;
        if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31) {
            stack[top++] = op->atom - DW_OP_lit0;
        } else if ((op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) || op->atom == DW_OP_bregx) {
            bool extended = op->atom == DW_OP_bregx;
            uint64_t reg = extended ? op->number : op->atom - (uint64_t)DW_OP_breg0;
            e.other_register |= reg != RBP && reg != RSP && reg != RIP;
            if (reg > RIP)
                return (struct evaluation){ .fails = true };
            stack[top++] = frame->reg[reg] + (extended ? op->number2 : op->number);
        } else if (op->atom == DW_OP_call_frame_cfa && first) {
            stack[top++] = *first;
        } else if (op->atom >= DW_OP_const1u && op->atom <= DW_OP_consts) {
            stack[top++] = op->number; /* libdw has extended the sign */
        } else if (op->atom == DW_OP_plus_uconst && top) {
            stack[top - 1] += op->number;
        } else if (op->atom == DW_OP_deref && top) {
            stack[top - 1] = word_at(stack[top - 1]);
            was_read = true;
        } else if (top >= 2) {
            uint64_t b = stack[--top], *a = &stack[top - 1];
            switch (op->atom) {
            case DW_OP_plus: *a += b; break;
            case DW_OP_minus: *a -= b; break;
            case DW_OP_mul: *a *= b; break;
            case DW_OP_and: *a &= b; break;
            case DW_OP_ge: *a = (int64_t)*a >= (int64_t)b; break;
            case DW_OP_shl: *a <<= b; break;
            default: return (struct evaluation){ .fails = true };
            }
        } else {
            return (struct evaluation){ .fails = true };
        }
    }
    if (!top)
        return (struct evaluation){ .fails = true };
    e.value = stack[top - 1];
    return e;
}

/* --- what libdw says -------------------------------------------------------------- */

struct answer {
    bool found, end, signal;
    uint64_t row_end; /* as the file has it */
    uint64_t cfa, rip_place, rbp_place; /* 0: rbp is not saved */
    bool cannot[KIND_COUNT];
    char problem[100];
};

static void note(struct answer *a, struct evaluation e)
{
    if (e.fails)
        snprintf(a->problem, sizeof a->problem, "an operation that the test does not know");
    a->cannot[OTHER_REGISTER] |= e.other_register;
    a->cannot[READ_TWICE] |= e.sums_read;
}

/* The place of a register; *ret_undefined: nobody knows it. */
static uint64_t place_of(Dwarf_Frame *dwarf, int reg, const struct frame *frame, struct answer *a, bool *ret_undefined)
{
    Dwarf_Op memory[3], *ops;
    size_t count;

    *ret_undefined = false;
    if (dwarf_frame_register(dwarf, reg, memory, &ops, &count) != 0) {
        snprintf(a->problem, sizeof a->problem, "register %d: %s", reg, dwarf_errmsg(-1));
        return 0;
    }
    if (count == 0) {
        *ret_undefined = ops == memory;
        return 0;
    }
    if (ops[count - 1].atom == DW_OP_stack_value || ops[0].atom == DW_OP_regx ||
        (ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31)) {
        a->cannot[MOVED] = true;
        return 0;
    }
    struct evaluation e = evaluate(ops, count, frame, &a->cfa);
    note(a, e);
    a->cannot[READ_TWICE] |= ops[count - 1].atom == DW_OP_deref;
    return e.value;
}

static struct answer ask_libdw(const struct module *m, uint64_t address, const struct frame *frame)
{
    struct answer a = { 0 };
    Dwarf_Frame *dwarf;
    Dwarf_Addr start, end;
    Dwarf_Op *ops;
    size_t count;
    bool undefined;

    if (dwarf_cfi_addrframe(m->cfi, address, &dwarf) != 0) {
        const char *problem = dwarf_errmsg(-1);
        if (strcmp(problem, "no matching address range") != 0)
            snprintf(a.problem, sizeof a.problem, "%s", problem);
        return a;
    }
    a.found = true;
    if (dwarf_frame_info(dwarf, &start, &end, &a.signal) != RIP)
        snprintf(a.problem, sizeof a.problem, "another return address");
    a.row_end = end;
    if (dwarf_frame_cfa(dwarf, &ops, &count) != 0 || count == 0) {
        snprintf(a.problem, sizeof a.problem, "no CFA: %s", dwarf_errmsg(-1));
    } else {
        struct evaluation e = evaluate(ops, count, frame, NULL);
        note(&a, e);
        a.cfa = e.value;
    }
    a.rip_place = place_of(dwarf, RIP, frame, &a, &undefined);
    a.end = undefined;
    a.rbp_place = place_of(dwarf, RBP, frame, &a, &undefined);
    free(dwarf);
    return a;
}

/* --- both ------------------------------------------------------------------------- */

static uint64_t based(unsigned base, int32_t offset, uint64_t cfa, const struct frame *frame)
{
    uint64_t from = base == RULE_FROM_CFA ? cfa : base == RULE_FROM_SP ? frame->reg[RSP] : frame->reg[RBP];
    return base == RULE_NOWHERE ? 0 : from + (uint64_t)(int64_t)offset;
}

static const char *difference(const struct rule *r, const struct answer *a, const struct frame *frame, struct counts *counts)
{
    if (a->problem[0])
        return a->problem;
    if (!a->found) {
        counts->outside++;
        return r->kind == RULE_NONE ? NULL : "libdw has no entry";
    }
    if (a->end) {
        counts->ends++;
        return r->kind == RULE_END ? NULL : "libdw has an end";
    }
    if (r->kind == RULE_UNSUPPORTED) {
        unsigned kind = 0;
        while (kind < NO_KIND && !a->cannot[kind])
            kind++;
        counts->unsupported[kind]++;
        return kind == NO_KIND ? "not supported, though it could be" : NULL;
    }
    if (r->kind != RULE_STEP)
        return "libdw has a caller";
    uint64_t cfa = based(r->cfa_base, r->cfa, 0, frame);
    if (r->cfa_is_read)
        cfa = word_at(cfa);
    if (r->cfa_base != RULE_FROM_SP && r->cfa_base != RULE_FROM_FP)
        return "the CFA's base is none";
    counts->signals += r->signal;
    counts->reads += r->cfa_is_read;
    return cfa != a->cfa                                               ? "another CFA"
           : based(r->ra_base, r->ra, cfa, frame) != a->rip_place || !a->rip_place ? "another place of rip"
           : based(r->fp_base, r->fp, cfa, frame) != a->rbp_place      ? "another place of rbp"
           : r->signal != a->signal                                    ? "one of them says signal"
           : r->no_module                                              ? "it is in a module"
           : a->cannot[OTHER_REGISTER] || a->cannot[MOVED]             ? "it ought not to be supported"
                                                                       : NULL;
}

/* The address of the next row; 0: not in a function. */
static uint64_t compare(struct module *m, uint64_t address)
{
    struct cfi_tables tables = { m->header, m->start, m->start + m->bytes };
    struct frame frame;
    struct rule rule;

    for (unsigned i = 0; i < 17; i++)
        frame.reg[i] = scrambled(address ^ (uint64_t)i << 56);
    frame.reg[RIP] = (uint64_t)m->bias + address;
    cfi_find_rule(&tables, frame.reg[RIP], &work, &rule);
    struct answer a = ask_libdw(m, address, &frame);
    const char *what = difference(&rule, &a, &frame, &m->counts);
    m->counts.addresses++;
    if (what && m->counts.differences++ < 10)
        printf("%s 0x%llx: %s\n", m->path, (unsigned long long)address, what);
    return a.found ? a.row_end : 0;
}

/* --- modules ------------------------------------------------------------------------ */

/* Maps the file's segments as the loader does, to be read only. */
static bool map_segments(struct module *m)
{
    uint64_t low = UINT64_MAX, high = 0, header = 0;
    size_t count;
    GElf_Phdr p;

    if (elf_getphdrnum(m->elf, &count) != 0)
        return false;
    for (size_t i = 0; i < count && gelf_getphdr(m->elf, (int)i, &p); i++) {
        if (p.p_type == PT_GNU_EH_FRAME)
            header = p.p_vaddr;
        if (p.p_type != PT_LOAD)
            continue;
        low = p.p_vaddr < low ? p.p_vaddr : low;
        high = p.p_vaddr + p.p_memsz > high ? p.p_vaddr + p.p_memsz : high;
    }
    low &= -PAGE;
    m->bytes = ((high + PAGE - 1) & -PAGE) - low;
    m->start = mmap(NULL, m->bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (low > high || m->start == MAP_FAILED)
        return false;
    m->bias = m->start - low;
    for (size_t i = 0; i < count && gelf_getphdr(m->elf, (int)i, &p); i++) {
        uint64_t page = p.p_vaddr & -PAGE, skew = p.p_vaddr - page;
        if (p.p_type == PT_LOAD && p.p_filesz && p.p_flags & PF_R &&
            mmap(m->bias + page, p.p_filesz + skew, PROT_READ, MAP_PRIVATE | MAP_FIXED, m->fd,
                 (off_t)(p.p_offset - skew)) == MAP_FAILED)
            return false;
    }
    m->header = m->bias + header;
    return header;
}

/* How many functions .eh_frame itself has entries of. */
static size_t count_entries(const struct module *m)
{
    Elf_Scn *section = NULL;
    size_t names, count = 0;
    GElf_Shdr s;

    if (elf_getshdrstrndx(m->elf, &names) != 0)
        return 0;
    while ((section = elf_nextscn(m->elf, section)) && gelf_getshdr(section, &s)) {
        const char *name = elf_strptr(m->elf, names, s.sh_name);
        if (!name || strcmp(name, ".eh_frame") != 0)
            continue;
        Elf_Data *data = elf_rawdata(section, NULL);
        Dwarf_CFI_Entry entry;
        for (Dwarf_Off at = 0, next; dwarf_next_cfi((void *)elf_getident(m->elf, NULL), data, true, at, &next, &entry) == 0; at = next)
            count += !dwarf_cfi_cie_p(&entry);
    }
    return count;
}

static void compare_function(struct module *m, uint64_t start, uint64_t end)
{
    compare(m, start - 1); /* the function before, or a gap */
    for (uint64_t row = start, next; row < end; row = next) {
        next = compare(m, row);
        if (next <= row || next > end) {
            CHECK(!"a row ends, and in its function");
            return;
        }
        if (next - row > 1)
            compare(m, next - 1);
        if (next - row > 3)
            compare(m, row + (next - row) / 2);
        m->counts.rows++;
    }
    compare(m, end);
    m->counts.functions++;
}

/* An entry as linkers make them: relative to its own place, 4 bytes. */
static bool function_of(const struct module *m, const int32_t entry[2], uint64_t *ret_start, uint64_t *ret_end)
{
    int32_t fde[4]; /* length, CIE, start, bytes */

    memcpy(fde, m->header + entry[1], sizeof fde);
    *ret_start = (uint64_t)(m->header + entry[0] - m->bias);
    *ret_end = *ret_start + (uint32_t)fde[3];
    return m->header + entry[1] + 8 + fde[2] == m->header + entry[0];
}

static void compare_module(struct module *m, struct counts *sum)
{
    static const uint8_t form[] = { 1, 0x1b, 3, 0x3b };
    const int32_t *table = (const int32_t *)(m->header + 12);
    uint64_t start, end = 0;
    uint32_t count;

    if (!CHECK(memcmp(m->header, form, sizeof form) == 0))
        return;
    memcpy(&count, m->header + 8, sizeof count);
    CHECK(count > 0 && count == count_entries(m));
    uint32_t step = count / FUNCTIONS_MAX + 1;
    for (uint32_t i = 0; i < count; i = i < count - 1 && i + step >= count ? count - 1 : i + step) { /* the last one too */
        if (!function_of(m, table + 2ul * i, &start, &end)) {
            CHECK(!"an entry is as linkers make them");
            break;
        }
        compare_function(m, start, end);
    }
    /* Before the first, far behind the last. */
    compare(m, (uint64_t)(m->header + table[0] - m->bias) - 1);
    compare(m, end + (1u << 20));
    compare(m, UINT64_MAX - (uint64_t)m->bias);
    const struct counts *c = &m->counts;
    CHECK(c->differences == 0 && c->rows >= c->functions);
    printf("%-45s %6u entries: %6lu with %7lu rows, %7lu addresses, %lu ends, %lu signals, %lu read\n", m->path, count,
           c->functions, c->rows, c->addresses, c->ends, c->signals, c->reads);
    for (unsigned i = 0; i < KIND_COUNT; i++)
        if (c->unsupported[i])
            printf("    unsupported, %s: %lu\n", kind_names[i], c->unsupported[i]);
    for (size_t i = 0; i < sizeof *c / sizeof(unsigned long); i++)
        ((unsigned long *)sum)[i] += ((const unsigned long *)c)[i];
}

static void try_file(const char *path, bool wanted, struct counts *sum)
{
    struct module m = { .path = path, .fd = open(path, O_RDONLY | O_CLOEXEC) };

    if (m.fd < 0) {
        CHECK(!wanted);
        return;
    }
    m.elf = elf_begin(m.fd, ELF_C_READ_MMAP, NULL);
    if (CHECK(m.elf && map_segments(&m))) {
        m.cfi = dwarf_getcfi_elf(m.elf);
        if (CHECK(m.cfi))
            compare_module(&m, sum);
        dwarf_cfi_end(m.cfi);
        munmap(m.start, m.bytes);
    }
    elf_end(m.elf);
    close(m.fd);
}

/* The line that a command prints. */
static char *line_of(const char *command)
{
    static char line[4096];
    FILE *pipe = popen(command, "r");

    if (!pipe || !fgets(line, sizeof line, pipe))
        line[0] = 0;
    if (pipe)
        pclose(pipe);
    line[strcspn(line, "\n")] = 0;
    return line;
}

/* With arguments: these files instead, whatever is in them. */
int main(int argc, char **argv)
{
    struct counts sum = { 0 };

    elf_version(EV_CURRENT);
    for (int i = 1; i < argc; i++)
        try_file(argv[i], true, &sum);
    if (argc > 1)
        return check_summary();
    try_file("/proc/self/exe", true, &sum);
    try_file("/lib64/ld-linux-x86-64.so.2", true, &sum);
    try_file("/usr/bin/bash", true, &sum);
    try_file("/usr/bin/perl", true, &sum);
    try_file("/usr/bin/python3", true, &sum);
    try_file("/usr/bin/node", false, &sum);
    try_file(line_of("command -v gnuplot"), false, &sum);
    try_file(line_of("gcc -print-prog-name=cc1"), true, &sum);
    try_file(line_of("gcc -print-file-name=libc.so.6"), true, &sum);
    try_file(line_of("gcc -print-file-name=libm.so.6"), true, &sum);
    try_file(line_of("gcc -print-file-name=libgcc_s.so.1"), true, &sum);
    try_file(line_of("gcc -print-file-name=libstdc++.so.6"), true, &sum);
    try_file(line_of("gcc -print-file-name=libcrypto.so.3"), false, &sum);
    CHECK(sum.signals > 0 && sum.ends > 0 && sum.reads > 0 && sum.outside > 0);
    printf("%lu functions, %lu rows, %lu addresses: %lu ends, %lu in no function, %lu of signals, %lu with a read CFA,"
           " unsupported: %lu by other registers, %lu moved, %lu sums of what is read\n",
           sum.functions, sum.rows, sum.addresses, sum.ends, sum.outside, sum.signals, sum.reads,
           sum.unsupported[OTHER_REGISTER], sum.unsupported[MOVED], sum.unsupported[READ_TWICE]);
    return check_summary();
}
#endif
