/* Names of code addresses, in one batch: say which modules and addresses there are,
 * resolve them all, then look them up.
 *
 *     struct symbols *s = symbols_new(&options);
 *     uint32_t module = symbols_module(s, path, build_id, build_id_bytes);
 *     uint32_t place = symbols_want(s, module, address);
 *     symbols_resolve(s);
 *     size_t count = symbols_frames(s, place, &frames);
 *
 * The same address asked for twice is one place. What was resolved stays; more may be
 * wanted after that, and resolved. Finding and reading files is costly, a look-up is not:
 * collect first. One thread at a time per object. Nothing here prints; what is missing or
 * damaged gives frames with less in them, and symbols_problem() says why. */
#ifndef MALLOSCOPE_SYMBOLS_SYMBOLS_H
#define MALLOSCOPE_SYMBOLS_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct symbols_options {
    const char *sysroot;     /* where the files of the recorded machine are; NULL: / */
    const char *debug_paths; /* "A:B", directories of debug files; NULL: /usr/lib/debug, in the sysroot */
    bool debuginfod;         /* ask the servers of DEBUGINFOD_URLS for what is not there */
    bool no_cache;           /* neither read nor write ~/.cache/malloscope */
    unsigned jobs;           /* processes at one time; 0: as many as there are CPUs */
    /* Asked often while names are looked up; false: no more are. NULL: never asked. */
    bool (*goes_on)(void *data, double progress);
    void *goes_on_data;
};

/* Functions are as a reader wants them: demangled, without the compiler's .cold or
 * .part suffixes. */
struct symbols_frame {
    const char *function;  /* without parameters: "space::Class::method"; NULL: unknown */
    const char *signature; /* with them: "space::Class::method(int)"; function where it has none; NULL: unknown. Where nothing but
                            * the order of their declarations tells functions of one name apart: "method#2" */
    const char *file;      /* of the source, as the compiler named it, absolute where it said so; NULL: unknown */
    uint32_t line, column; /* 0: unknown */
};

static inline bool symbols_is_numbered(const char *function, const char *signature)
{
    size_t bytes = strlen(function);
    return signature && strncmp(signature, function, bytes) == 0 && signature[bytes] == '#';
}

struct symbols;

struct symbols *symbols_new(const struct symbols_options *options); /* NULL: all defaults; the texts must live as long */
void symbols_free(struct symbols *s);                                /* accepts NULL */

/* A file that was loaded: its path as the process saw it, and its build-id, if it has one
 * (without, any file at that path is believed that was not modified since loaded_ns, of CLOCK_REALTIME; 0: unknown).
 * The same file twice is one module. */
uint32_t symbols_module(struct symbols *s, const char *path, const void *build_id, size_t build_id_bytes, uint64_t loaded_ns);
/* What is in no file: code that process pid, which began at began_ns (of CLOCK_REALTIME; 0:
 * unknown), has made itself, and may have named in /tmp/perf-PID.map. */
uint32_t symbols_jit(struct symbols *s, uint32_t pid, uint64_t began_ns);

/* The place of an address: as the module's file has it (link-time), or in memory for a
 * symbols_jit(). Of a return address, the byte before it. Places are numbered from 0. */
uint32_t symbols_want(struct symbols *s, uint32_t module, uint64_t address);

void symbols_resolve(struct symbols *s);

/* The functions at a place: the innermost first, each inlined into the next one, the last
 * is real. 0: nothing is known, and module+offset is all there is to show. Valid until
 * symbols_resolve() is called again; texts as long as s. */
size_t symbols_frames(const struct symbols *s, uint32_t place, const struct symbols_frame **ret_frames);

/* Names that were resolved elsewhere, in a payload of format/names.h: what is wanted and not
 * resolved yet is taken from it, and then not looked for here. pid and began_ns as for
 * symbols_jit(). 0, or -EBADMSG: it is damaged, and what comes before that counts. */
int symbols_take(struct symbols *s, const void *payload, size_t bytes, uint32_t pid, uint64_t began_ns);
/* All that symbols_resolve() has found, in such payloads, each of one module; pid and
 * began_ns 0 where it is a file. */
void symbols_give(const struct symbols *s,
                  void (*take)(void *data, const void *payload, size_t bytes, uint32_t pid, uint64_t began_ns), void *data);

size_t symbols_module_count(const struct symbols *s);                /* they are numbered from 0 */
const char *symbols_path(const struct symbols *s, uint32_t module); /* of a symbols_jit(): of its map */

/* Whether the symbols of a module that names were looked for in have this function, as symbols_frame.function: of files of this name (without
 * directories), or NULL, of any. False also where that is not known. Each time the files are read. */
bool symbols_define(const struct symbols *s, const char *file_name, const char *function);

/* Whether goes_on has said no: what had no names by then has none. */
bool symbols_were_interrupted(const struct symbols *s);
extern const char symbols_stopped[]; /* symbols_problem() of a module in which that came */

/* Why a module's names are missing or fewer than they might be, as the end of a sentence
 * that begins with its path; NULL: nothing is wrong, or nothing of it was wanted. */
const char *symbols_problem(const struct symbols *s, uint32_t module);
/* The module was stripped, its debug file is not here, and of some of its code that was wanted the function is unknown. Then
 * there is no symbols_problem(): most of a distribution's programs are like that. */
bool symbols_lacks_debug_file(const struct symbols *s, uint32_t module);

#endif
