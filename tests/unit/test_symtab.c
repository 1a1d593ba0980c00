/* analyze/symbols/symtab.h: which name an address gets. The truth is nm's for
 * libc, and for the rules this file's own assembly, where every offset is known.
 * Then damage: cut and altered copies of this program, for the sanitizers. */
#include "analyze/symbols/symtab.h"

#include "analyze/symbols/demangle.h"
#include "analyze/symbols/elf_file.h"
#include "analyze/symbols/find_file.h"
#include "analyze/symbols/spelling.h"
#include "analyze/util.h"
#include "tests/unit/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The file's table of symbols, and its debug file's; NULL: it is not the one. */
static struct symtab *symtab_open(const char *path, const void *build_id, size_t build_id_bytes)
{
    _cleanup_elf_file_ struct elf_file binary = ELF_FILE_CLOSED, debug = ELF_FILE_CLOSED;
    struct module_files files;

    find_files(&files, &(struct symbols_options){ 0 }, path, build_id, build_id_bytes, 0);
    if (files.binary)
        elf_file_open(&binary, files.binary, false);
    if (files.debug)
        elf_file_open(&debug, files.debug, false);
    Elf *elfs[] = { binary.elf, debug.elf };
    struct symtab *s = binary.elf ? symtab_make(elfs, debug.elf ? 2 : 1) : NULL;
    module_files_release(&files);
    return s;
}

/* As it is shown. */
static const char *find_shown(const struct symtab *s, uint64_t address, uint64_t *ret_offset)
{
    static char *shown;
    char *signature;
    const char *name = symtab_find(s, address, ret_offset);

    free(shown);
    shown = NULL;
    if (name) {
        demangle(name, &shown, &signature);
        free(signature);
    }
    return shown;
}

#define TEN(x) x x x x x x x x x x
#define FUNCTION(bind, name, bytes) bind " " name "\n.type " name ",%function\n" name ": .skip " bytes "\n"
#define SIZED(bind, name) FUNCTION(bind, name, "16") ".size " name ", 16\n"
#define ALIAS_OF(bind, name, of, bytes) \
    bind " " name "\n.type " name ",%function\n.set " name ", " of "\n.size " name ", " bytes "\n"
#define ALIAS(bind, name, of) ALIAS_OF(bind, name, of, "16")

/* Of C++ names, libiberty refuses what is longer than 1024 characters unless told
 * otherwise; told so, it recurses for ever in such a Rust name. */
#define LONG_CPP "_Z4longIJ" TEN(TEN("3abc3abc3abc")) "EEvv"
#define ENDLESS_RUST "_RIC1a" TEN(TEN("C1aStB_i"))

