/* Which files on this machine have the names of a module: the program or library itself,
 * and a file with its debug information apart. Only what is shown to belong together is
 * taken: by build-id, or by the checksum that a debug link gives. */
#ifndef MALLOSCOPE_SYMBOLS_FIND_FILE_H
#define MALLOSCOPE_SYMBOLS_FIND_FILE_H

#include "analyze/symbols/symbols.h"

struct module_files {
    char *binary;        /* path; NULL: not there, or another build of it */
    char *debug;         /* path; NULL: there is none, or the binary has it all */
    const char *problem; /* the end of a sentence that begins with the module's path; NULL: none */
    char *text;          /* of the problem, where it is made up */
    bool stripped;       /* there is or was more than the binary has, and that is not here */
    uint64_t stamp;      /* changes when these files do */
    uint64_t bytes;      /* of both */
};

/* build_id_bytes 0: what is at the path is believed, unless it has changed since loaded_ns, of CLOCK_REALTIME (0: unknown), and is
 * not in a sysroot, whose files are said to be the recorded ones, whenever they were copied. Where only the ctime is later it is
 * believed, and that is a problem. */
void find_files(struct module_files *f, const struct symbols_options *options, const char *path, const void *build_id,
                size_t build_id_bytes, uint64_t loaded_ns);
void module_files_release(struct module_files *f);

/* The file that a dwz'd debug file shares with others; NULL: not there. To be freed. */
char *find_shared_file(const struct symbols_options *options, const char *debug_path, const char *name,
                       const void *build_id, size_t build_id_bytes);

#endif
