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

bool unit_lines_begin(struct unit_lines *l, Dwarf_Die *unit, Elf_Data *section, struct code_starts *starts, struct source_paths *paths)
{
    Dwarf_Attribute attribute;
    Dwarf_Word program;

    *l = (struct unit_lines){ .paths = paths };
    if (!dwarf_attr(unit, DW_AT_stmt_list, &attribute))
        return true;
    if (section && section->d_buf && dwarf_formudata(&attribute, &program) == 0)
        line_program_clean(section->d_buf, section->d_size, program, starts);
    l->directory = unit_directory(unit);
    return dwarf_getsrclines(unit, &l->lines, &l->count) == 0;
}

bool unit_lines_find(struct unit_lines *l, uint64_t address, struct unit_line *ret_line)
{
    size_t low = l->row, high = l->count; /* the first row behind the address */
    int number = 0, column = 0;
    Dwarf_Addr begin;
    bool ends = false;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (dwarf_lineaddr(dwarf_onesrcline(l->lines, middle), &begin) == 0 && begin <= address)
            low = middle + 1;
        else
            high = middle;
    }
    l->row = low;
    Dwarf_Line *line = low ? dwarf_onesrcline(l->lines, low - 1) : NULL;
    if (!line || dwarf_lineendsequence(line, &ends) != 0 || ends)
        return false;
    const char *file = dwarf_linesrc(line, NULL, NULL);
    if (!dwarf_is_text(file) || file[strlen(file) - 1] == '/') {
        file = NULL;
        l->nameless = true;
    }
    *ret_line = (struct unit_line){
        .file = file ? source_path(l->paths, file, l->directory) : NULL,
        .line = dwarf_lineno(line, &number) == 0 && number > 0 ? (uint32_t)number : 0,
        .column = dwarf_linecol(line, &column) == 0 && column > 0 ? (uint32_t)column : 0,
    };
    return true;
}

Elf_Data *unit_lines_section(Elf *elf)
{
    GElf_Shdr header;
    Elf_Scn *section = elf_section(elf, ".debug_line", &header);

    if (!section)
        section = elf_section(elf, ".zdebug_line", &header);
    return section ? elf_getdata(section, NULL) : NULL;
}