__asm__(".pushsection ts_code, \"ax\", %progbits\n"
        /* 0: a function of 64 bytes with a label at 16 and a function at 32 to 48 */
        FUNCTION(".globl", "ts_start", "16") "ts_label: .skip 16\n" SIZED(".local", "ts_inner") ".skip 16\n"
        ".size ts_start, 64\n"
        /* 64: nobody's; 80: no size, 32 bytes to the next symbol, whose label comes first */
        ".skip 16\n" FUNCTION(".local", "ts_unsized", "32") "$x.1: .Lts: ts_bare: .skip 16\n"
        /* 128: names of one function */
        SIZED(".globl", "ts_malloc") ALIAS(".globl", "__ts_malloc", "ts_malloc")
        SIZED(".globl", "__ts_calloc") ALIAS(".weak", "ts_calloc", "__ts_calloc")
        SIZED(".globl", "__ts_exported") ALIAS(".local", "ts_local", "__ts_exported")
        SIZED(".weak", "ts_bb") ALIAS(".weak", "ts_aa", "ts_bb") ALIAS(".weak", "ts_long", "ts_bb")
        SIZED(".weak", "ts_cc") ALIAS(".globl", "ts_dd", "ts_cc")
        SIZED(".globl", "__ts_u") ALIAS(".globl", "ts_fewer_underscores", "__ts_u")
        SIZED(".local", "__ts_versioned") ".symver __ts_versioned, ts_versioned@TS_1\n"
        SIZED(".globl", "ts_both") ALIAS_OF(".globl", "ts_longer", "ts_both", "32") ".skip 16\n"
        /* 272: data among the code, and a name for what is outside */
        ".type ts_object,%object\nts_object: .skip 16\n.size ts_object, 16\n"
        ALIAS(".local", "ts_outside", "ts_start + 0x10000000")
        /* 288: mangled names */
        SIZED(".globl", "_ZN5space5Class6methodEi")
        SIZED(".globl", "_ZNSt6vectorIiSaIiEE9push_backERKi")
        SIZED(".globl", "_ZN4core3fmt5write17h0123456789abcdefE")
        SIZED(".globl", "_RNvCs15kBYyAo9fc_7mycrate7example")
        SIZED(".local", "_ZN5space4coldEv.cold")
        SIZED(".globl", LONG_CPP) SIZED(".globl", ENDLESS_RUST) SIZED(".globl", "_Zero")
        /* 416: no size and nothing behind it but the section's end, at 432 */
        FUNCTION(".globl", "ts_last", "16") ".popsection\n"
        ".pushsection ts_more, \"ax\", %progbits\n"
        FUNCTION(".globl", "ts_greedy", "16") ".size ts_greedy, 4096\n.popsection\n");

extern const char ts_start[], ts_greedy[];

static const struct rule {
    unsigned offset; /* from ts_start */
    const char *name;
    unsigned into; /* the name's function */
} rules[] = {
    { 0, "ts_start", 0 },
    { 16, "ts_start", 16 },
    { 32, "ts_inner", 0 },
    { 47, "ts_inner", 15 },
    { 48, "ts_start", 48 },
    { 63, "ts_start", 63 },
    { 64, NULL, 0 },
    { 79, NULL, 0 },
    { 80, "ts_unsized", 0 },
    { 111, "ts_unsized", 31 },
    { 112, "ts_bare", 0 },
    { 127, "ts_bare", 15 },
    { 128, "ts_malloc", 0 },
    { 144, "ts_calloc", 0 },
    { 160, "__ts_exported", 0 },
    { 176, "ts_aa", 0 },
    { 192, "ts_dd", 0 },
    { 208, "ts_fewer_underscores", 0 },
    { 224, "ts_versioned", 0 },
    { 240, "ts_both", 0 },
    { 271, "ts_both", 31 },
    { 272, NULL, 0 },
    { 288, "space::Class::method", 0 },
    { 311, "std::vector<int, std::allocator<int> >::push_back", 7 },
    { 320, "core::fmt::write", 0 },
    { 336, "mycrate::example", 0 },
    { 352, "space::cold", 0 },
    { 384, ENDLESS_RUST, 0 },
    { 400, "_Zero", 0 },
    { 416, "ts_last", 0 },
    { 431, "ts_last", 15 },
    { 0x10000000, NULL, 0 },
};

#define LONG_CPP_AT 368
#define LAST_END 432

struct module {
    const char *part; /* of the path; "": the program itself */
    char path[4096];
    uint64_t base;
    uint8_t build_id[64];
    size_t build_id_bytes;
};

static int take_module(struct dl_phdr_info *info, size_t bytes, void *data)
{
    struct module *m = data;

    (void)bytes;
    if (!*m->part != !*info->dlpi_name || !strstr(info->dlpi_name, m->part))
        return 0;
    snprintf(m->path, sizeof m->path, "%s", *info->dlpi_name ? info->dlpi_name : "/proc/self/exe");
    m->base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        const char *at = (const char *)m->base + header->p_vaddr, *end = at + header->p_memsz;
        while (header->p_type == PT_NOTE && at < end) {
            const ElfW(Nhdr) *note = (const void *)at;
            if (note->n_type == NT_GNU_BUILD_ID && note->n_descsz <= sizeof m->build_id) {
                memcpy(m->build_id, at + sizeof *note + 4, note->n_descsz);
                m->build_id_bytes = note->n_descsz;
                return 1;
            }
            at += sizeof *note + ((note->n_namesz + 3) & -4u) + ((note->n_descsz + 3) & -4u);
        }
    }
    return 1;
}

