#include "analyze/commands/embedding.h"

#include "analyze/commands/naming.h"
#include "analyze/commands/progress.h"
#include "analyze/log/append.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct output {
    int fd;
    struct packer *packer;
    int error;
};

static void write_payload(void *data, const void *payload, size_t bytes, uint32_t pid, uint64_t began_ns)
{
    struct output *out = data;

    if (!out->error)
        out->error = append_names(out->fd, out->packer, pid, began_ns, payload, bytes);
}

static void count_names(const struct code *code, const struct namer *namer, struct embedding *done)
{
    _cleanup_free_ bool *files = alloc_zeroed(code->file_count, sizeof *files);

    for (uint32_t i = 1; i < code->location_count; i++) {
        done->locations++;
        if (!namer_function(namer, i))
            continue;
        uint32_t file = code->locations[i].file;
        done->named++;
        done->files += file && !files[file];
        files[file] = true;
    }
}

static int write_names(const struct log *log, const struct symbols *symbols, uint64_t *ret_bytes)
{
    _cleanup_close_ int fd = open(log->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    struct output out = { .fd = fd };
    struct stat before, after;

    if (fd < 0 || fstat(fd, &before) != 0)
        return -errno;
    /* Only a log that says so may have packed chunks. */
    if (log->header.incompatible_flags & REC_FILE_PACKED)
        out.packer = packer_make();
    symbols_give(symbols, write_payload, &out);
    packer_free(out.packer);
    /* A piece of a chunk would be taken for damage. */
    if (out.error && !log_is_running(log) && ftruncate(fd, before.st_size) != 0)
        return out.error;
    if (fstat(fd, &after) == 0)
        *ret_bytes = (uint64_t)(after.st_size - before.st_size);
    return out.error;
}

int embed_names(const struct log *log, const struct symbols_options *options, bool again, struct embedding *ret_done)
{
    struct code code;
    struct namer namer;
    struct progress progress;

    *ret_done = (struct embedding){ 0 };
    code_init(&code);
    progress_begin(&progress, PROGRESS_READS, "reading the log:");
    ret_done->interrupted = !code_read(&code, log, progress_goes_on, &progress);
    progress_end(&progress);
    struct naming *naming = naming_open(log, &code, options, &namer);
    if (again)
        naming_ignore_log(naming);
    count_names(&code, &namer, ret_done);
    int error = write_names(log, naming_symbols(naming), &ret_done->bytes);
    naming_complain(naming);
    if (options)
        naming_complain_of_stripped(naming);
    ret_done->interrupted |= naming_was_interrupted(naming);
    ret_done->bad_chunks = code.bad_chunks;
    ret_done->bad_offset = code.bad_offset;
    naming_close(naming);
    code_release(&code);
    return error;
}
