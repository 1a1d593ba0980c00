#include "analyze/render/trust.h"

#include "analyze/log/reader.h"
#include "analyze/render/text.h"

#include <string.h>

static void add_allocator(struct trust *t, const char *path)
{
    const char *name = text_base_name(path);
    size_t used = strlen(t->allocator_names), length = strlen(name);

    for (const char *at = t->allocator_names; (at = strstr(at, name)); at++)
        if ((at == t->allocator_names || at[-1] == ' ') && (at[length] == 0 || at[length] == ','))
            return;
    if (used + length + 8 < sizeof t->allocator_names)
        sprintf(t->allocator_names + used, "%s%s", used ? ", " : "", name);
    else if (!strstr(t->allocator_names, "..."))
        strcpy(t->allocator_names + used, ", ...");
}

static void take_log(const struct log *log, const struct settings *settings, struct trust *t)
{
    log_count_selected(log, &t->processes, &t->streams);
    t->left_out = log->recorded_count - t->processes;
    t->damaged_bytes = log->damaged_bytes;
    t->missing_chunks = log->missing_chunks;
    t->cut_processes = log->cut_processes;
    t->lacks_processes = log->lacks_processes;
    t->recovered_bytes = log->recovered_bytes;
    t->own_mallocs = settings->own_mallocs;
    for (size_t i = 0; i < log->live_count; i++)
        t->running += log->lives[i].running && !log->processes[log->lives[i].process].left_out;
    t->trimmed = log_trimmed(log);
    t->launcher_died = log_launcher_died(log) && log_events_are_whole(log);
    for (size_t i = 0; i < settings->count; i++)
        if (settings->of[i].allocator && *settings->of[i].allocator)
            add_allocator(t, settings->of[i].allocator);
}

void trust_of_facts(const struct log *log, const struct facts *f, struct trust *ret_trust)
{
    *ret_trust = (struct trust){ .events = f->events, .lost_events = f->told.lost_events, .lost_reason = f->lost_reason, .recorded = f->recorded,
                                 .partial_stacks = f->partial_stacks, .names_interrupted = f->told.code.names_interrupted, .facts = f };
    take_log(log, &f->settings, ret_trust);
    for (size_t i = 0; i < f->by_start_count; i++) {
        const struct facts_process *p = &f->processes[f->by_start[i]];
        ret_trust->ends_unknown += !p->end_known && p->leaked_blocks;
    }
}

void trust_of_sizes(const struct log *log, const struct sizes_counted *counted, struct trust *ret_trust)
{
    struct reader_lost lost = reader_lost_events(log);

    *ret_trust = (struct trust){ .events = counted->events, .recorded = counted->recorded,
                                 .lost_events = lost.count, .lost_reason = lost.reason,
                                 .partial_stacks = counted->partial_stacks };
    take_log(log, &counted->settings, ret_trust);
}

static const char *allocators(const struct trust *t)
{
    return *t->allocator_names ? t->allocator_names : "unknown";
}

/* Of what is missing nobody knows how many events it had. */
static const char *at_least(const struct trust *t)
{
    return t->missing_chunks || t->damaged_bytes || t->cut_processes || t->lacks_processes ? "at least " : "";
}

static void print_lost_reason(FILE *to, const struct trust *t)
{
    if (t->lost_reason)
        fprintf(to, " (%s%s)", t->lost_events ? "" : "nothing came after it had ended early: ", text_stop_reason(t->lost_reason));
}

static void print_frees(FILE *to, const struct facts *f)
{
    if (!f) {
        fprintf(to, "unmatched frees not checked");
        return;
    }
    fputs(text_counted(f->unmatched_frees, "unmatched free"), to);
    if (f->inherited_frees)
        fprintf(to, ", %s of blocks from before a fork", text_counted(f->inherited_frees, "free"));
    if (f->unseen_frees)
        fprintf(to, ", at least %s not seen", text_counted(f->unseen_frees, "free")); /* an address that was not given out again tells nothing */
}

static void print_stacks(FILE *to, const struct trust *t)
{
    fprintf(to, ", %s partial", text_count(t->partial_stacks));
    if (t->partial_stacks)
        fprintf(to, " (%s %% of the allocations)", text_share(t->partial_stacks, t->recorded));
    if (t->facts)
        fprintf(to, " and %s cut", text_count(t->facts->cut_stacks));
    fprintf(to, " stacks");
    if (t->facts && t->facts->cut_stacks && t->facts->told.max_depth)
        fprintf(to, " (of more than %s)", text_counted(t->facts->told.max_depth, "frame"));
}