static void test_rules(const struct module *own)
{
    struct symtab *s = symtab_open(own->path, NULL, 0);
    uint64_t start = (uintptr_t)ts_start - own->base, into;

    if (!CHECK(s))
        return;
    for (int twice = 0; twice < 2; twice++) {
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
            into = 0;
            const char *name = find_shown(s, start + rules[i].offset, &into);
            bool right = name && rules[i].name ? strcmp(name, rules[i].name) == 0 : name == rules[i].name;
            if (!CHECK(right) || !CHECK(into == rules[i].into))
                printf("  offset %u: %s+%llu\n", rules[i].offset, name ? name : "none", (unsigned long long)into);
        }
    }
    const char *name = find_shown(s, start + LONG_CPP_AT, &into);
    CHECK(name && strncmp(name, "long<abc, abc, ", 15) == 0 && strlen(name) == 5 + 299 * 5 + 4);
    name = find_shown(s, start + LAST_END, &into);
    CHECK(!name || strcmp(name, "ts_last") != 0);
    name = find_shown(s, (uintptr_t)ts_greedy - own->base + 15, &into);
    CHECK(name && strcmp(name, "ts_greedy") == 0 && into == 15);
    name = find_shown(s, (uintptr_t)ts_greedy - own->base + 16, &into);
    CHECK(!name || strcmp(name, "ts_greedy") != 0);
    name = find_shown(s, (uintptr_t)test_rules - own->base, &into);
    CHECK(name && strcmp(name, "test_rules") == 0 && into == 0);
    CHECK(!find_shown(s, 0, &into));
    CHECK(!find_shown(s, UINT64_MAX, &into));
    CHECK(!find_shown(NULL, start, &into));
    symtab_free(s);
    symtab_free(NULL);
}

struct known {
    uint64_t address, bytes;
    char type, name[128];
};

/* What nm says; 0: there is no nm to ask. */
static size_t ask_nm(const char *options, const char *path, struct known **ret_known)
{
    _cleanup_free_ char *command = format_text("nm -P -t x %s --defined-only '%s' 2>/dev/null", options, path);
    FILE *nm = popen(command, "r");
    size_t count = 0, capacity = 0;
    char line[4096];

    *ret_known = NULL;
    while (nm && fgets(line, sizeof line, nm)) {
        struct known k = { 0 };
        unsigned long long address, bytes = 0;
        if (sscanf(line, "%127s %c %llx %llx", k.name, &k.type, &address, &bytes) < 3)
            continue;
        k.name[strcspn(k.name, "@")] = 0;
        k.address = address;
        k.bytes = bytes;
        *ret_known = grow(*ret_known, &capacity, count + 1, sizeof k);
        (*ret_known)[count++] = k;
    }
    int status = nm ? pclose(nm) : -1;
    bool missing = WIFEXITED(status) && WEXITSTATUS(status) == 127;
    CHECK(missing || count > 0);
    if (missing)
        printf("no nm: %s is not compared\n", path);
    return count;
}

static bool is_known(const struct known *known, size_t count, uint64_t address, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (known[i].address == address && strcmp(known[i].name, name) == 0)
            return true;
    return false;
}

/* Every function that nm knows has one of nm's names for it, from its first to its
 * last byte and no further; data have none. */
