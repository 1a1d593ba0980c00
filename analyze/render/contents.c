#include "analyze/render/contents.h"

#include "analyze/log/reader.h"
#include "analyze/log/trimmed.h"
#include "analyze/render/frame_text.h"
#include "analyze/render/text.h"

#include <string.h>
#include <time.h>

#define MODULES_SHOWN 40
#define MODULE_COLUMNS 44 /* beside its path */
#define MARKS_SHOWN 20

static bool is_whole(const struct log *log, const struct contents *c)
{
    const struct log_trimmed trimmed = log_trimmed(log);

    return log_events_are_whole(log) && !c->bad_chunks && !c->interrupted && (log->recorded_count || trimmed.is) && !trimmed.incomplete &&
           !(log->has_session_end && !log->has_session_start) && !reader_lost_events(log).count && reader_lost_events(log).programs <= 0;
}

static double duration(const struct log *log, const struct contents *c)
{
    return c->last_ns > log->first_ns ? (double)(c->last_ns - log->first_ns) / 1e9 : 0;
}

/* In the reader's time zone. */
static const char *time_text(uint64_t ns, char text[64])
{
    time_t seconds = (time_t)(ns / 1000000000);
    struct tm parts;

    if (!ns || !localtime_r(&seconds, &parts) || !strftime(text, 64, "%Y-%m-%d %H:%M:%S %z", &parts))
        strcpy(text, "unknown");
    return text;
}

static void hex(const uint8_t *bytes, size_t count, char *text)
{
    for (size_t i = 0; i < count; i++)
        sprintf(text + 2 * i, "%02x", bytes[i]);
    text[2 * count] = 0;
}

static void print_field(const char *name, const char *text)
{
    printf("  %-11s  ", name);
    text_print_safe(text, strlen(text));
    putchar('\n');
}

static void print_completeness(const struct log *log, const struct contents *c)
{
    struct reader_lost lost = reader_lost_events(log);

    printf("  %-11s  ", "whole");
    if (is_whole(log, c)) {
        printf("yes%s\n", log_is_running(log) ? ", so far: its processes still run" : log_launcher_died(log)
               ? "; but of `malloscope record` itself there is no end: it was killed, or the log was cut" : "");
        return;
    }
    if (c->interrupted) {
        printf("not known: reading was interrupted, all below is of the beginning only\n");
        return;
    }
    _cleanup_free_ char *programs = lost.programs > 0 ? format_text(", %s unrecorded", text_counted((uint64_t)lost.programs, "program"))
                                                      : copy_text("", 0);
    const struct log_trimmed trimmed = log_trimmed(log);
    text_print_wrapped("               ", "no: %s damaged, %s missing, %s without an end%s, %s lost%s%s%s\n",
                       text_counted(log->damaged_bytes, "byte"), text_counted(log->missing_chunks, "chunk"),
                       text_counted(log->cut_processes, "process"), log->lacks_processes ? ", processes missing that started others" : "",
                       text_counted(lost.count, "event"), programs, log->recorded_count || trimmed.is ? "" : ", nothing recorded",
                       trimmed.incomplete ? "; or it was so before it was trimmed" : "");
}

static void print_summary(const struct log *log, const struct contents *c)
{
    char text[64], session[40];

    hex(log->header.session, sizeof log->header.session, session);
    printf("Log\n");
    print_field("file", log->path);
    printf("  %-11s  %u%s, session %s\n", "format", log->header.version,
           log->header.incompatible_flags & REC_FILE_PACKED ? ", packed" : "", session);
    printf("  %-11s  %s", "recorded", time_text(c->began_ns, text));
    if (c->version) {
        printf(" on ");
        text_print_safe(c->host, strlen(c->host));
        printf(" by malloscope ");
        text_print_safe(c->version, strlen(c->version));
    }
    putchar('\n');
    print_field("command", c->command ? c->command : "unknown: the launcher's record is missing");
    printf("  %-11s  %.3f s\n", "duration", duration(log, c));
    printf("  %-11s  %s, with %s\n", "processes", text_count(log->recorded_count), text_counted(log->stream_count, "stream"));
    printf("  %-11s  %s\n", "events", text_count(c->heap_events));
    if (c->ticks_are_ns == c->events.count + c->session.count)
        printf("  %-11s  nanoseconds of the system's clock\n", "clock");
    else
        printf("  %-11s  a counter of the CPU, in steps of %.2f ns%s\n", "clock", log->ns_per_tick,
               c->ticks_are_ns ? "; in some chunks nanoseconds of the system's clock" : "");
    if (c->names.count)
        printf("  %-11s  in the log, of %s: %s\n", "names", text_counted(c->names.count, "module"),
               text_bytes(c->names.stored_bytes));
    else
        printf("  %-11s  not in the log\n", "names");
    print_completeness(log, c);
}

