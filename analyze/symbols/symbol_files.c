#include "analyze/symbols/symbol_files.h"

#include "analyze/hash.h"
#include "analyze/hash_table.h"
#include "analyze/symbols/demangle.h"
#include "analyze/util.h"

#include <string.h>

struct known_file {
    const char *name;
    uint32_t number; /* among those of its name */
    uint32_t first;  /* of them */
    bool has_namesake; /* of a first one */
};

struct name {
    const char *text;
    size_t length;
    uint32_t file; /* the first */
    bool has_others, is_global;
};

struct symbol_files {
    struct known_file *files;
    size_t count, capacity;
    struct hash_table file_table; /* the first of each name */
    struct name *names;
    size_t name_count, name_capacity;
    struct hash_table name_table;
};

struct symbol_files *symbol_files_new(void)
{
    return alloc_zeroed(1, sizeof(struct symbol_files));
}

void symbol_files_free(struct symbol_files *f)
{
    if (!f)
        return;
    free(f->files);
    free(f->names);
    hash_table_release(&f->file_table);
    hash_table_release(&f->name_table);
    free(f);
}

uint32_t symbol_files_add(struct symbol_files *f, const char *name)
{
    uint64_t hash = hash_add_text(0, name);
    struct hash_search s = hash_table_search(&f->file_table, hash);
    uint32_t number = (uint32_t)f->count++, first = number;

    f->files = grow(f->files, &f->capacity, f->count, sizeof *f->files);
    while (first == number && hash_table_next(&f->file_table, &s))
        if (strcmp(f->files[s.number].name, name) == 0)
            first = s.number;
    f->files[number] = (struct known_file){ .name = name, .first = first, .number = 1 };
    if (first == number) {
        hash_table_add(&f->file_table, hash, number);
    } else {
        f->files[first].has_namesake = true;
        f->files[first].number++; /* for now, how many there are */
        f->files[number].number = f->files[first].number;
    }
    return number + 1;
}

static uint32_t find_name(const struct symbol_files *f, const char *text, size_t length, uint64_t hash)
{
    struct hash_search s = hash_table_search(&f->name_table, hash);

    while (hash_table_next(&f->name_table, &s))
        if (f->names[s.number].length == length && memcmp(f->names[s.number].text, text, length) == 0)
            return s.number;
    return UINT32_MAX;
}

void symbol_files_claim(struct symbol_files *f, const char *function, uint32_t file)
{
    size_t length = demangle_bare_length(function);
    uint64_t hash = hash_add_bytes(0, function, length);
    uint32_t number = find_name(f, function, length, hash);

    if (!file && function[length])
        return;
    if (number == UINT32_MAX) {
        number = (uint32_t)f->name_count++;
        f->names = grow(f->names, &f->name_capacity, f->name_count, sizeof *f->names);
        f->names[number] = (struct name){ .text = function, .length = length };
        hash_table_add(&f->name_table, hash, number);
    }
    struct name *name = &f->names[number];
    name->is_global |= !file;
    name->has_others |= file && name->file && name->file != file;
    name->file = name->file ? name->file : file;
}

bool symbol_files_needed(const struct symbol_files *f, const char *function, uint32_t file, struct symbol_file *ret_file)
{
    size_t length = demangle_bare_length(function);
    uint32_t number = file ? find_name(f, function, length, hash_add_bytes(0, function, length)) : UINT32_MAX;

    if (number == UINT32_MAX)
        return false;
    const struct name *name = &f->names[number];
    const struct known_file *known = &f->files[file - 1], *first = &f->files[known->first];
    bool is_part = function[length] && name->is_global; /* of a global one, as far as can be known */
    *ret_file = (struct symbol_file){ known->name, !first->has_namesake ? 0 : known == first ? 1 : known->number };
    return (name->has_others || name->is_global) && !is_part;
}
