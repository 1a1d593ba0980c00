#include "analyze/launch/handshake.h"

#include "analyze/launch/probe.h"
#include "analyze/log/live.h"
#include "analyze/log/reader.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#define SECONDS 10
#define STATUS 71
#define BLOCK_BYTES 47110 /* and one more for each; nothing else here allocates as many */

int handshake_act(void)
{
    for (size_t i = 0; i < HANDSHAKE_BLOCKS; i++) {
        void *volatile block = malloc(BLOCK_BYTES + i);
        free(block);
    }
    return STATUS;
}

static void take(struct handshake *h, uint64_t addresses[HANDSHAKE_BLOCKS], const struct event *e)
{
    if (e->type == EVENT_OTHER && e->other == REC_PROCESS_START) {
        h->loaded = true;
        h->has_own_malloc = e->process.other_malloc.bytes > 0;
    }
    if (e->type == EVENT_ALLOC && e->size >= BLOCK_BYTES && e->size < BLOCK_BYTES + HANDSHAKE_BLOCKS && e->address)
        addresses[e->size - BLOCK_BYTES] = e->address;
    for (size_t i = 0; e->type == EVENT_FREE && i < HANDSHAKE_BLOCKS; i++)
        if (addresses[i] == e->address) {
            addresses[i] = 0;
            h->blocks++;
        }
}

static int look(const char *path, struct handshake *h)
{
    uint64_t addresses[HANDSHAKE_BLOCKS] = { 0 };
    struct timed_event event;
    struct failure failure;
    struct log *log;

    int error = live_adopt(path);
    if (!error)
        error = log_open(path, &log, &failure);
    if (error)
        return error;
    struct reader *reader = reader_open(log);
    while (reader_next(reader, &event))
        take(h, addresses, &event.event);
    reader_free(reader);
    for (size_t i = 0; i < log->chunk_count; i++)
        h->counter |= log->chunks[i].stream != UINT32_MAX && !log->chunks[i].ticks_are_ns;
    struct reader_lost lost = reader_lost_events(log);
    h->lost_events = lost.count;
    h->lost_reason = (int)lost.reason;
    log_free(log);
    return 0;
}

int handshake_try(const char *shim, const struct log_file *file, struct handshake *ret_handshake)
{
    _cleanup_free_ char *preload = format_text("LD_PRELOAD=%s", shim), *session = log_file_session(file, 0);
    const char *clock = getenv("MALLOSCOPE_CLOCK");
    _cleanup_free_ char *same_clock = format_text("MALLOSCOPE_CLOCK=%s", clock ? clock : "");
    char *changes[] = { preload, session, same_clock, NULL };
    char *arguments[] = { (char *)"/proc/self/exe", (char *)"doctor", (char *)"--handshake", NULL };
    struct probe probe;

    *ret_handshake = (struct handshake){ 0 };
    int error = probe_run(arguments, changes, SECONDS, &probe);
    if (error)
        return error;
    ret_handshake->too_slow = probe.too_slow;
    ret_handshake->ran = WIFEXITED(probe.status) && WEXITSTATUS(probe.status) == STATUS;
    snprintf(ret_handshake->said, sizeof ret_handshake->said, "%.*s", (int)strcspn(probe.output, "\n"), probe.output);
    probe_release(&probe);
    return look(file->path, ret_handshake);
}
