#include "analyze/commands/reading.h"

#include "analyze/command.h"
#include "analyze/commands/progress.h"
#include "analyze/log/trimmed.h"
#include "analyze/options.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define ASKED_EVERY 1024 /* events: whether Ctrl-C was pressed */

void reading_options_release(struct reading_options *o)
{
    pids_release(&o->pids);
    pids_release(&o->tids);
}

static int parse_jobs(struct reading_options *o, const char *value, const char *command)
{
    uint64_t jobs;

    if (!parse_number(value, 1, &jobs) || jobs > 1024)
        return usage_error(command, "%s: --jobs %s: want a number from 1 to 1024", command, value);
    o->symbols.jobs = (unsigned)jobs;
    return 0;
}

/* A number of seconds, or of another unit. */
static bool parse_time(const char *text, uint64_t *ret_ns)
{
    static const struct { const char *name; double ns; } units[] = {
        { "", 1e9 }, { "s", 1e9 }, { "ms", 1e6 }, { "us", 1e3 }, { "ns", 1 }, { "min", 60e9 },
    };
    char *end;

    const char *first = text + (*text == '.');
    if (*first < '0' || *first > '9' || strpbrk(text, "xX")) /* no hexadecimal numbers */
        return false;
    double number = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].name) == 0 && number * units[i].ns < 9e18) {
            *ret_ns = (uint64_t)llround(number * units[i].ns);
            return true;
        }
    return false;
}

static int parse_threshold(struct facts_threshold *ret_within, const char *value, const char *command)
{
    bool has_unit = *value && (value[strlen(value) - 1] == 's' || value[strlen(value) - 1] == 'n');
    uint64_t ns = 0;

    *ret_within = (struct facts_threshold){ 0 };
    if (has_unit ? !parse_time(value, &ns) || ns < 1000 : !parse_number(value, 1, &ret_within->allocations))
        return usage_error(command, "%s: --temporary-within %s: want a number of allocations from 1 up, or a time from 1us up "
                           "(10us, 1ms, 2s)", command, value);
    ret_within->us = ns / 1000;
    return 0;
}

int reading_option(struct reading_options *o, int option, const char *value, const char *command)
{
    switch (option) {
    case READING_PID:
        return pids_add(&o->pids, "--pid", value, command);
    case READING_THREAD:
        return pids_add(&o->tids, "--thread", value, command);
    case READING_FROM:
        o->from = value;
        return 0;
    case READING_TO:
        o->to = value;
        return 0;
    case READING_TEMPORARY:
        o->temporary_option = o->temporary_option ? o->temporary_option : "--temporary-within";
        return parse_threshold(&o->temporary_within, value, command);
    case READING_JOBS:
        return parse_jobs(o, value, command);
    default:
        naming_option(&o->symbols, option, value);
        return 0;
    }
}

/* The first mark of this name, of whatever process; after this time, if that is not 0. 1, or 0: there is none, or -EINTR. */
static int find_mark(const struct log *log, const char *name, uint64_t after_ns, uint64_t *ret_ns)
{
    struct reader *reader = reader_open(log);
    struct progress progress;
    struct timed_event e;
    int found = 0;

    progress_begin(&progress, PROGRESS_READS, "looking for the mark:");
    for (size_t i = 1; !found && reader_next(reader, &e); i++) {
        const struct text *mark = &e.event.mark.name;
        if (i % ASKED_EVERY == 0 && !progress_goes_on(&progress, reader_progress(reader)))
            found = -EINTR;
        if (e.event.type != EVENT_OTHER || e.event.other != REC_MARK || e.ns < log->first_ns ||
            (after_ns && e.ns - log->first_ns <= after_ns))
            continue;
        found = strlen(name) == mark->bytes && memcmp(name, mark->data, mark->bytes) == 0;
        *ret_ns = e.ns - log->first_ns;
    }
    progress_end(&progress);
    reader_free(reader);
    return found;
}

#define MARK "mark:" /* before a name that may look like a time */

static int find_time(const struct log *log, const char *option, const char *text, uint64_t after_ns, const char *command,
                     uint64_t *ret_ns)
{
    if (!text || parse_time(text, ret_ns))
        return 0;
    const char *name = strncmp(text, MARK, strlen(MARK)) == 0 ? text + strlen(MARK) : text;
    int found = find_mark(log, name, after_ns, ret_ns);
    if (!found && name != text) /* a name may begin so */
        found = find_mark(log, text, after_ns, ret_ns);
    if (found == 1)
        return 0;
    if (found == -EINTR) {
        complain("%s: %s: interrupted before the mark %s was found", log->path, option, name);
        return EXIT_DAMAGED;
    }
    return usage_error(command, "%s: %s %s: want a time (1.5, 20ms) or a mark; %s has no mark of that name%s", command, option,
                       text, log->path, after_ns ? " after --from" : "");
}