/* How the stacks were come by, where that is worth a word. */
static void print_unwinding(FILE *to, const struct facts *f)
{
    const char *separator = ";\n       ";

    if (f->guessed_stacks) {
        fprintf(to, "%s%s guessed in part", separator, text_counted(f->guessed_stacks, "stack"));
        separator = ", ";
    }
    if (f->fallback_stacks) {
        fprintf(to, "%s%s taken by libunwind", separator, text_counted(f->fallback_stacks, "stack"));
        separator = ", ";
    }
    if (f->differing_stacks || f->told.stacks_checked)
        fprintf(to, "%s%s %s from libunwind's", separator, text_counted(f->differing_stacks, "stack"), f->differing_stacks == 1 ? "differs" : "differ");
}

static void print_missing(FILE *to, const struct trust *t)
{
    if (t->missing_chunks)
        fprintf(to, ", %s missing", text_counted(t->missing_chunks, "chunk"));
    if (t->cut_processes)
        fprintf(to, ", the end of %s missing", text_counted(t->cut_processes, "process"));
    if (t->lacks_processes)
        fprintf(to, ", processes missing that started others");
}

static void print_trimmed(FILE *to, const struct log_trimmed *t, const char *separator)
{
    fprintf(to, "%sTrimmed: a part of a longer log, from %.6f s on", separator, (double)t->from_ns / 1e9);
    if (t->to_ns)
        fprintf(to, " until %.6f s", (double)t->to_ns / 1e9);
    if (t->from_ns)
        fprintf(to, ", and blocks that lived then");
    if (t->left_out)
        fprintf(to, "; %s left out", text_counted(t->left_out, "process"));
    if (t->incomplete)
        fprintf(to, "; that log was damaged or incomplete");
}

static void write_long(FILE *to, const struct trust *t)
{
    const struct facts *f = t->facts;

    fprintf(to, "\nTrust: library loaded in %s", text_counted(t->processes, "process"));
    if (t->left_out)
        fprintf(to, ", %zu more left out", t->left_out);
    fputs(" (allocator ", to);
    text_write_safe(to, allocators(t));
    fprintf(to, "); %s, %s;\n       %s%s lost", text_counted(t->streams, "stream"), text_counted(t->events, "event"),
            at_least(t), text_count(t->lost_events));
    print_lost_reason(to, t);
    fputs(", ", to);
    print_frees(to, f);
    print_stacks(to, t);
    fprintf(to, ", %s damaged", text_counted(t->damaged_bytes, "byte"));
    print_missing(to, t);
    if (t->names_interrupted)
        fprintf(to, ";\n       looking up names was interrupted: names are missing");
    if (t->own_mallocs)
        fprintf(to, ";\n       not recorded: %s with a malloc of %s own", text_counted(t->own_mallocs, "process"), t->own_mallocs == 1 ? "its" : "their");
    if (f && f->told.notes.untraced_programs)
        fprintf(to, ";\n       %s %s executed that could not be recorded", text_counted(f->told.notes.untraced_programs, "program"),
                f->told.notes.untraced_programs == 1 ? "was" : "were");
    if (f && f->told.notes.deepbind_count)
        fprintf(to, ";\n       %s %s loaded with RTLD_DEEPBIND or dlmopen, whose allocations may not be here",
                text_counted(f->told.notes.deepbind_count, "library"), f->told.notes.deepbind_count == 1 ? "was" : "were");
    if (t->launcher_died && !t->lost_events) /* else it may have found no room for it */
        fprintf(to, ";\n       the log has no end of `malloscope record` itself, which was killed or could not write it, or the log was cut; "
                "of the processes here all is there that came onto the disk, but there may have been others");
    if (t->trimmed.is)
        print_trimmed(to, &t->trimmed, ";\n       ");
    if (t->running)
        fprintf(to, ";\n       %s still ran when the log was read: what came later is not here", text_counted(t->running, "process"));
    if (t->ends_unknown)
        fprintf(to, ";\n       %s ended unseen: what %s had counts to %s last event", text_counted(t->ends_unknown, "process"), t->ends_unknown == 1 ? "it" : "they", t->ends_unknown == 1 ? "its" : "their");
    if (t->recovered_bytes)
        fprintf(to, ";\n       %s read from the buffers of processes", text_counted(t->recovered_bytes, "byte"));
    if (f)
        print_unwinding(to, f);
    if (f && f->told.recorder_thread_bytes)
        fprintf(to, ";\n       recorder: %s a thread and %s of live buffer", text_bytes(f->told.recorder_thread_bytes),
                text_bytes(REC_LIVE_SLOT_BYTES));
    fprintf(to, ".\n");
}

