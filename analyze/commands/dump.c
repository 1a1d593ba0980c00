#include "analyze/command.h"
#include "analyze/commands/progress.h"
#include "analyze/commands/reading.h"
#include "analyze/log/reader.h"
#include "analyze/model/stacks.h"
#include "analyze/options.h"
#include "analyze/render/text.h"

#include <inttypes.h>
#include <string.h>

#define ASKED_EVERY 1024 /* events: whether Ctrl-C was pressed */

const char dump_help[] =
    "malloscope dump [options] LOG\n\n"
    "Every event as a line, in time order:\n\n"
    "  SECONDS PID TID EVENT ADDRESS SIZE [ALIGNMENT]\n\n"
    "SECONDS since the session began; ADDRESS in hexadecimal, SIZE and ALIGNMENT in\n"
    "bytes, `-` where there is none. EVENT is the function that was called; a realloc\n"
    "of a block is two events, realloc-begin with the old address and realloc-end\n"
    "with the new one and the size, or realloc-failed (the old block lives on), or\n"
    "realloc-freed; of reallocarray the second is reallocarray-end or -failed. A\n"
    "failed allocation is FUNCTION-failed. Other lines:\n"
    "process-start, process-end, thread-begin, thread-end, thread-name, module-load,\n"
    "module-unload, lost-events, each with its data.\n\n"
    "  --stacks             after each allocation its frames, innermost first: tab,\n"
    "                       #N, module+offset, function; where they are known, tab\n"
    "                       and FILE:LINE[:COLUMN]. A frame with functions that were\n"
    "                       inlined is a line for each, with a tab and `inlined`\n"
    "                       behind all but the last\n"
    "  --tsv                allocations only: seconds.micros<TAB>size; no header line\n"
    PIDS_HELP
    "  --thread TID[,TID..] only the lines of these threads; may be given more\n"
    "                       than once\n"
    "  --from WHEN, --to WHEN\n"
    "                       nothing earlier, nothing later; WHEN as for report: a\n"
    "                       time, or a mark\n"
    NAMING_HELP
    "  -h, --help\n\n"
    "Of a sampled recording it shows what was recorded, and estimates nothing.\n\n"
    "Exit codes: 0; 1 the log is damaged (what is whole is shown), something may be\n"
    "missing in it, or it is none; 2 usage, or no process has the --pid, no thread\n"
    "the --thread.\n";

struct dumper {
    const struct log *log;
    struct code code;
    struct stacks stacks;
    struct stack_path *paths; /* by stream */
    uint32_t *tids;           /* by stream */
    struct namer namer;
    bool with_stacks;
    const struct pids *wanted; /* threads; none: all */
    bool *found;               /* by place in wanted */
    uint64_t from_ns;          /* as an event's */
};

static void print_frame(const struct symbols_frame *frame, bool is_inlined)
{
    const char *function = frame->function ? frame->function : "?";

    putchar(' ');
    text_print_safe(function, strlen(function));
    if (frame->file) {
        putchar('\t');
        text_print_safe(frame->file, strlen(frame->file));
        printf(":%u", frame->line);
        if (frame->column)
            printf(":%u", frame->column);
    }
    if (is_inlined)
        printf(frame->file ? "\tinlined" : "\t\tinlined");
}

static void print_stack(struct dumper *d, uint32_t node)
{
    unsigned number = 0;

    for (; !stack_is_root(&d->stacks, node); node = d->stacks.nodes[node].parent, number++) {
        uint32_t location = code_location(&d->code, d->stacks.nodes[node].pc);
        const struct code_location place = d->code.locations[location]; /* a copy: looking for names may add some */
        const char *path = d->code.files[place.file].path;
        const struct symbols_frame *frames;
        size_t count = d->namer.frames(d->namer.data, location, &frames), i = 0;
        do {
            printf("\t#%u ", number);
            text_write_safe(stdout, *path ? text_base_name(path) : "?");
            printf("+0x%" PRIx64, place.address);
            if (count)
                print_frame(&frames[i], i + 1 < count);
            putchar('\n');
        } while (++i < count);
    }
}

static void print_texts(struct text text)
{
    putchar(' ');
    if (text.bytes && !text.data[text.bytes - 1])
        text.bytes--;
    for (size_t i = 0; i < text.bytes;) {
        size_t word = strnlen(text.data + i, text.bytes - i);
        text_print_safe(text.data + i, word);
        i += word;
        if (i++ < text.bytes)
            putchar(' '); /* between arguments */
    }
}

