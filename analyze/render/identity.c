#include "analyze/render/identity.h"

#include "analyze/hash.h"
#include "analyze/symbols/symbols.h"
#include "analyze/util.h"

#include <string.h>

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const char *signature_of(const struct identity *i)
{
    return i->signature ? i->signature : i->function;
}

/* What has parameters, or is in a space, has its name of the linker's, which is one alone; but for what is in a space
 * without a name, and for inlined lambdas, whose function may be static. A program has one main, whatever its file is called in the next version. */
bool identity_has_file(const struct identity *i)
{
    if (strstr(i->function, "(anonymous namespace)"))
        return i->file;
    bool has_parameters = strcmp(signature_of(i), i->function) != 0 && !symbols_is_numbered(i->function, i->signature);
    return i->file && !has_parameters && (!strstr(i->function, "::") || strstr(i->function, "{lambda")) &&
           strcmp(i->function, "main") != 0;
}

bool identity_is_named_alike(const struct identity *a, const struct identity *b)
{
    return strcmp(a->function, b->function) == 0 && strcmp(signature_of(a), signature_of(b)) == 0;
}

/* The symbol table has no directories. */
bool identity_is_same_file(const char *a, const char *b)
{
    bool are_whole = strchr(a, '/') && strchr(b, '/');

    return strcmp(are_whole ? identity_file(a) : base_name(a), are_whole ? identity_file(b) : base_name(b)) == 0;
}

bool identity_is_same(const struct identity *a, const struct identity *b)
{
    if (!identity_is_named_alike(a, b) || identity_has_file(a) != identity_has_file(b))
        return false;
    return !identity_has_file(a) || identity_is_same_file(a->file, b->file);
}

uint64_t identity_hash(uint64_t hash, const struct identity *i)
{
    hash = hash_add_text(hash_add_text(hash, i->function), signature_of(i));
    return identity_has_file(i) ? hash_add_text(hash, base_name(i->file)) : hash;
}

const char *identity_file(const char *path)
{
    const char *last = strrchr(path, '/');

    for (const char *at = last; at && at > path; at--)
        if (at[-1] == '/')
            return at;
    return path;
}

char *identity_text(const struct identity *i, bool signature, bool file)
{
    const char *name = signature ? signature_of(i) : i->function;

    return file && i->file ? format_text("%s (%s)", name, identity_file(i->file)) : copy_text(name, strlen(name));
}
