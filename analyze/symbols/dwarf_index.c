/* The hard problem is speed: libdw's own look-ups walk a unit for every address, which
 * takes a millisecond. Here the addresses are known beforehand and sorted, so one walk
 * over a unit's tree hands each function, and each inlined call in it, to the addresses
 * that it has: a binary search for every range of code. Because the walk meets outer
 * things before inner ones, the last that an address was handed is its innermost. */
#include "analyze/symbols/dwarf_index.h"

#include "analyze/symbols/code_starts.h"
#include "analyze/symbols/die_tree.h"
#include "analyze/symbols/elf_file.h"
#include "analyze/symbols/packed_sections.h"
#include "analyze/symbols/qualified.h"
#include "analyze/symbols/source_path.h"
#include "analyze/symbols/unit_lines.h"
#include "analyze/util.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <string.h>

#define DISCARDED UINT32_MAX /* no scope: a function that the linker has left out */

/* A function or an inlined call with an address in it. */
struct scope {
    Dwarf_Die die;
    uint32_t outer; /* 0: none */
    bool described;
    const char *name, *qualified, *signature;
    uint32_t number;
    const char *call_file; /* of an inlined call: where it is called from */
    uint32_t call_line, call_column;
};

struct query {
    uint64_t address;
    uint32_t position; /* among the addresses as they were given */
    uint32_t unit;     /* 1 + index; 0: in none */
    uint32_t scope;    /* the innermost; 0: none */
    const char *file;
    uint32_t line, column;
};

struct unit {
    Dwarf_Die die;  /* has ranges and lines */
    bool is_skeleton; /* its tree is elsewhere (split_files.h) */
    bool bounded;   /* it says where its code is */
};

/* Where the walk is in a row of siblings. */
struct level {
    Dwarf_Die die; /* their parent, or the last one that was seen */
    uint32_t outer;
    bool begun;
};

struct dwarf_index {
    Dwarf *dwarf, *shared;
    struct split_files *split;
    struct code_starts *starts;
    Elf_Data *lines; /* .debug_line; NULL: there is none */
    Elf *shared_elf;
    struct query *queries; /* by address; while it is made, by unit and address */
    size_t query_count;
    struct unit *units;
    size_t unit_count, unit_capacity;
    struct scope *scopes; /* 0 is none */
    size_t scope_count, scope_capacity;
    struct level *levels;
    size_t depth, level_capacity;
    struct source_paths paths;
    struct qualified *names;
    bool damaged, lacks;
};

/* A row of queries by address, and what has become of it. */
struct span {
    struct query *queries;
    size_t count;
};

