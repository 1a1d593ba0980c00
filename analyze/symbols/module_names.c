#include "analyze/symbols/module_names.h"

#include "analyze/hash.h"
#include "analyze/symbols/demangle.h"
#include "analyze/symbols/dwarf_index.h"
#include "analyze/symbols/elf_file.h"
#include "analyze/symbols/find_file.h"
#include "analyze/symbols/minidebug.h"
#include "analyze/symbols/packed_sections.h"
#include "analyze/symbols/symtab.h"
#include "analyze/symbols/vdso.h"
#include "analyze/util.h"

#include <errno.h>
#include <string.h>

/* A name as it is in the file, and what it becomes: most are needed many times. */
struct known_name {
    const char *name; /* its own copy; NULL: free */
    char *function, *signature;
};

struct known {
    struct known_name *table;
    size_t capacity, count;
};

static struct known_name *known_place(const struct known *k, const char *name)
{
    size_t i = (size_t)hash_add_text(0, name) & (k->capacity - 1);

    while (k->table[i].name && strcmp(k->table[i].name, name) != 0)
        i = (i + 1) & (k->capacity - 1);
    return &k->table[i];
}

static const struct known_name *know(struct known *k, const char *name)
{
    if (k->count * 2 >= k->capacity) {
        struct known bigger = { .capacity = k->capacity ? k->capacity * 2 : 1024, .count = k->count };
        bigger.table = alloc_zeroed(bigger.capacity, sizeof *bigger.table);
        for (size_t i = 0; i < k->capacity; i++)
            if (k->table[i].name)
                *known_place(&bigger, k->table[i].name) = k->table[i];
        free(k->table);
        *k = bigger;
    }
    struct known_name *place = known_place(k, name);
    if (!place->name) {
        place->name = copy_text(name, strlen(name));
        demangle(name, &place->function, &place->signature);
        k->count++;
    }
    return place;
}

/* Where only their order tells namesakes apart, as symbols_is_numbered() has it. */
static const char *signature_of(struct known *k, struct known_name name, uint32_t number)
{
    if (!number || name.signature)
        return name.signature;
    _cleanup_free_ char *numbered = format_text("%s#%u", name.function, number);
    return know(k, numbered)->function;
}

static void known_release(struct known *k)
{
    for (size_t i = 0; i < k->capacity; i++) {
        free((char *)k->table[i].name);
        free(k->table[i].function);
        free(k->table[i].signature);
    }
    free(k->table);
}

static Elf *open_shared(void *data, const char *name, const void *build_id, size_t build_id_bytes)
{
    const struct module_names *n = data;
    struct elf_file file = ELF_FILE_CLOSED;
    _cleanup_free_ char *path = find_shared_file(n->options, n->debug ? n->debug : n->binary, name, build_id, build_id_bytes);

    if (!path || elf_file_open(&file, path, true) != 0) {
        elf_file_release(&file);
        return NULL;
    }
    elf_cntl(file.elf, ELF_C_FDREAD); /* so that the descriptor may go */
    cleanup_close(&file.fd);
    return file.elf;
}

/* All symbols if a file has them all, else what the binary exports. *ret_damaged: they were there once. */
static struct symtab *read_symtab(const struct elf_file *binary, const struct elf_file *debug, bool *ret_damaged)
{
    Elf *elfs[3];
    size_t count = 0;
    uint8_t *unpacked = NULL;
    Elf *mini = NULL;

    *ret_damaged = false;
    if (binary->elf)
        elfs[count++] = binary->elf;
    if (debug->elf)
        elfs[count++] = debug->elf;
    if (binary->elf && !elf_has_symtab(binary->elf) && !(debug->elf && elf_has_symtab(debug->elf))) {
        *ret_damaged = minidebug_open(binary->elf, &mini, &unpacked) == -EBADMSG;
        if (mini)
            elfs[count++] = mini;
    }
    struct symtab *symtab = symtab_make(elfs, count);
    elf_end(mini);
    free(unpacked);
    return symtab;
}

static bool is_mangled(const char *name)
{
    return strncmp(name, "_Z", 2) == 0 || (strncmp(name, "_R", 2) == 0 && strchr("CMXYNIB", name[2])); /* not _Rb_tree */
}

/* Whether this may be the last part of a mangled name, or what it begins with, without templates' arguments. */
static bool may_be_of(const char *part, const char *mangled)
{
    char bare[256];
    size_t length;

    part += *part == '~';
    if (strncmp(part, "operator", 8) == 0 || *part == '{') /* Rust's {closure#0} */
        return true;
    if (strncmp(part, "<lambda", 7) == 0)
        return strstr(mangled, "Ul") != NULL;
    length = strcspn(part, "<");
    if (!length || length >= sizeof bare)
        return false;
    memcpy(bare, part, length);
    bare[length] = 0;
    return strstr(mangled, bare) != NULL;
}

/* Debug information knows which of several functions with the same code it was. But some
 * libraries define a function under a name of their own, like __libc_malloc, and export it
 * by another, which is the one that people know; and where it has no linkage name (gcc gives
 * none to a local class's functions; with lines only there are none), the symbol says more. */
static const char *better_name(const struct dwarf_frame *in_dwarf, const char *in_symtab)
{
    const char *name = in_dwarf->function;

    if (!name || !in_symtab)
        return in_dwarf->qualified ? in_dwarf->qualified : name ? name : in_symtab;
    if (in_dwarf->qualified && strstr(in_symtab, "$_"))
        return in_dwarf->qualified;
    if (!is_mangled(name) && is_mangled(in_symtab) && may_be_of(name, in_symtab))
        return in_symtab;
    if (in_dwarf->qualified && strcmp(name, in_symtab) != 0) /* else it is of C, wherever it is declared */
        return in_dwarf->qualified;
    return strncmp(name, "__", 2) == 0 && strspn(in_symtab, "_") <= strspn(name, "_") ? in_symtab : name;
}

