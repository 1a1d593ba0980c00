/* Name -> whether a module has such a function: the way back from names, which nothing else goes. In a process of its own, as all
 * reading of symbols (worker.h says why), which has only yes or no to say: its exit status. */
#include "analyze/symbols/asked_inside.h"
#include "analyze/symbols/symbols_inside.h"

#include "analyze/symbols/demangle.h"
#include "analyze/symbols/elf_file.h"
#include "analyze/symbols/spelling.h"
#include "analyze/util.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- in the child -------------------------------------------------------------------- */

char *asked_bare_name(const char *function)
{
    const char *part = function;
    int depth = 0;

    for (const char *at = function; *at; at++) {
        depth += (*at == '<' || *at == '(') - (*at == '>' || *at == ')');
        if (depth == 0 && at[0] == ':' && at[1] == ':')
            part = at + 2;
    }
    part += *part == '~';
    return copy_text(part, strncmp(part, "operator", 8) == 0 || *part == '{' ? 0 : strcspn(part, "<("));
}

bool asked_is_name(const char *symbol, const char *function, const char *bare)
{
    if (!strstr(symbol, bare)) /* as of nearly all of them */
        return false;
    _cleanup_free_ char *name = copy_text(symbol, strcspn(symbol, "@")), *its_function = NULL, *signature = NULL;
    demangle(name, &its_function, &signature);
    spelling_make(its_function);
    return strcmp(its_function, function) == 0;
}

static bool table_has(Elf *elf, Elf_Scn *table, const GElf_Shdr *header, const char *function, const char *bare)
{
    Elf_Data *data = elf_getdata(table, NULL);
    size_t entry_bytes = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);

    for (size_t i = 1; data && entry_bytes && i < data->d_size / entry_bytes && i <= INT32_MAX; i++) {
        GElf_Sym sym;
        if (!gelf_getsym(data, (int)i, &sym) || GELF_ST_TYPE(sym.st_info) != STT_FUNC || sym.st_shndx == SHN_UNDEF)
            continue;
        const char *name = elf_strptr(elf, header->sh_link, sym.st_name); /* one that ends */
        if (name && asked_is_name(name, function, bare))
            return true;
    }
    return false;
}

bool asked_file_has(const char *path, const char *function, const char *bare)
{
    _cleanup_elf_file_ struct elf_file file = ELF_FILE_CLOSED;
    GElf_Shdr header;

    if (!path || elf_file_open(&file, path, true) != 0)
        return false;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(file.elf, section));)
        if (gelf_getshdr(section, &header) && (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM) &&
            table_has(file.elf, section, &header, function, bare))
            return true;
    return false;
}

static _Noreturn void be_child(const struct symbols *s, const char *file_name, const char *function)
{
    bool has = false;

    asked_begin_child();
    _cleanup_free_ char *bare = asked_bare_name(function);
    for (size_t i = 0; i < s->module_count && !has; i++) {
        const struct module *m = &s->modules[i];
        if (!m->is_jit && (!file_name || strcmp(module_file_name(m), file_name) == 0))
            has = asked_file_has(m->files.binary, function, bare) || asked_file_has(m->files.debug, function, bare);
    }
    _exit(has ? 0 : 1);
}

/* ---- in the parent ------------------------------------------------------------------- */

bool symbols_define(const struct symbols *s, const char *file_name, const char *function)
{
    int status = 0;

    if (!*function)
        return false;
    fflush(NULL); /* lest the child writes it once more */
    pid_t pid = fork();
    if (pid == 0)
        be_child(s, file_name, function);
    if (pid < 0)
        return false;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