int reading_times(const struct reading_options *o, const struct log *log, const char *command, uint64_t *ret_from_ns,
                  uint64_t *ret_to_ns)
{
    int refused = find_time(log, "--from", o->from, 0, command, ret_from_ns);

    if (!refused)
        refused = find_time(log, "--to", o->to, *ret_from_ns, command, ret_to_ns);
    if (!refused && o->to && *ret_to_ns <= *ret_from_ns)
        refused = usage_error(command, "%s: --to %s is not after --from %s", command, o->to, o->from ? o->from : "0");
    const uint64_t begin_ns = !refused && o->to ? log_trimmed(log).from_ns : 0;
    if (begin_ns && *ret_to_ns < begin_ns)
        refused = usage_error(command, "%s: --to %s: nothing comes before that: %s is a part of a log, which begins at %.6f s", command, o->to,
                              log->path, (double)begin_ns / 1e9);
    return refused;
}

static int refuse_thread(const struct reading_options *o, const struct reading *r, uint32_t tid, const char *command)
{
    return usage_error(command, "%s: --thread %u: %s has no such thread%s; `malloscope report --threads` lists them", command, tid,
                       r->log->path, o->pids.count ? " in the processes of --pid" : "");
}

/* That begins after the part that was read. */
static bool has_later_thread(const struct log *log, uint32_t tid)
{
    struct reader *reader = reader_open(log);
    const struct timed_event *e;
    bool found = false;

    while (!found && (e = reader_look(reader)))
        found = e->event.type == EVENT_OTHER && e->event.other == REC_THREAD_BEGIN && e->event.thread.tid == tid;
    reader_free(reader);
    return found;
}

/* 0, or the exit code: threads that are named must be there. */
static int check_threads(const struct reading_options *o, const char *command, const struct reading *r)
{
    const struct threads *threads = &r->facts->told.threads;

    for (size_t i = 0; i < o->tids.count && !r->facts->interrupted; i++) {
        bool found = false;
        for (size_t k = 0; k < threads->count && !found; k++)
            found = threads->of[k].tid == o->tids.list[i];
        if (!found && !(r->facts->goes_on && has_later_thread(r->log, o->tids.list[i])))
            return refuse_thread(o, r, o->tids.list[i], command);
    }
    return 0;
}

int reading_refuse_from(const struct log *log, const char *command, const char *from, uint64_t end_ns)
{
    uint64_t mark_ns;
    const char *also = find_mark(log, from, 0, &mark_ns) == 1 ? ", or the mark by " MARK : "";

    return usage_error(command, "%s: --from %s: nothing comes after that: %s ends at %.6f s; name an earlier time%s%s", command, from,
                       log->path, (double)end_ns / 1e9, also, *also ? from : "");
}

/* 0, or the exit code: there must be something from then on. */
static int check_from(const struct reading_options *o, const char *command, const struct reading *r)
{
    uint64_t end_ns = r->facts->duration_ns;

    if (log_trimmed(r->log).from_ns > end_ns) /* in a part there may be nothing from its own beginning on */
        end_ns = log_trimmed(r->log).from_ns;
    if (r->facts->interrupted || r->from_ns <= end_ns)
        return 0;
    return reading_refuse_from(r->log, command, o->from, end_ns);
}

static int check_temporary(const struct reading_options *o, const char *command, const struct reading *r)
{
    if (!o->temporary_option || settings_all_recorded(&r->facts->settings))
        return 0;
    return usage_error(command, "%s: %s: %s does not tell, as not every allocation was recorded", command, o->temporary_option, r->log->path);
}

void reading_release(struct reading *r)
{
    naming_close(r->naming);
    facts_free(r->facts);
    log_free(r->log);
}

int reading_open_unnamed(const struct reading_options *o, const char *path, const char *command, struct reading *ret_reading)
{
    struct reading r = { 0 };
    struct progress progress;
    int refused = pids_open(&o->pids, path, command, &r.log);

    if (refused)
        return refused;
    r.log->one_thread = o->symbols.jobs == 1;
    refused = reading_times(o, r.log, command, &r.from_ns, &r.to_ns);
    pids_select(&o->pids, r.log);
    if (!refused) {
        progress_begin(&progress, PROGRESS_READS, "reading the log:");
        r.facts = facts_collect(r.log, &(struct facts_options){
            .from_ns = r.from_ns, .to_ns = r.to_ns, .tids = o->tids.list, .tid_count = o->tids.count,
            .temporary_within = o->temporary_within, .timeline_buckets = o->timeline_buckets,
            .goes_on = progress_goes_on, .data = &progress });
        progress_end(&progress);
        r.facts->interrupted |= r.log->is_beginning;
        refused = check_threads(o, command, &r);
        if (!refused)
            refused = check_from(o, command, &r);
        if (!refused)
            refused = check_temporary(o, command, &r);
    }
    if (refused) {
        reading_release(&r);
        return refused;
    }
    *ret_reading = r;
    return 0;
}

int reading_open(const struct reading_options *o, const char *path, const char *command, struct reading *ret_reading)
{
    int refused = reading_open_unnamed(o, path, command, ret_reading);

    if (!refused)
        ret_reading->naming = naming_open(ret_reading->log, &ret_reading->facts->told.code, &o->symbols, &ret_reading->namer);
    return refused;
}

int reading_close(struct reading *r)
{
    int code = log_verdict(r->log, r->facts->bad_chunks, r->facts->bad_offset);

    naming_complain(r->naming);
    naming_complain_of_stripped(r->naming);
    if (r->facts->interrupted)
        complain_of_interrupt(r->log);
    if (output_failed() || r->facts->interrupted || naming_was_interrupted(r->naming))
        code = EXIT_DAMAGED;
    reading_release(r);
    return code;
}
