#include "analyze/commands/naming.h"

#include "analyze/symbols/symbols.h"

#include <string.h>

struct file_symbols {
    bool asked;
    struct symbols *symbols; /* NULL: the file is not there, or is another build */
};

struct naming {
    const struct code *code;
    struct file_symbols *files;
};

static const char *function_name(void *data, uint32_t location)
{
    struct naming *n = data;
    const struct code_location *place = &n->code->locations[location];
    const struct code_file *file = &n->code->files[place->file];
    struct file_symbols *known = &n->files[place->file];
    uint64_t offset;

    if (!location || !place->file)
        return NULL;
    if (!known->asked) {
        known->asked = true;
        known->symbols = symbols_open(file->path, file->build_id, file->build_id_bytes);
    }
    return known->symbols ? symbols_find(known->symbols, code_symbol_address(place), &offset) : NULL;
}

struct naming *naming_open(const struct code *code, struct namer *ret_namer)
{
    struct naming *n = alloc_zeroed(1, sizeof *n);

    n->code = code;
    n->files = alloc_zeroed(code->file_count, sizeof *n->files);
    *ret_namer = (struct namer){ n, function_name };
    return n;
}

void naming_close(struct naming *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->code->file_count; i++)
        symbols_free(n->files[i].symbols);
    free(n->files);
    free(n);
}

bool naming_is_wrapper(void *data, uint32_t location)
{
    const char *name = function_name(data, location);
    return name && strncmp(name, "operator new", 12) == 0;
}
