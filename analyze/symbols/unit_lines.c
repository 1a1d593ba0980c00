#include "analyze/symbols/unit_lines.h"

#include "analyze/symbols/elf_file.h"
#include "analyze/symbols/line_program.h"

#include <dwarf.h>
#include <string.h>

/* Nothing has an empty name, or one with such characters: that is damage. A line's end or an escape may be in a
 * file's name. */
bool dwarf_is_text(const char *text)
{
    return text && *text && !strpbrk(text, "\1\2\3\4\5\6\16\17\20\21\22\23\24\25\26\27\30\31\32\376\377");
}

const char *unit_directory(Dwarf_Die *unit)
{
    Dwarf_Attribute attribute;
    return dwarf_attr(unit, DW_AT_comp_dir, &attribute) ? dwarf_formstring(&attribute) : NULL;
}

bool unit_lines_begin(struct unit_lines *l, Dwarf_Die *unit, Elf_Data *section, struct code_starts *starts, struct source_paths *paths,
                      struct line_place *places, size_t count)
{
    Dwarf_Attribute attribute;
    Dwarf_Word program;
    uint32_t length;
    size_t files;

    *l = (struct unit_lines){ .paths = paths };
    if (!dwarf_attr(unit, DW_AT_stmt_list, &attribute))
        return true;
    if (!section || !section->d_buf || dwarf_formudata(&attribute, &program) != 0)
        return false;
    l->directory = unit_directory(unit);
    uint8_t *lines = section->d_buf;
    if (!line_program_find(lines, section->d_size, program, starts, places, count))
        return false;
    bool is_hidden = line_program_hide(lines, section->d_size, program, &length);
    bool good = dwarf_getsrcfiles(unit, &l->files, &files) == 0;
    if (is_hidden)
        memcpy(lines + program, &length, sizeof length);
    return good;
}

struct unit_line unit_lines_at(struct unit_lines *l, const struct line_place *place)
{
    const char *file = dwarf_filesrc(l->files, place->file, NULL, NULL);

    if (!dwarf_is_text(file) || file[strlen(file) - 1] == '/') {
        file = NULL;
        l->nameless = true;
    }
    return (struct unit_line){
        .file = file ? source_path(l->paths, file, l->directory) : NULL,
        .line = place->line <= INT32_MAX ? place->line : 0,
        .column = place->column <= INT32_MAX ? place->column : 0,
    };
}

Elf_Data *unit_lines_section(Elf *elf)
{
    GElf_Shdr header;
    Elf_Scn *section = elf_section(elf, ".debug_line", &header);

    if (!section)
        section = elf_section(elf, ".zdebug_line", &header);
    return section ? elf_getdata(section, NULL) : NULL;
}
