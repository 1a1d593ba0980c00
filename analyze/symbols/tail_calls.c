/* DWARF -> which functions there are, and which of them end in a call that leaves no frame of them: a compiler that optimizes makes
 * a jump of a call that is the last thing that a function does, and says so in the call's entry (GCC does, clang only of functions that are
 * in the same program). What such a call allocates is its caller's caller's in every stack. */
#include "analyze/symbols/asked_inside.h"

#include "analyze/symbols/demangle.h"
#include "analyze/symbols/die_tree.h"
#include "analyze/symbols/elf_file.h"
#include "analyze/symbols/packed_sections.h"
#include "analyze/symbols/qualified.h"
#include "analyze/symbols/spelling.h"
#include "analyze/symbols/split_files.h"
#include "analyze/util.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>

#define NESTED_MAX 64 /* functions inlined into functions */
#define DEPTH_MAX 256

struct frame {
    Dwarf_Die die; /* of a function, or an inlined call of one */
    size_t asked;  /* SIZE_MAX: nobody asks for it */
};

struct walk {
    const struct symbols_asking *how;
    const struct symbols_asked *asked;
    char *const *bare;
    size_t count;
    const char *file_name;
    volatile uint8_t *found;
    bool is_gnu;   /* the unit's compiler */
    bool is_split; /* the unit is of a .dwo, and the names of sources are elsewhere */
    struct qualified *names;
    struct frame frames[NESTED_MAX]; /* the outermost first */
    size_t depth;
};

/* ---- names --------------------------------------------------------------------------- */

static bool is_called(struct walk *w, Dwarf_Die *function, const char *own, const char *linkage, size_t k)
{
    const char *signature;
    uint32_t number;

    if (w->asked[k].is_module || (!strstr(own, w->bare[k]) && !(linkage && strstr(linkage, w->bare[k])))) /* as nearly all of them */
        return false;
    if (linkage)
        return asked_is_name(linkage, w->asked[k].name, w->bare[k]);
    const char *qualified = qualified_name(w->names, function, own, &signature, &number);
    _cleanup_free_ char *spelled = spelling_copy(qualified ? qualified : own);
    return strcmp(spelled, w->asked[k].name) == 0;
}

static size_t find_asked(struct walk *w, Dwarf_Die *function)
{
    const char *linkage = die_linkage_name(function), *own = dwarf_diename(function);

    for (size_t k = 0; own && k < w->count; k++)
        if (is_called(w, function, own, linkage, k))
            return k;
    return SIZE_MAX;
}

/* NULL: it is not known. */
static const char *source_of(const struct walk *w, Dwarf_Die *function)
{
    Dwarf_Die declared = *function, unit;
    Dwarf_Files *files;
    size_t count;

    die_follow(&declared);
    if (w->is_split || !dwarf_diecu(&declared, &unit, NULL, NULL) || dwarf_getsrcfiles(&unit, &files, &count) != 0) /* libdw would abort */
        return NULL;
    return dwarf_decl_file(&declared);
}

static bool is_one(const struct walk *w, bool (*which)(const char *function, const char *source), Dwarf_Die *function)
{
    const char *linkage = die_linkage_name(function), *name = linkage ? linkage : dwarf_diename(function);
    _cleanup_free_ char *plain = NULL, *signature = NULL;
    if (!name)
        return false;
    demangle(name, &plain, &signature);
    return which(plain, source_of(w, function));
}

/* ---- calls --------------------------------------------------------------------------- */

static bool has_flag(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    bool is = false;

    return dwarf_attr(die, name, &attribute) && dwarf_formflag(&attribute, &is) == 0 && is;
}

static bool asks(const struct walk *w, Dwarf_Die *call)
{
    Dwarf_Attribute origin;
    Dwarf_Die called;

    return (dwarf_attr(call, DW_AT_call_origin, &origin) || dwarf_attr(call, DW_AT_abstract_origin, &origin)) &&
           dwarf_formref_die(&origin, &called) && is_one(w, w->how->asks, &called);
}

static void take_call(struct walk *w, Dwarf_Die *call)
{
    if (!w->depth || (!has_flag(call, DW_AT_call_tail_call) && !has_flag(call, DW_AT_GNU_tail_call)))
        return;
    for (size_t i = 0; i < w->depth; i++)
        if (w->frames[i].asked != SIZE_MAX)
            w->found[w->frames[i].asked] |= SYMBOLS_TAIL_CALL;
    if (!asks(w, call))
        return;
    for (size_t i = w->depth; i-- > 0;) {
        if (w->frames[i].asked != SIZE_MAX)
            w->found[w->frames[i].asked] |= SYMBOLS_TAIL_ASK;
        if (!is_one(w, w->how->passes_on, &w->frames[i].die))
            break;
    }
    Dwarf_Attribute external;
    bool is_external = dwarf_attr_integrate(&w->frames[0].die, DW_AT_external, &external); /* a flag that is there is set */
    for (size_t k = 0; k < w->count; k++)
        if (w->asked[k].is_module && is_external && w->how->is_module(w->how->data, w->file_name, w->asked[k].name))
            w->found[k] |= SYMBOLS_TAIL_ASK;
}