static void print_chunks(const char *name, const struct contents_chunks *of)
{
    if (!of->count)
        return;
    printf("%10s  %12s  %12s  ", text_count(of->count), text_bytes(of->stored_bytes), text_bytes(of->payload_bytes));
    if (of->stored_bytes && of->stored_bytes != of->payload_bytes)
        printf("%8.2f  %s\n", (double)of->payload_bytes / (double)of->stored_bytes, name);
    else
        printf("%8s  %s\n", "-", name);
}

static void print_bytes(const struct log *log, const struct contents *c)
{
    printf("\nBytes\n    chunks     in the log      unpacked     ratio  of\n");
    print_chunks("events", &c->events);
    print_chunks("session", &c->session);
    print_chunks("names", &c->names);
    printf("%10s  %12s  %12s  %8s  headers\n", "", text_bytes(c->header_bytes), "-", "-");
    if (log->damaged_bytes)
        printf("%10s  %12s  %12s  %8s  damaged\n", "", text_bytes(log->damaged_bytes), "-", "-");
    printf("%10s  %12s  %12s  %8s  the file", "", text_bytes(log->bytes), "-", "-");
    if (log->spool_bytes)
        printf("; its spool has %s more", text_bytes(log->spool_bytes));
    if (log->recovered_bytes)
        printf("; %s are in files of processes", text_bytes(log->recovered_bytes));
    putchar('\n');
}

static void print_kinds(const struct contents *c)
{
    uint64_t events = c->heap_events;

    printf("\nRecords\n         count      unpacked     each  kind\n");
    for (size_t i = 0; i < CONTENTS_OTHERS + REC_OTHER_COUNT; i++) {
        const struct contents_kind *k = &c->kinds[i];
        const char *name = contents_kind_name(i);
        if (!k->count)
            continue;
        printf("%14s  %12s  %7.1f  ", text_count(k->count), text_bytes(k->bytes), (double)k->bytes / (double)k->count);
        if (name)
            printf("%s\n", name);
        else
            printf("unknown (%zu)\n", i - CONTENTS_OTHERS);
    }
    if (events)
        printf("  %.2f bytes an event in the log, %.2f unpacked\n", (double)c->events.stored_bytes / (double)events,
               (double)c->events.payload_bytes / (double)events);
}

static void print_modules(const struct contents *c)
{
    size_t count = c->code.file_count;

    if (count > 1)
        printf("\nModules\n  %-40s  file\n", "build-id");
    for (size_t i = 1; i < count && i <= MODULES_SHOWN; i++) {
        const struct code_file *file = &c->code.files[i];
        char id[2 * sizeof file->build_id + 1];
        hex(file->build_id, file->build_id_bytes, id);
        _cleanup_free_ char *path = text_make_safe(copy_text(file->path, strlen(file->path)));
        bool fits = text_width(path) <= text_columns() - MODULE_COLUMNS;
        printf(fits ? "  %-40s  %s\n" : "  %s\n      %s\n", *id ? id : "-", path);
    }
    if (count > MODULES_SHOWN + 1)
        printf("  ... and %zu more (all: --json)\n", count - 1 - MODULES_SHOWN);
}

static void print_marks(const struct log *log, const struct contents *c)
{
    if (c->mark_count)
        printf("\nMarks\n   seconds         pid  name\n");
    for (size_t i = 0; i < c->mark_count && i < MARKS_SHOWN; i++) {
        const struct contents_mark *mark = &c->marks[i];
        printf("%10.3f  %10u  ", (double)(mark->ns - log->first_ns) / 1e9, log->processes[mark->process].pid);
        text_print_safe(mark->name, strlen(mark->name));
        putchar('\n');
    }
    if (c->marks_seen > MARKS_SHOWN)
        printf("  ... and %s more\n", text_count(c->marks_seen - MARKS_SHOWN));
}

void contents_print(const struct log *log, const struct contents *c)
{
    print_summary(log, c);
    print_bytes(log, c);
    print_kinds(c);
    print_modules(c);
    print_marks(log, c);
}

/* --- JSON ------------------------------------------------------------------------- */

static json_t *integer(uint64_t value)
{
    return text_json_number(value);
}

static json_t *text_or_null(const char *text)
{
    return text ? text_json(text) : json_null();
}

