#include "analyze/commands/own_heaps.h"

#include "analyze/launch/program.h"
#include "analyze/log/append.h"
#include "analyze/symbols/elf_file.h"
#include "format/decode.h"

#include <errno.h>
#include <string.h>

struct executable {
    char *path;
    bool has_own_heap, is_counted;
};

struct looker {
    const struct log *log;
    struct decoder *decoder;
    struct executable *executables;
    size_t count, capacity;
    int fd, error;
    struct own_heaps heaps;
};

static bool is_text(struct text text, const char *other)
{
    return text.bytes == strlen(other) && memcmp(text.data, other, text.bytes) == 0;
}

/* Whether this is the program that was recorded: it may have been built anew since, and in another
 * root a path means another file. */
static bool is_build(const char *path, struct text build_id)
{
    _cleanup_elf_file_ struct elf_file file = ELF_FILE_CLOSED;

    if (!build_id.bytes)
        return true;
    return elf_file_open(&file, path, false) == 0 && elf_file_has_build_id(&file, build_id.data, build_id.bytes);
}

static struct executable *executable_at(struct looker *l, const char *path)
{
    struct program program;

    for (size_t i = l->count; i-- > 0;) /* mostly a program that has run just before */
        if (strcmp(l->executables[i].path, path) == 0)
            return &l->executables[i];
    l->executables = grow(l->executables, &l->capacity, l->count + 1, sizeof *l->executables);
    l->executables[l->count] = (struct executable){
        .path = copy_text(path, strlen(path)),
        .has_own_heap = program_read(path, &program) == 0 && program.malloc == MALLOC_HIDDEN };
    return &l->executables[l->count++];
}

static void note(struct looker *l, uint32_t process, struct executable *executable)
{
    const char *path = executable->path;
    size_t bytes = strlen(path);
    _cleanup_free_ uint8_t *records = alloc_zeroed(1, ENCODE_TEXTS_MAX + bytes);
    struct append_chunk chunk;

    append_begin(&chunk, l->log->processes[process].pid, l->log->processes[process].image, records);
    chunk.at = encode_own_heap(&chunk.encoder, chunk.at, chunk.encoder.ticks, (struct encode_text){ path, bytes });
    int error = append_end(&chunk, l->fd);
    l->error = l->error ? l->error : error;
    l->heaps.programs += !executable->is_counted;
    executable->is_counted = true;
    if (!l->heaps.processes++)
        l->heaps.program = copy_text(path, bytes);
}

/* A process's first chunk says what it executes, then which modules it has. */
static bool look(struct looker *l, const struct log_stream *stream)
{
    const struct log_chunk *chunk = &l->log->chunks[stream->chunks[0]];
    _cleanup_free_ void *payload = alloc_zeroed(1, chunk->payload_bytes + 1);
    _cleanup_free_ char *path = NULL;
    struct text build_id = { 0 };
    struct event event;

    if (log_load(l->log, chunk, payload) != 0)
        return false;
    log_decoder_begin(l->decoder, chunk, payload);
    while (decoder_next(l->decoder, &event) == 1) {
        if (event.type != EVENT_OTHER)
            continue;
        if (event.other == REC_PROCESS_START && !path) {
            path = copy_text(event.process.exe.data, event.process.exe.bytes);
        } else if (event.other == REC_MODULE_LOAD && path && is_text(event.module.path, path)) {
            build_id = event.module.build_id;
            break;
        }
    }
    struct executable *executable = path && *path ? executable_at(l, path) : NULL;
    if (executable && executable->has_own_heap && is_build(path, build_id))
        note(l, stream->process, executable);
    return path;
}

int own_heaps_note(const struct log *log, int fd, struct own_heaps *ret_heaps)
{
    _cleanup_free_ struct decoder *decoder = alloc_zeroed(1, sizeof *decoder);
    _cleanup_free_ bool *found = alloc_zeroed(log->process_count + 1, sizeof *found);
    struct looker l = { .log = log, .decoder = decoder, .fd = fd };

    for (size_t i = 0; i < log->stream_count; i++) {
        const struct log_stream *stream = &log->streams[i];
        if (!found[stream->process] && stream->chunk_count)
            found[stream->process] = look(&l, stream);
    }
    for (size_t i = 0; i < l.count; i++)
        free(l.executables[i].path);
    free(l.executables);
    *ret_heaps = l.heaps;
    return l.error;
}

void own_heaps_release(struct own_heaps *h)
{
    free(h->program);
    *h = (struct own_heaps){ 0 };
}