static void compare_with_nm(struct symtab *s, const char *options, const char *path)
{
    _cleanup_free_ struct known *known = NULL;
    size_t count = ask_nm(options, path, &known), compared = 0;

    for (size_t i = 0; i < count; i++) {
        const struct known *k = &known[i];
        uint64_t into = 0, end = k->address + k->bytes;
        if (strchr("DdBbRrV", k->type))
            CHECK(!symtab_find(s, k->address, &into));
        if (!strchr("TtWi", k->type) || !k->bytes)
            continue;
        compared++;
        const char *name = symtab_find(s, k->address, &into);
        if (!CHECK(name && into == 0 && is_known(known, count, k->address, name)))
            printf("  %s: %s+%llu\n", k->name, name ? name : "none", (unsigned long long)into);
        name = symtab_find(s, end - 1, &into);
        CHECK(name && (options[0] == 0 || into < k->bytes));
        for (size_t other = 0; other < count; other++)
            if (known[other].address == k->address && known[other].address + known[other].bytes > end)
                end = known[other].address + known[other].bytes;
        CHECK(!symtab_find(s, end, &into) || end - into != k->address);
    }
    CHECK(!count || compared >= 200);
    printf("%s: %zu functions compared with nm %s\n", path, compared, options);
}

static void check_name(struct symtab *s, const struct known *known, size_t count, const char *in_file,
                       const char *shown)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t into = 1;
        if (strcmp(known[i].name, in_file) != 0)
            continue;
        const char *name = symtab_find(s, known[i].address, &into);
        CHECK(name && strcmp(name, shown) == 0 && into == 0);
        return;
    }
}

static bool has_debug_file(const struct module *m, char ret_path[256])
{
    strcpy(ret_path, "/usr/lib/debug/.build-id/");
    for (size_t i = 0; i < m->build_id_bytes; i++)
        sprintf(ret_path + strlen(ret_path), i == 0 ? "%02x/" : "%02x", m->build_id[i]);
    strcat(ret_path, ".debug");
    return m->build_id_bytes && access(ret_path, R_OK) == 0;
}

/* A copy in memory: its descriptor, its path, its bytes. */
static int copy_file(const char *original, char ret_path[64], uint8_t **ret_bytes, size_t *ret_count)
{
    FILE *file = fopen(original, "re");
    size_t count = 0, capacity = 0, got;
    int fd = memfd_create("copy", MFD_CLOEXEC);

    do {
        *ret_bytes = grow(*ret_bytes, &capacity, count + (1 << 20), 1);
        count += got = fread(*ret_bytes + count, 1, 1 << 20, file);
    } while (got);
    fclose(file);
    snprintf(ret_path, 64, "/proc/%d/fd/%d", (int)getpid(), fd); /* for nm, too */
    CHECK(pwrite(fd, *ret_bytes, count, 0) == (ssize_t)count);
    *ret_count = count;
    return fd;
}

/* Without a debug file (its build-id is no longer found) only libc's exports have
 * names: what lies between them must not be taken for the last one before it. */
static void test_exports_only(const struct module *libc, struct symtab *complete)
{
    char path[64];
    size_t bytes;
    _cleanup_free_ uint8_t *whole = NULL;
    int fd = copy_file(libc->path, path, &whole, &bytes);
    uint8_t *id = memmem(whole, bytes, libc->build_id, libc->build_id_bytes), flipped;
    uint64_t into, other;
    char debug_path[256];

    if (CHECK(id)) {
        flipped = *id ^ 0xff;
        CHECK(pwrite(fd, &flipped, 1, id - whole) == 1);
    }
    struct symtab *s = symtab_open(path, NULL, 0);
    if (CHECK(s)) {
        compare_with_nm(s, "-D", path);
        unsigned named_count = 0, nameless_count = 0;
        for (uint64_t address = 0; address < bytes; address += 64) {
            const char *name = symtab_find(s, address, &into);
            named_count += name != NULL;
            nameless_count += !name && symtab_find(complete, address, &other);
        }
        CHECK(named_count > 1000);
        CHECK(nameless_count > 1000 || !has_debug_file(libc, debug_path));
    }
    symtab_free(s);
    close(fd);
}