static void print_other(const struct event *e)
{
    printf("%s", rec_other_name(e->other) ? rec_other_name(e->other) : "unknown-record");
    switch (e->other) {
    case REC_MODULE_LOAD:
        printf(" %u 0x%" PRIx64, e->module.id, e->module.bias);
        print_texts(e->module.path);
        break;
    case REC_MODULE_UNLOAD:
        printf(" %u", e->module.id);
        break;
    case REC_THREAD_BEGIN:
        print_texts(e->thread.name);
        break;
    case REC_THREAD_NAME:
        print_texts(e->thread.name);
        break;
    case REC_PROCESS_START:
        printf(" %s of %u,", (const char *[]){ "image", "fork", "exec" }[e->process.start % 3], e->process.ppid);
        print_texts(e->process.exe);
        printf(":");
        print_texts(e->process.arguments);
        break;
    case REC_LOST:
        printf(" %" PRIu64, e->lost.count);
        break;
    case REC_UNTRACED:
        printf(" %u reason %u", e->untraced.pid, e->untraced.reason);
        print_texts(e->untraced.path);
        break;
    case REC_MARK:
        print_texts(e->mark.name);
        break;
    case REC_RECORDING:
        printf(" %s", e->recording.on ? "on" : "off");
        break;
    case REC_DEEPBIND:
        print_texts(e->deepbind.path);
        break;
    case REC_OWN_HEAP:
        print_texts(e->own_heap.path);
        break;
    }
    putchar('\n');
}

static void print_event(struct dumper *d, const struct timed_event *e)
{
    static const char *const endings[] = {
        [EVENT_ALLOC] = "", [EVENT_FREE] = "", [EVENT_REALLOC_BEGIN] = "-begin", [EVENT_REALLOC_END] = "-end",
        [EVENT_REALLOC_FAILED] = "-failed", [EVENT_REALLOC_FREED] = "-freed", [EVENT_ALLOC_FAILED] = "-failed",
    };
    const struct event *event = &e->event;
    bool has_address = event->type <= EVENT_REALLOC_END;
    bool has_size = event->type == EVENT_ALLOC || event->type == EVENT_REALLOC_END ||
                    event->type == EVENT_REALLOC_FAILED || event->type == EVENT_ALLOC_FAILED;

    if (event->type == EVENT_OTHER && event->other == REC_PC)
        return;
    printf("%.9f %u %u ", (double)(e->ns - d->log->first_ns) / 1e9, d->log->processes[e->process].pid, d->tids[e->stream]);
    if (event->type == EVENT_OTHER) {
        print_other(event);
        return;
    }
    printf("%s%s", rec_function_name(event->function), endings[event->type]);
    if (has_address)
        printf(" 0x%" PRIx64, event->address);
    else
        printf(" -");
    if (has_size)
        printf(" %" PRIu64, event->size);
    else
        printf(" -");
    if (event->alignment && has_size)
        printf(" %" PRIu64, event->alignment);
    putchar('\n');
    if (d->with_stacks && (event->type == EVENT_ALLOC || event->type == EVENT_REALLOC_END)) {
        struct stack_path *path = &d->paths[e->stream];
        print_stack(d, stack_path_follow(path, &d->stacks, e->chunk, event));
    }
}

static bool is_wanted(struct dumper *d, const struct timed_event *e)
{
    bool wanted = !d->wanted->count;

    if (e->event.type == EVENT_OTHER && e->event.other == REC_THREAD_BEGIN)
        d->tids[e->stream] = e->event.thread.tid;
    for (size_t i = 0; i < d->wanted->count; i++)
        if (d->wanted->list[i] == d->tids[e->stream])
            wanted = d->found[i] = true;
    return wanted && e->ns >= d->from_ns;
}

/* Stacks are told as what differs from the one before. */
static void pass_over(struct dumper *d, const struct timed_event *e)
{
    if (d->with_stacks && (e->event.type == EVENT_ALLOC || e->event.type == EVENT_REALLOC_END))
        stack_path_follow(&d->paths[e->stream], &d->stacks, e->chunk, &e->event);
}

/* 0, or the exit code: what was asked for must be there. */
static int check_found(const struct dumper *d, const struct reading_options *o, uint64_t last_ns)
{
    uint64_t first_ns = d->log->first_ns, end_ns = last_ns > first_ns ? last_ns - first_ns : 0;

    for (size_t i = 0; i < o->tids.count; i++)
        if (!d->found[i])
            return usage_error("dump", "dump: --thread %u: %s has no such thread%s%s; `malloscope report --threads` lists them",
                               o->tids.list[i], d->log->path, o->pids.count ? " in the processes of --pid" : "", o->to ? " until --to" : "");
    return o->from && last_ns < d->from_ns ? reading_refuse_from(d->log, "dump", o->from, end_ns) : 0;
}