static size_t first_from(const struct span *s, uint64_t address)
{
    size_t low = 0, high = s->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->queries[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- units: which has which address ------------------------------------------ */

static void claim(struct dwarf_index *x, uint32_t number)
{
    struct span all = { x->queries, x->query_count };
    struct unit *unit = &x->units[number - 1];
    Dwarf_Addr base, start, end;
    ptrdiff_t at = 0;
    bool good = true;

    while ((at = dwarf_ranges(&unit->die, at, &base, &start, &end)) > 0) {
        enum code_start is = code_starts_at(x->starts, start);
        unit->bounded = true;
        good &= is != CODE_NOWHERE && (is != CODE_HERE || start <= end);
        for (size_t i = first_from(&all, start); is == CODE_HERE && i < all.count && all.queries[i].address < end; i++)
            if (!all.queries[i].unit)
                all.queries[i].unit = number;
    }
    if (at < 0 || !good) {
        x->damaged = true;
        unit->bounded = false;
    }
}

static void find_units(struct dwarf_index *x)
{
    Dwarf_CU *cu = NULL;
    uint8_t type;
    Dwarf_Die die;
    int got;

    while ((got = dwarf_get_units(x->dwarf, cu, &cu, NULL, &type, &die, NULL)) == 0) {
        if (type != DW_UT_compile && type != DW_UT_skeleton)
            continue;
        x->units = grow(x->units, &x->unit_capacity, x->unit_count + 1, sizeof *x->units);
        x->units[x->unit_count++] = (struct unit){ .die = die, .is_skeleton = type == DW_UT_skeleton };
        claim(x, (uint32_t)x->unit_count);
    }
    x->damaged |= got < 0;
}

static int by_unit(const void *left, const void *right)
{
    const struct query *a = left, *b = right;

    if (a->unit != b->unit)
        return a->unit < b->unit ? -1 : 1;
    return a->address < b->address ? -1 : a->address > b->address;
}

static int by_position(const void *left, const void *right)
{
    const struct query *a = left, *b = right;
    return a->position < b->position ? -1 : a->position > b->position;
}

/* ---- functions ----------------------------------------------------------------- */

/* Hands the scope of this DIE to its addresses; 0: it has none of them. */
static uint32_t hand_out(struct dwarf_index *x, const struct span *s, Dwarf_Die *die, uint32_t outer)
{
    bool is_inlined = dwarf_tag(die) == DW_TAG_inlined_subroutine, is_there = false, is_discarded = false;
    Dwarf_Addr base, start, end;
    uint32_t scope = 0;
    ptrdiff_t at = 0;

    if (is_inlined && outer == DISCARDED)
        return DISCARDED;
    while ((at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
        enum code_start is = is_inlined ? CODE_HERE : code_starts_function_at(x->starts, start);
        x->damaged |= is == CODE_NOWHERE || (is == CODE_HERE && start > end);
        is_discarded |= is == CODE_DISCARDED;
        is_there |= is == CODE_HERE;
        for (size_t i = first_from(s, start); is == CODE_HERE && i < s->count && s->queries[i].address < end; i++) {
            if (!scope) {
                x->scopes = grow(x->scopes, &x->scope_capacity, x->scope_count + 1, sizeof *x->scopes);
                scope = (uint32_t)x->scope_count++;
                x->scopes[scope] = (struct scope){ .die = *die, .outer = outer == DISCARDED ? 0 : outer };
            }
            s->queries[i].scope = scope;
        }
    }
    /* A call that was inlined into code that is there cannot be nowhere. */
    x->damaged |= at < 0 || (is_inlined && outer && !is_there && dwarf_hasattr(die, DW_AT_ranges));
    return is_discarded && !is_there ? DISCARDED : scope;
}

static void descend(struct dwarf_index *x, const Dwarf_Die *die, uint32_t outer)
{
    x->levels = grow(x->levels, &x->level_capacity, x->depth + 1, sizeof *x->levels);
    x->levels[x->depth++] = (struct level){ .die = *die, .outer = outer };
}

/* thorough: also into what has none of the addresses itself; a function that is local to
 * another may be described there. */
static void visit(struct dwarf_index *x, const struct span *s, Dwarf_Die die, uint32_t outer, bool thorough)
{
    uint32_t scope;

    switch (dwarf_tag(&die)) {
    case DW_TAG_subprogram:
    case DW_TAG_entry_point:
        scope = hand_out(x, s, &die, 0);
        if (thorough || (scope && scope != DISCARDED))
            descend(x, &die, scope);
        break;
    case DW_TAG_inlined_subroutine:
        scope = hand_out(x, s, &die, outer);
        if (thorough || (scope && scope != DISCARDED))
            descend(x, &die, scope ? scope : outer);
        break;
    case DW_TAG_lexical_block:
    case DW_TAG_try_block:
    case DW_TAG_catch_block:
    case DW_TAG_with_stmt:
    case DW_TAG_common_block:
    case DW_TAG_namespace:
    case DW_TAG_module:
        descend(x, &die, outer);
        break;
    default: /* types, for example: Rust has functions in its enumerations */
        if (thorough)
            descend(x, &die, outer);
        break;
    }
}

/* Everything below parent. Not by recursion: calls may be inlined in any depth. */
static void walk(struct dwarf_index *x, const struct span *s, Dwarf_Die *parent, bool thorough)
{
    descend(x, parent, 0);
    while (x->depth) {
        struct level *l = &x->levels[x->depth - 1];
        Dwarf_Off last = dwarf_dieoffset(&l->die);
        int got = l->begun ? dwarf_siblingof(&l->die, &l->die) : dwarf_child(&l->die, &l->die);
        /* Never backwards: damage would make that a circle. */
        bool is_next = got == 0 && dwarf_dieoffset(&l->die) > last;
        l->begun = true;
        if (is_next) {
            visit(x, s, l->die, l->outer, thorough);
        } else {
            x->damaged |= got <= 0;
            x->depth--;
        }
    }
}

/* ---- lines --------------------------------------------------------------------- */

static void find_lines(struct dwarf_index *x, const struct span *s, Dwarf_Die *unit)
{
    _cleanup_free_ struct line_place *places = alloc_zeroed(s->count, sizeof *places);
    struct unit_lines lines;

    for (size_t i = 0; i < s->count; i++)
        places[i].address = s->queries[i].address;
    if (!unit_lines_begin(&lines, unit, x->lines, x->starts, &x->paths, places, s->count)) {
        x->damaged = true;
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        struct query *q = &s->queries[i];
        if (!places[i].found)
            continue;
        struct unit_line found = unit_lines_at(&lines, &places[i]);
        q->file = found.file;
        q->line = found.line;
        q->column = found.column;
    }
    x->damaged |= lines.nameless;
}

/* ---- all of it ----------------------------------------------------------------- */

/* No: nothing in it has an address. gcc's link-time optimizer has such a unit for each source, of what it knew before it made
 * code, and does not say that there is none. The few kinds of things tell it sooner than the many things. */
static bool may_have_code(Dwarf_Die *unit)
{
    Dwarf_Abbrev *kind;
    unsigned name, form;
    Dwarf_Die first;
    size_t bytes;
    int got = dwarf_child(unit, &first);

    if (got < 0 || (got == 0 && dwarf_tag(&first) == DW_TAG_invalid)) /* the kinds are damaged: who looks on will tell */
        return true;
    for (Dwarf_Off at = 0; (kind = dwarf_getabbrev(unit, at, &bytes)) != DWARF_END_ABBREV; at += bytes) {
        if (!kind)
            return true;
        for (size_t i = 0; dwarf_getabbrevattr(kind, i, &name, &form, NULL) == 0; i++)
            if (name == DW_AT_low_pc || name == DW_AT_ranges)
                return true;
    }
    return false;
}

static void read_unit(struct dwarf_index *x, struct unit *unit, const struct span *s)
{
    Dwarf_Die tree = unit->die, rest;
    bool missing = false;

    if (unit->is_skeleton && x->split && split_files_unit(x->split, &unit->die, &rest))
        tree = rest;
    else
        x->lacks |= unit->is_skeleton;
    if (unit->bounded || may_have_code(&tree)) {
        walk(x, s, &tree, false);
        for (size_t i = 0; i < s->count; i++)
            missing |= !s->queries[i].scope;
        if (missing)
            walk(x, s, &tree, true);
    }
    find_lines(x, s, &unit->die);
}

/* Units that do not say where their code is, for the addresses that are in no other. */
static void read_unbounded(struct dwarf_index *x, const struct span *nowhere)
{
    for (size_t i = 0; i < x->unit_count && nowhere->count; i++)
        if (!x->units[i].bounded)
            read_unit(x, &x->units[i], nowhere);
}

static void open_shared_file(struct dwarf_index *x, dwarf_open_shared *open_shared, void *data)
{
    const char *name;
    const void *build_id;
    ssize_t bytes = dwelf_dwarf_gnu_debugaltlink(x->dwarf, &name, &build_id);

    if (bytes <= 0 || !open_shared)
        return;
    x->shared_elf = open_shared(data, name, build_id, (size_t)bytes);
    x->shared = x->shared_elf ? dwarf_begin_elf(x->shared_elf, DWARF_C_READ, NULL) : NULL;
    if (x->shared)
        dwarf_setalt(x->dwarf, x->shared);
    x->lacks |= !x->shared;
}

struct dwarf_index *dwarf_index_make(Elf *elf, struct split_files *split, const struct symtab *symtab, const uint64_t *addresses, size_t count,
                                     dwarf_open_shared *open_shared, void *data)
{
    Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);

    if (!dwarf)
        return NULL;
    struct dwarf_index *x = alloc_zeroed(1, sizeof *x);
    x->dwarf = dwarf;
    x->split = split;
    x->starts = code_starts_make(elf, symtab);
    x->names = qualified_new();
    x->lines = unit_lines_section(elf); /* after libdw has unpacked it */
    x->scopes = grow(NULL, &x->scope_capacity, 1, sizeof *x->scopes);
    x->scope_count = 1;
    x->queries = alloc_zeroed(count ? count : 1, sizeof *x->queries);
    x->query_count = count;
    for (size_t i = 0; i < count; i++)
        x->queries[i] = (struct query){ .address = addresses[i], .position = (uint32_t)i };
    open_shared_file(x, open_shared, data);
    x->damaged = packed_sections_remain(elf) || (x->shared_elf && packed_sections_remain(x->shared_elf));
    find_units(x);
    qsort(x->queries, count, sizeof *x->queries, by_unit);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && x->queries[end].unit == x->queries[i].unit;)
            end++;
        struct span s = { x->queries + i, end - i };
        if (x->queries[i].unit)
            read_unit(x, &x->units[x->queries[i].unit - 1], &s);
        else
            read_unbounded(x, &s);
    }
    qsort(x->queries, count, sizeof *x->queries, by_position);
    return x;
}