static void test_libc(const struct module *libc)
{
    static const char *const plain[] = { "malloc", "calloc", "realloc", "free", "memalign", "strdup", "fopen", "mmap",
                                         "posix_memalign", "valloc", "reallocarray", "getline", "pthread_create" };
    struct symtab *s = symtab_open(libc->path, libc->build_id, libc->build_id_bytes);

    if (!CHECK(s))
        return;
    compare_with_nm(s, "-D", libc->path);
    _cleanup_free_ struct known *known = NULL;
    size_t count = ask_nm("-D", libc->path, &known);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        check_name(s, known, count, plain[i], plain[i]);
    check_name(s, known, count, "__libc_malloc", "malloc");
    check_name(s, known, count, "__libc_calloc", "calloc");

    char path[256];
    if (has_debug_file(libc, path))
        compare_with_nm(s, "", path);
    if (libc->build_id_bytes)
        test_exports_only(libc, s);
    symtab_free(s);
}

static bool opens(const char *path, const void *build_id, size_t build_id_bytes)
{
    struct symtab *s = symtab_open(path, build_id, build_id_bytes);

    symtab_free(s);
    return s != NULL;
}

static void test_refusals(const struct module *libc)
{
    uint8_t other[64];
    char directory[] = "/tmp/test_symtab.XXXXXX", path[sizeof directory + 8];

    if (libc->build_id_bytes) {
        memcpy(other, libc->build_id, sizeof other);
        CHECK(opens(libc->path, other, libc->build_id_bytes));
        CHECK(!opens(libc->path, other, libc->build_id_bytes - 1));
        CHECK(!opens(libc->path, other, libc->build_id_bytes + 1));
        other[libc->build_id_bytes - 1] ^= 1;
        CHECK(!opens(libc->path, other, libc->build_id_bytes));
    }
    CHECK(opens(libc->path, NULL, 0));
    CHECK(!opens("/", NULL, 0));
    CHECK(!opens("", NULL, 0));
    CHECK(!opens("/nonexistent/file", NULL, 0));
    CHECK(!opens("[vdso]", NULL, 0));
    CHECK(!opens("/dev/null", NULL, 0));
    CHECK(!opens("/etc/passwd", NULL, 0));
    /* A pipe that nobody writes to: opening it must not wait. */
    if (CHECK(mkdtemp(directory))) {
        snprintf(path, sizeof path, "%s/pipe", directory);
        CHECK(mkfifo(path, 0600) == 0);
        CHECK(!opens(path, NULL, 0));
        unlink(path);
        rmdir(directory);
    }
}

static uint64_t random_state = 88172645463325252u;

static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % limit;
}

/* All that is done with a file, for the sanitizers to watch. */
static bool use(const char *path, uint64_t bytes)
{
    struct symtab *s = symtab_open(path, NULL, 0);
    uint64_t into;
    bool found = false;

    for (uint64_t address = 0; s && address < bytes; address += bytes / 200 + 1)
        found |= symtab_find(s, address, &into) != NULL;
    symtab_find(s, UINT64_MAX, &into);
    symtab_free(s);
    return found;
}

static bool alter(int fd, const char *path, const uint8_t *whole, size_t bytes, size_t offset, uint8_t value)
{
    bool written = pwrite(fd, &value, 1, (off_t)offset) == 1;

    use(path, bytes);
    return written && pwrite(fd, whole + offset, 1, (off_t)offset) == 1;
}