static json_t *chunks_json(const struct contents_chunks *of)
{
    return json_pack("{s:o, s:o, s:o}", "chunks", integer(of->count), "stored_bytes", integer(of->stored_bytes), "payload_bytes",
                     integer(of->payload_bytes));
}

static json_t *records_json(const struct contents *c)
{
    json_t *object = json_object();

    for (size_t i = 0; i < CONTENTS_OTHERS + REC_OTHER_COUNT; i++) {
        const struct contents_kind *k = &c->kinds[i];
        const char *name = contents_kind_name(i);
        _cleanup_free_ char *unknown = name ? NULL : format_text("unknown-%zu", i - CONTENTS_OTHERS);
        if (k->count)
            json_object_set_new(object, name ? name : unknown, json_pack("{s:o, s:o}", "count", integer(k->count), "bytes",
                                                                         integer(k->bytes)));
    }
    return object;
}

static json_t *modules_json(const struct contents *c)
{
    json_t *list = json_array();

    for (size_t i = 1; i < c->code.file_count; i++) {
        const struct code_file *file = &c->code.files[i];
        char id[2 * sizeof file->build_id + 1];
        hex(file->build_id, file->build_id_bytes, id);
        json_array_append_new(list, json_pack("{s:o, s:o}", "path", text_json(file->path), "build_id", text_or_null(*id ? id : NULL)));
    }
    return list;
}

static json_t *marks_json(const struct log *log, const struct contents *c)
{
    json_t *list = json_array();

    for (size_t i = 0; i < c->mark_count; i++)
        json_array_append_new(list, json_pack("{s:o, s:f, s:I}", "name", text_json(c->marks[i].name), "seconds",
                                              (double)(c->marks[i].ns - log->first_ns) / 1e9, "pid",
                                              (json_int_t)log->processes[c->marks[i].process].pid));
    return list;
}

static json_t *functions_json(const struct contents *c)
{
    json_t *object = json_object();

    for (unsigned i = 0; i < REC_FN_COUNT; i++)
        if (c->by_function[i])
            json_object_set_new(object, rec_function_name(i), integer(c->by_function[i]));
    return object;
}

static json_t *clock_json(const struct log *log, const struct contents *c)
{
    bool is_system = c->ticks_are_ns == c->events.count + c->session.count;

    return json_pack("{s:s, s:o}", "counts", is_system ? "nanoseconds" : "ticks", "ticks_per_second",
                     !is_system && log->ns_per_tick > 0 ? json_real(1e9 / log->ns_per_tick) : json_null());
}

json_t *contents_json(const struct log *log, const struct contents *c)
{
    char session[40];
    json_t *root = json_object();

    hex(log->header.session, sizeof log->header.session, session);
    json_object_set_new(root, "schema", json_string("malloscope-info/1"));
    json_object_set_new(root, "format", integer(log->header.version));
    json_object_set_new(root, "packed", json_boolean(log->header.incompatible_flags & REC_FILE_PACKED));
    json_object_set_new(root, "session", json_string(session));
    json_object_set_new(root, "version", text_or_null(c->version));
    json_object_set_new(root, "host", text_or_null(c->host));
    json_object_set_new(root, "command", text_or_null(c->command));
    json_object_set_new(root, "began", c->began_ns ? json_real((double)c->began_ns / 1e9) : json_null());
    json_object_set_new(root, "seconds", json_real(duration(log, c)));
    json_object_set_new(root, "processes", integer(log->recorded_count));
    json_object_set_new(root, "streams", integer(log->stream_count));
    json_object_set_new(root, "events", integer(c->heap_events));
    json_object_set_new(root, "clock", clock_json(log, c));
    json_object_set_new(root, "whole", json_boolean(is_whole(log, c)));
    json_object_set_new(root, "interrupted", json_boolean(c->interrupted));
    json_object_set_new(root, "running", json_boolean(log_is_running(log)));
    json_object_set_new(root, "damaged_bytes", integer(log->damaged_bytes));
    json_object_set_new(root, "missing_chunks", integer(log->missing_chunks));
    json_object_set_new(root, "lost_events", integer(reader_lost_events(log).count));
    json_object_set_new(root, "bytes", json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "file", integer(log->bytes), "headers",
                                                 integer(c->header_bytes), "spool", integer(log->spool_bytes), "recovered",
                                                 integer(log->recovered_bytes), "events", chunks_json(&c->events), "session",
                                                 chunks_json(&c->session), "names", chunks_json(&c->names)));
    json_object_set_new(root, "records", records_json(c));
    json_object_set_new(root, "by_function", functions_json(c));
    json_object_set_new(root, "modules", modules_json(c));
    json_object_set_new(root, "marks", marks_json(log, c));
    return root;
}