void dwarf_index_free(struct dwarf_index *x)
{
    if (!x)
        return;
    dwarf_end(x->dwarf);
    dwarf_end(x->shared);
    elf_end(x->shared_elf);
    free(x->queries);
    free(x->units);
    free(x->scopes);
    free(x->levels);
    code_starts_free(x->starts);
    source_paths_release(&x->paths);
    qualified_free(x->names);
    free(x);
}

bool dwarf_index_damaged(const struct dwarf_index *x)
{
    return x->damaged;
}

bool dwarf_index_lacks(const struct dwarf_index *x)
{
    return x->lacks;
}

/* ---- answers ------------------------------------------------------------------- */

/* Whether it has something that has a number, all of which is in something that has a name: clang puts lambdas in lambdas nowhere. */
static bool is_numbered(const char *name)
{
    bool is_one = false;

    for (const char *at = name; (at = strchr(at, '{')); at++) {
        if (strncmp(at, "{lambda(", 8) != 0 && strncmp(at, "{unnamed type#", 14) != 0)
            continue;
        if (at - name < 2 || at[-1] != ':')
            return false;
        is_one = true;
    }
    return is_one;
}

/* clang numbers what is in functions of one file, lambdas and others, as it comes to them: `main::$_4`. */
static void number_as_others(struct dwarf_index *x, struct scope *scope)
{
    Dwarf_Attribute attribute;
    const char *name = dwarf_attr_integrate(&scope->die, DW_AT_name, &attribute) ? dwarf_formstring(&attribute) : NULL;
    uint32_t number;
    const char *signature, *qualified = dwarf_is_text(name) ? qualified_name(x->names, &scope->die, name, &signature, &number) : NULL;

    if (!qualified || !is_numbered(qualified))
        return;
    scope->name = name;
    scope->qualified = qualified;
    scope->signature = qualified_signature(x->names, &scope->die);
}