static void test_damage(const char *original)
{
    char path[64];
    size_t bytes;
    _cleanup_free_ uint8_t *whole = NULL;
    int fd = copy_file(original, path, &whole, &bytes);

    CHECK(use(path, bytes));

    ElfW(Ehdr) header;
    memcpy(&header, whole, sizeof header);
    size_t table = header.e_shoff, table_bytes = (size_t)header.e_shnum * header.e_shentsize;
    size_t type = offsetof(ElfW(Ehdr), e_type);
    bool whole_again = true;
    for (size_t i = 0; i < sizeof header + table_bytes; i++) {
        size_t offset = i < sizeof header ? i : table + i - sizeof header;
        const uint8_t values[] = { random_below(2) ? 0 : 0xff, (uint8_t)(whole[offset] ^ 1u << random_below(8)) };
        for (size_t k = 0; k < sizeof values; k++)
            whole_again &= alter(fd, path, whole, bytes, offset, values[k]);
    }
    /* In the tables of symbols and names, and wherever else. */
    for (int round = 0; round < 200; round++) {
        for (int k = 0; k < 200; k++) {
            uint8_t value = (uint8_t)random_below(256);
            CHECK(pwrite(fd, &value, 1, (off_t)(sizeof header + random_below(table - sizeof header))) == 1);
        }
        use(path, bytes);
    }
    whole_again &= pwrite(fd, whole, bytes, 0) == (ssize_t)bytes;
    CHECK(whole_again && use(path, bytes));

    CHECK(alter(fd, path, whole, bytes, type, ET_REL));
    uint8_t relocatable = ET_REL;
    CHECK(pwrite(fd, &relocatable, 1, (off_t)type) == 1 && !opens(path, NULL, 0));
    CHECK(pwrite(fd, whole, bytes, 0) == (ssize_t)bytes);
    for (size_t cut = bytes; cut > 0; cut -= cut > table || cut < 512 ? 1 + cut / 4096 : 1 + cut / 256) {
        whole_again &= ftruncate(fd, (off_t)cut) == 0;
        use(path, bytes);
    }
    whole_again &= ftruncate(fd, 0) == 0;
    CHECK(whole_again && !opens(path, NULL, 0));
    close(fd);
}