static void print_tsv(const struct log *log, const struct timed_event *e)
{
    uint64_t microseconds = (e->ns - log->first_ns) / 1000;

    if (e->event.type == EVENT_ALLOC || e->event.type == EVENT_REALLOC_END)
        printf("%" PRIu64 ".%06" PRIu64 "\t%" PRIu64 "\n", microseconds / 1000000, microseconds % 1000000, e->event.size);
}

int cmd_dump(int argc, char **argv)
{
    enum { STACKS = 256, TSV };
    static const struct option options[] = {
        { "stacks", no_argument, NULL, STACKS }, { "tsv", no_argument, NULL, TSV },
        { "pid", required_argument, NULL, READING_PID }, { "thread", required_argument, NULL, READING_THREAD },
        { "from", required_argument, NULL, READING_FROM }, { "to", required_argument, NULL, READING_TO }, NAMING_OPTIONS, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    bool tsv = false, with_stacks = false;
    _cleanup_reading_options_ struct reading_options wanted = { 0 };

    for (int option; (option = next_option(argc, argv, ":h", options, dump_help)) != -1;) {
        tsv |= option == TSV;
        with_stacks |= option == STACKS;
        if (reading_option(&wanted, option, optarg, "dump") != 0)
            return EXIT_USAGE;
    }
    if (tsv && with_stacks)
        return usage_error("dump", "dump: --tsv has no place for --stacks");
    const char *path = only_log(argc, argv, "dump");
    if (!path)
        return EXIT_USAGE;
    struct log *log;
    int refused = pids_open(&wanted.pids, path, "dump", &log);
    if (refused)
        return refused;
    uint64_t from_ns = 0, to_ns = 0, last_ns = 0;
    refused = reading_times(&wanted, log, "dump", &from_ns, &to_ns);
    if (refused) {
        log_free(log);
        return refused;
    }
    pids_select(&wanted.pids, log);

    struct dumper d = { .log = log, .with_stacks = with_stacks, .wanted = &wanted.tids, .from_ns = from_ns ? log->first_ns + from_ns : 0 };
    d.found = alloc_zeroed(wanted.tids.count + 1, sizeof *d.found);
    d.paths = alloc_zeroed(log->stream_count, sizeof *d.paths);
    d.tids = alloc_zeroed(log->stream_count, sizeof *d.tids);
    code_init(&d.code);
    /* Numbers may be announced later than they are used, by another thread; so the
     * announcements of the whole log are read first. */
    struct progress progress;
    progress_begin(&progress, PROGRESS_READS, "reading the log:");
    bool goes_on = !with_stacks || code_read(&d.code, log, progress_goes_on, &progress);
    progress_end(&progress);
    struct naming *naming = naming_open(log, &d.code, &wanted.symbols, &d.namer);
    d.stacks.code = &d.code;
    uint32_t root = stacks_root(&d.stacks, 0);
    for (size_t i = 0; i < log->stream_count; i++)
        d.paths[i] = (struct stack_path){ .root = root, .process = log->streams[i].process };

    struct reader *reader = reader_open(log);
    struct timed_event e;
    uint64_t bad_offset;
    const char *reason;
    progress_begin(&progress, PROGRESS_READS, "reading the log:");
    for (size_t i = 1; goes_on && !ferror(stdout) && reader_next(reader, &e); i++) {
        if (i % ASKED_EVERY == 0)
            goes_on = progress_goes_on(&progress, reader_progress(reader));
        if (to_ns && e.ns > log->first_ns && e.ns - log->first_ns > to_ns)
            break;
        last_ns = e.ns;
        if (!is_wanted(&d, &e))
            pass_over(&d, &e);
        else if (tsv)
            print_tsv(log, &e);
        else
            print_event(&d, &e);
    }
    progress_end(&progress);
    goes_on &= !log->is_beginning;
    naming_complain(naming);
    naming_complain_of_stripped(naming);
    if (!goes_on)
        complain_of_interrupt(log);
    uint64_t bad_chunks = reader_bad_chunks(reader, &bad_offset, &reason);
    if (!bad_chunks) { /* code may be lacking that only this pass has read as it is stored */
        bad_chunks = d.code.bad_chunks;
        bad_offset = d.code.bad_offset;
    }
    int code = log_verdict(log, bad_chunks, bad_offset);
    if (output_failed() || !goes_on || naming_was_interrupted(naming))
        code = EXIT_DAMAGED;
    if (goes_on && (refused = check_found(&d, &wanted, last_ns)))
        code = refused;
    reader_free(reader);
    naming_close(naming);
    for (size_t i = 0; i < log->stream_count; i++)
        stack_path_release(&d.paths[i]);
    free(d.paths);
    free(d.tids);
    free(d.found);
    stacks_release(&d.stacks);
    code_release(&d.code);
    log_free(log);
    return code;
}
