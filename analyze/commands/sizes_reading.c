/* A log -> its sizes. That takes no order, and so is counted in chunks, on all cores; of which time and which thread
 * an allocation is, only the events in their order tell. */
#include "analyze/commands/sizes_reading.h"

#include "analyze/command.h"
#include "analyze/commands/progress.h"
#include "analyze/options.h"

/* Without what the facts keep. */
static struct sizes_counted counted_of(const struct facts *f)
{
    return (struct sizes_counted){
        .settings = f->settings, .sizes = f->sizes, .events = f->events, .recorded = f->recorded,
        .variance_allocations = f->variance.allocations, .variance_bytes = f->variance.bytes,
        .partial_stacks = f->partial_stacks, .was_paused = f->told.was_paused, .interrupted = f->interrupted,
        .bad_chunks = f->bad_chunks, .bad_offset = f->bad_offset,
    };
}

static int count_whole(const struct reading_options *o, const char *path, const char *command, struct sizes_reading *r)
{
    struct progress progress;
    struct log *log;
    int refused = pids_open(&o->pids, path, command, &log);

    if (refused)
        return refused;
    pids_select(&o->pids, log);
    progress_begin(&progress, PROGRESS_READS, "reading the log:");
    count_sizes(log, progress_goes_on, &progress, &r->counted);
    progress_end(&progress);
    r->counted.interrupted |= log->is_beginning;
    r->part.log = log;
    trust_of_sizes(log, &r->counted, &r->trust);
    return 0;
}

static int count_part(const struct reading_options *o, const char *path, const char *command, struct sizes_reading *r)
{
    int refused = reading_open_unnamed(o, path, command, &r->part);

    if (refused)
        return refused;
    r->counted = counted_of(r->part.facts);
    trust_of_facts(r->part.log, r->part.facts, &r->trust);
    return 0;
}

int sizes_reading_open(const struct reading_options *o, const char *path, const char *command, struct sizes_reading *r)
{
    bool is_part = o->from || o->to || o->tids.count;

    *r = (struct sizes_reading){ 0 };
    int refused = (is_part ? count_part : count_whole)(o, path, command, r);
    if (refused)
        return refused;
    sizes_table(&r->counted.sizes, &r->table);
    r->coverage = (struct coverage){ &r->counted.settings, r->counted.recorded, r->counted.was_paused };
    return 0;
}

void sizes_reading_release(struct sizes_reading *r)
{
    size_table_release(&r->table);
    if (!r->part.facts)
        sizes_counted_release(&r->counted);
    reading_release(&r->part);
}

int sizes_reading_close(struct sizes_reading *r)
{
    int code = log_verdict(r->part.log, r->counted.bad_chunks, r->counted.bad_offset);

    if (r->counted.interrupted)
        complain_of_interrupt(r->part.log);
    if (output_failed() || r->counted.interrupted)
        code = EXIT_DAMAGED;
    sizes_reading_release(r);
    return code;
}