void trust_print(FILE *to, const struct trust *t)
{
    char *text = NULL;
    size_t bytes;
    FILE *all = open_memstream(&text, &bytes);

    if (!all)
        return;
    write_long(all, t);
    if (fclose(all) == 0)
        text_write_wrapped(to, text, "       ");
    free(text);
}

void trust_print_short(FILE *to, const struct trust *t)
{
    fprintf(to, "Trust: %s (", text_counted(t->processes, "process"));
    text_write_safe(to, allocators(t));
    fprintf(to, "), %s, %s; %s%s lost", text_counted(t->streams, "stream"), text_counted(t->events, "event"), at_least(t),
            text_count(t->lost_events));
    print_lost_reason(to, t);
    fputs(", ", to);
    print_frees(to, t->facts);
    fprintf(to, ", %s, %s damaged", text_counted(t->partial_stacks, "partial stack"), text_counted(t->damaged_bytes, "byte"));
    print_missing(to, t);
    if (t->names_interrupted)
        fprintf(to, "; interrupted: names are missing");
    if (t->trimmed.is)
        print_trimmed(to, &t->trimmed, "; ");
    if (t->own_mallocs)
        fprintf(to, "; with a malloc of their own: %s", text_count(t->own_mallocs));
    if (t->facts && t->facts->told.notes.untraced_programs)
        fprintf(to, "; not recorded: %s", text_counted(t->facts->told.notes.untraced_programs, "program"));
    if (t->facts && t->facts->told.notes.deepbind_count)
        fprintf(to, "; with RTLD_DEEPBIND: %zu", t->facts->told.notes.deepbind_count);
    if (t->running)
        fprintf(to, "; still running: %s", text_counted(t->running, "process"));
    fputc('\n', to);
}

static void set(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, text_json_number(value));
}

static void set_of_facts(json_t *object, const struct facts *f)
{
    json_t *libraries = json_array();

    set(object, "unmatched_frees", f->unmatched_frees);
    set(object, "inherited_frees", f->inherited_frees);
    set(object, "unseen_frees", f->unseen_frees);
    set(object, "cut_stacks", f->cut_stacks);
    set(object, "guessed_stacks", f->guessed_stacks);
    set(object, "fallback_stacks", f->fallback_stacks);
    set(object, "differing_stacks", f->differing_stacks);
    set(object, "recorder_thread_bytes", f->told.recorder_thread_bytes);
    set(object, "untraced_programs", f->told.notes.untraced_programs);
    for (size_t i = 0; i < f->told.notes.deepbind_count; i++)
        json_array_append_new(libraries, text_json(f->told.notes.deepbind[i]));
    json_object_set_new(object, "deepbind_libraries", libraries);
}

json_t *trust_json(const struct trust *t)
{
    json_t *object = json_pack("{s:b, s:I, s:I, s:I, s:o}", "injected", t->processes > 0, "processes",
                               (json_int_t)t->processes, "streams", (json_int_t)t->streams, "events",
                               (json_int_t)t->events, "lost_events", text_json_number(t->lost_events));

    json_object_set_new(object, "lost_reason", json_string(text_stop_reason(t->lost_reason)));
    if (t->facts)
        set_of_facts(object, t->facts);
    else
        json_object_set_new(object, "unmatched_frees", json_null());
    set(object, "partial_stacks", t->partial_stacks);
    set(object, "truncated_bytes", t->damaged_bytes);
    set(object, "missing_chunks", t->missing_chunks);
    set(object, "cut_processes", t->cut_processes);
    json_object_set_new(object, "lacks_processes", json_boolean(t->lacks_processes));
    set(object, "recovered_bytes", t->recovered_bytes);
    set(object, "processes_left_out", t->left_out);
    set(object, "processes_running", t->running);
    set(object, "ends_unknown", t->ends_unknown);
    set(object, "own_mallocs", t->own_mallocs);
    json_object_set_new(object, "trimmed", !t->trimmed.is ? json_null() : json_pack(
        "{s:f, s:o, s:I, s:b}", "from_seconds", (double)t->trimmed.from_ns / 1e9, "to_seconds",
        t->trimmed.to_ns ? json_real((double)t->trimmed.to_ns / 1e9) : json_null(), "processes_left_out",
        (json_int_t)t->trimmed.left_out, "incomplete", t->trimmed.incomplete));
    json_object_set_new(object, "launcher_died", json_boolean(t->launcher_died));
    json_object_set_new(object, "names_interrupted", json_boolean(t->names_interrupted));
    json_object_set_new(object, "allocator", text_json(allocators(t)));
    return object;
}