static void take_better_name(struct dwarf_frame *real, const char *in_symtab)
{
    const char *better = better_name(real, in_symtab);

    if (better != real->function && better != real->qualified) {
        real->number = 0;
        real->signature = NULL;
    }
    real->function = better;
    real->qualified = NULL;
}

/* Where it is one of several static functions of that name. Those of Rust, of C++'s library and of headers are copies of one
 * function. C's need no more than the file that the debug information has. */
static bool find_file(struct symtab *symtab, uint64_t address, const struct dwarf_frame *frame, struct symbol_file *ret_file)
{
    const char *name = frame->function;
    bool is_librarys = name && (strncmp(name, "_ZNSt", 5) == 0 || strncmp(name, "_ZNKSt", 6) == 0 || strncmp(name, "_ZSt", 4) == 0);

    const char *slash = frame->file ? strrchr(frame->file, '/') : NULL;

    return name && (!frame->file || is_mangled(name)) && !is_librarys && strncmp(name, "_R", 2) != 0 && !strstr(name, "17h") &&
           symtab_file(symtab, address, ret_file) && (!frame->file || strcmp(slash ? slash + 1 : frame->file, ret_file->name) == 0);
}

/* C++'s are told by their signatures: they get the file there. */
static const char *signature_in_file(struct known *k, struct known_name name, const struct symbol_file *file)
{
    char number[20] = "";

    if (file->number)
        snprintf(number, sizeof number, "#%u", file->number);
    if (!name.signature || strstr(name.function, "(anonymous namespace)"))
        return signature_of(k, name, file->number);
    _cleanup_free_ char *text = format_text("%s [%s%s]", name.signature, file->name, number);
    return know(k, text)->function;
}

enum names_outcome module_names_read(const struct module_names *n,
                       void (*add)(void *data, uint64_t address, const struct symbols_frame *frames, size_t count),
                       void *data, char ret_lacks[NAMES_LACKS_BYTES])
{
    _cleanup_elf_file_ struct elf_file binary = ELF_FILE_CLOSED, debug = ELF_FILE_CLOSED;
    struct split_files *split = NULL;
    struct known known = { 0 };
    struct dwarf_index *index = NULL;
    struct unpacked unpacked = { 0 };
    bool right = true, bad_symbols;

    if (n->binary && vdso_is(n->binary))
        vdso_open(&binary);
    else if (n->binary)
        right = elf_file_open(&binary, n->binary, true) == 0 && !binary.is_cut;
    if (n->debug)
        right &= elf_file_open(&debug, n->debug, true) == 0 && !debug.is_cut;
    Elf *with_dwarf = debug.elf && elf_has_dwarf(debug.elf) ? debug.elf : binary.elf && elf_has_dwarf(binary.elf) ? binary.elf : NULL;
    struct symtab *symtab = read_symtab(&binary, &debug, &bad_symbols);
    if (with_dwarf && !n->without_dwarf) {
        hide_unasked_sections(with_dwarf);
        unpack_sections(with_dwarf, &unpacked);
        const char *const programs[] = { with_dwarf == debug.elf ? n->debug : n->binary, n->binary };
        split = split_files_new(with_dwarf, n->options, programs);
        index = dwarf_index_make(with_dwarf, split, symtab, n->addresses, n->count, open_shared, (void *)n);
        right &= index != NULL;
    }
    for (size_t i = 0; i < n->count; i++) {
        struct dwarf_frame found[DWARF_FRAMES_MAX];
        struct symbols_frame frames[DWARF_FRAMES_MAX];
        size_t count = index ? dwarf_index_frames(index, i, found) : 0;
        uint64_t offset;
        if (!count)
            found[0] = (struct dwarf_frame){ 0 };
        struct dwarf_frame *real = &found[count ? count - 1 : 0];
        take_better_name(real, symtab_find(symtab, n->addresses[i], &offset));
        if (!count && real->function)
            count = 1;
        for (size_t k = 0; k < count; k++) {
            const char *as_in_file = found[k].qualified ? found[k].qualified : found[k].function;
            const struct known_name name = as_in_file ? *know(&known, as_in_file) : (struct known_name){ 0 };
            const char *signature = found[k].signature ? know(&known, found[k].signature)->function : signature_of(&known, name, found[k].number);
            frames[k] = (struct symbols_frame){ name.function, signature, found[k].file, found[k].line, found[k].column };
        }
        struct symbol_file file;
        if (count && find_file(symtab, n->addresses[i], real, &file)) {
            struct symbols_frame *last = &frames[count - 1];
            last->signature = signature_in_file(&known, *know(&known, real->function), &file);
            last->file = last->file ? last->file : file.name;
        }
        add(data, n->addresses[i], frames, count);
    }
    right &= !bad_symbols && !(index && dwarf_index_damaged(index)); /* now that all was asked for */
    bool lacks = index && dwarf_index_lacks(index);
    const char *why = split_files_problem(split);
    snprintf(ret_lacks, NAMES_LACKS_BYTES, "%s", why ? why : "one that dwz has made");
    symtab_free(symtab);
    dwarf_index_free(index);
    elf_file_release(&debug);
    elf_file_release(&binary);
    split_files_free(split);
    unpacked_release(&unpacked);
    known_release(&known);
    return !right ? NAMES_DAMAGED : lacks ? NAMES_LACKING : NAMES_GOOD;
}