static void describe(struct dwarf_index *x, struct scope *scope)
{
    static const unsigned names[] = { DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name };
    Dwarf_Attribute attribute;
    Dwarf_Die unit;
    Dwarf_Files *files;
    size_t file_count;

    scope->described = true;
    for (size_t i = 0; i < sizeof names / sizeof *names && !scope->name; i++) {
        if (!dwarf_attr_integrate(&scope->die, names[i], &attribute))
            continue;
        const char *name = dwarf_formstring(&attribute);
        scope->name = dwarf_is_text(name) ? name : NULL;
        x->damaged |= !scope->name && !x->lacks; /* else it is in a file that is not here */
        if (scope->name && names[i] == DW_AT_name)
            scope->qualified = qualified_name(x->names, &scope->die, scope->name, &scope->signature, &scope->number);
    }
    if (scope->name && strstr(scope->name, "$_"))
        number_as_others(x, scope);
    if (dwarf_tag(&scope->die) != DW_TAG_inlined_subroutine || !dwarf_hasattr(&scope->die, DW_AT_call_file))
        return;
    scope->call_line = die_number(&scope->die, DW_AT_call_line);
    scope->call_column = die_number(&scope->die, DW_AT_call_column);
    if (dwarf_diecu(&scope->die, &unit, NULL, NULL) && dwarf_getsrcfiles(&unit, &files, &file_count) == 0)
        scope->call_file = dwarf_filesrc(files, die_number(&scope->die, DW_AT_call_file), NULL, NULL);
    if (scope->call_file)
        scope->call_file = source_path(&x->paths, scope->call_file, unit_directory(&unit));
}

size_t dwarf_index_frames(struct dwarf_index *x, size_t position, struct dwarf_frame ret_frames[DWARF_FRAMES_MAX])
{
    const struct query *q = &x->queries[position];
    struct dwarf_frame frame = { .file = q->file, .line = q->line, .column = q->column };
    uint32_t last = 0;
    size_t count = 0;

    if (!q->scope && !q->file)
        return 0;
    for (uint32_t at = q->scope; at; at = x->scopes[at].outer) {
        struct scope *scope = &x->scopes[at];
        if (!scope->described)
            describe(x, scope);
        frame.function = scope->name;
        frame.qualified = scope->qualified;
        frame.signature = scope->signature;
        frame.number = scope->number;
        if (count == DWARF_FRAMES_MAX - 1)
            count--; /* of too many it is not the function itself that is left out */
        ret_frames[count++] = frame;
        last = at;
        frame = (struct dwarf_frame){ .file = scope->call_file, .line = scope->call_line, .column = scope->call_column };
    }
    /* No function around it: the symbol table may know its name. */
    if (!count || dwarf_tag(&x->scopes[last].die) == DW_TAG_inlined_subroutine)
        ret_frames[count++] = frame;
    return count;
}