static size_t count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;

    while (directory && readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* What compilers and demanglers write, and how it is spelled. */
static void test_spelling(void)
{
    static const char *const names[][2] = {
        { "fill<16ul>", "fill<16>" },
        { "f<-5l, 3u, 4ull, true>", "f<-5, 3, 4, true>" },
        { "tb<true, (char)99>", "tb<true, 'c'>" },
        { "f<'c'>", "f<'c'>" },
        { "f<'\\''>", "f<39>" },
        { "f<(char)39>", "f<39>" },
        { "f<'\\000', '\\012', '\\37777777710'>", "f<0, 10, -56>" },
        { "f<(char)-56>", "f<-56>" },
        { "f<' ', '>', '('>", "f<32, 62, 40>" },
        { "f<L'c', u8'c', (short)-4, (unsigned char)200, (wchar_t)99>", "f<99, 99, -4, 200, 99>" },
        { "f<(int*)0, (ns::E)1>", "f<0, (ns::E)1>" },
        { "f<std::vector<long unsigned int>, short int, long long int, long double, mine::long int>",
          "f<std::vector<unsigned long>, short, long long, long double, mine::long>" },
        { "f<decltype(nullptr)>", "f<std::nullptr_t>" },
        { "call<std::function<void (int)> >::operator()", "call<std::function<void(int)>>::operator()" },
        { "f<int (*) [3], void (*)(int (&) [3])>", "f<int(*)[3], void(*)(int(&)[3])>" },
        { "main::{lambda(std::function<void (int)>)#2}::operator()", "main::{lambda(std::function<void(int)>)#2}::operator()" },
        { "main::{lambda(auto:1, auto:2 const&)#3}::operator()<int, long int>", "main::{lambda(auto)#3}::operator()<int, long>" },
        { "f<main::{lambda<typename $T0>(std::vector<$T0>, void (*)($T0))#3}>", "f<main::{lambda(auto)#3}>" },
        { "std::vector<main::Token, std::allocator<main(int, char**)::Token> >::push_back", "std::vector<main::Token, std::allocator<main::Token>>::push_back" },
        { "main(void (*)(int))::L::f", "main::L::f" },
        { "f<app::main(int)::T, domain(int)::T, void(main(int))>", "f<app::main(int)::T, domain(int)::T, void(main(int))>" },
        { "main(int, char**)", "main(int, char**)" },
        { "G::operator void (*)(int)", "G::operator void (*)(int)" },
        { "void (anonymous namespace)::f<void ((anonymous namespace)::S)>(int)", "void (anonymous namespace)::f<void((anonymous namespace)::S)>(int)" },
        { "std::operator<< <std::char_traits<char> >", "std::operator<< <std::char_traits<char>>" },
        { "X::operator> <Y<3u> >", "X::operator> <Y<3>>" },
        { "X::operator-><Y<3u> >", "X::operator-><Y<3>>" },
        { "core::ptr::drop_in_place<*mut (A, B)>", "core::ptr::drop_in_place<*mut (A, B)>" },
        { "<impl Trait<(A, (B, C))> for (A, B)>::f", "<impl Trait<(A, (B, C))> for (A, B)>::f" },
        { "<&'a str as X>::f::<'a'>", "<&'a str as X>::f::<'a'>" },
        { "<fn(A) -> (B, C)>::f", "<fn(A) -> (B, C)>::f" },
        { "init(int) [a 16ul.cpp#2]", "init(int) [a 16ul.cpp#2]" },
        { "f<'", "f<'" },
        { "f<\xc3'", "f<\xc3'" },
        { "f<(char)", "f<(char)" },
        { "", "" },
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        _cleanup_free_ char *spelled = spelling_copy(names[i][0]), *again = spelling_copy(spelled);
        if (!CHECK(strcmp(spelled, names[i][1]) == 0) || !CHECK(strcmp(again, spelled) == 0))
            printf("%s is spelled %s\n", names[i][0], spelled);
    }
}

/* Mangled; plain, with parameters. */
static void test_local_names(void)
{
    static const char *const names[][2] = {
        { "_ZZ1fiiEN1L1qEi", "f(int, int)::L::q(int)" },
        { "_ZZ1fiiEN1L1qE_0i", "f(int, int)::L#2::q(int)" },
        { "_ZZ1fiiEN1L1qE_9i", "f(int, int)::L#11::q(int)" },
        { "_ZZ1fiiEN1L1qE__10_i", "f(int, int)::L#12::q(int)" },
        { "_ZZ1fiiENK1L1qE_0PKS_", "f(int, int)::L#2::q(L#2 const*) const" },
        { "_ZZ1fiiEN1LC2E_0i", "f(int, int)::L#2::L(int)" },
        { "_ZZ1fiiEN1LD2E_0v", "f(int, int)::L#2::~L()" },
        { "_Z3repIZ4mainE1L_0EvT_", "void rep<main::L#2>(main::L#2)" },
        { "_ZZZ1fiEN1L1qE_0iENKUliE0_clEi", "f(int)::L#2::q(int)::{lambda(int)#2}::operator()(int) const" },
        { "_ZZZ1fiEN1L1qE_0iEN1M1rE_1v", "f(int)::L#2::q(int)::M#3::r()" },
        { "_ZZ2ttIcEviEN1L1qE_0i", "tt<char>(int)::L#2::q(int)" },
        { "_ZN1a1bILi5EE3_0cEv", "a::b<5>::_0c()" },
        { "_ZZ1fiEN1L1qE_0", "f(int)::L#2::q" },
        { "_ZZ1fiEN9999L1qE_0i", "_ZZ1fiEN9999L1qE_0i" },
        { "_ZZ_0", "_ZZ_0" },
        { "_Z", "_Z" },
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *function, *signature;
        demangle(names[i][0], &function, &signature);
        if (!CHECK(strcmp(signature ? signature : function, names[i][1]) == 0))
            printf("%s is %s\n", names[i][0], signature ? signature : function);
        free(function);
        free(signature);
    }
}

int main(void)
{
    static struct module own = { .part = "" }, libc = { .part = "libc.so" };
    size_t descriptors = count_descriptors();

    dl_iterate_phdr(take_module, &own);
    dl_iterate_phdr(take_module, &libc);
    test_spelling();
    test_local_names();
    test_rules(&own);
    test_libc(&libc);
    test_refusals(&libc);
    test_damage(own.path);
    CHECK(count_descriptors() == descriptors);
    return check_summary();
}