/* ---- the tree -------------------------------------------------------------------------- */

static void walk_in(struct walk *w, Dwarf_Die *parent, unsigned depth);

static bool tells_calls(Dwarf_Die *function)
{
    return dwarf_tag(function) == DW_TAG_subprogram && (has_flag(function, DW_AT_call_all_calls) || has_flag(function, DW_AT_call_all_tail_calls) ||
           has_flag(function, DW_AT_GNU_all_call_sites) || has_flag(function, DW_AT_GNU_all_tail_call_sites));
}

static void take_function(struct walk *w, Dwarf_Die *function, unsigned depth)
{
    if (dwarf_hasattr(function, DW_AT_declaration) || w->depth == NESTED_MAX)
        return;
    size_t asked = find_asked(w, function);
    if (asked != SIZE_MAX)
        w->found[asked] |= SYMBOLS_HAVE;
    if (dwarf_hasattr(function, DW_AT_inline)) /* code that it is made into is elsewhere */
        return;
    if (asked != SIZE_MAX && w->is_gnu && tells_calls(function))
        w->found[asked] |= ASKED_IS_TOLD;
    w->frames[w->depth++] = (struct frame){ *function, asked };
    walk_in(w, function, depth);
    w->depth--;
}

static void walk_in(struct walk *w, Dwarf_Die *parent, unsigned depth)
{
    Dwarf_Die die;

    if (depth == DEPTH_MAX || dwarf_child(parent, &die) != 0)
        return;
    do {
        switch (dwarf_tag(&die)) {
        case DW_TAG_subprogram:
        case DW_TAG_inlined_subroutine:
            take_function(w, &die, depth + 1);
            break;
        case DW_TAG_call_site:
        case DW_TAG_GNU_call_site:
            take_call(w, &die);
            break;
        case DW_TAG_lexical_block:
        case DW_TAG_namespace:
        case DW_TAG_try_block:
        case DW_TAG_catch_block:
            walk_in(w, &die, depth + 1);
            break;
        default:
            break;
        }
    } while (dwarf_siblingof(&die, &die) == 0);
}

/* The file that a dwz'd one shares with others. */
static void open_shared(Dwarf *dwarf, const struct symbols_options *options, const char *path, struct elf_file *ret_file)
{
    const char *name;
    const void *build_id;
    ssize_t bytes = dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &build_id);
    _cleanup_free_ char *shared = bytes > 0 ? find_shared_file(options, path, name, build_id, (size_t)bytes) : NULL;
    Dwarf *other = shared && elf_file_open(ret_file, shared, true) == 0 ? dwarf_begin_elf(ret_file->elf, DWARF_C_READ, NULL) : NULL;

    if (other)
        dwarf_setalt(dwarf, other); /* the process ends soon */
}

void asked_read_dwarf(const struct symbols_asking *how, const struct symbols_options *options, const char *file_name, const struct module_files *files,
                      const struct symbols_asked *asked, char *const *bare, size_t count, volatile uint8_t *ret_found)
{
    const char *const paths[] = { files->debug, files->binary };
    struct walk w = { .how = how, .asked = asked, .bare = bare, .count = count, .file_name = file_name, .found = ret_found };

    for (size_t i = 0; i < 2; i++) {
        _cleanup_elf_file_ struct elf_file file = ELF_FILE_CLOSED, shared = ELF_FILE_CLOSED;
        struct unpacked unpacked = { 0 };
        if (!paths[i] || elf_file_open(&file, paths[i], true) != 0 || !elf_has_dwarf(file.elf))
            continue;
        unpack_sections(file.elf, &unpacked);
        struct split_files *rests = split_files_new(file.elf, options, (const char *const[]){ paths[i], files->binary });
        Dwarf *dwarf = dwarf_begin_elf(file.elf, DWARF_C_READ, NULL);
        if (dwarf) {
            Dwarf_CU *unit = NULL;
            Dwarf_Die die, split;
            uint8_t type;
            open_shared(dwarf, options, paths[i], &shared);
            w.names = qualified_new();
            while (dwarf_get_units(dwarf, unit, &unit, NULL, &type, &die, NULL) == 0) {
                Dwarf_Attribute producer;
                w.is_split = type == DW_UT_skeleton && rests && split_files_unit(rests, &die, &split);
                const char *compiler = dwarf_attr(w.is_split ? &split : &die, DW_AT_producer, &producer) ? dwarf_formstring(&producer) : NULL;
                w.is_gnu = compiler && strncmp(compiler, "GNU ", 4) == 0;
                walk_in(&w, w.is_split ? &split : &die, 0);
            }
            qualified_free(w.names);
            dwarf_end(dwarf);
        }
        split_files_free(rests);
        elf_file_release(&file);
        unpacked_release(&unpacked);
        return;
    }
}
