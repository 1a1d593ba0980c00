/* Facts -> JSON, schema malloscope-report/1 (docs/report.schema.json). Members
 * may be added; those that are there keep their name and meaning. */
#include "analyze/render/report.h"
#include "analyze/render/text.h"

#include <string.h>

static json_t *integer(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* Names come from files and processes: what is not UTF-8 is replaced. */
static json_t *string(const char *text)
{
    json_t *result = json_string(text);
    if (result)
        return result;
    _cleanup_free_ char *copy = copy_text(text, strlen(text));
    for (char *at = copy; *at; at++)
        if (*at & 0x80)
            *at = '?';
    return json_string(copy);
}

static json_t *by_function(const struct facts *f)
{
    json_t *object = json_object();
    for (unsigned i = 0; i < REC_FN_COUNT; i++)
        if (f->by_function[i])
            json_object_set_new(object, rec_function_name(i), integer(f->by_function[i]));
    return object;
}

static json_t *processes(const struct facts *f)
{
    static const char *const starts[] = { "image", "fork", "exec" };
    json_t *list = json_array();

    for (size_t i = 0; i < f->by_start_count; i++) {
        const struct facts_process *p = &f->processes[f->by_start[i]];
        json_t *object = json_pack("{s:I, s:I, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "pid", (json_int_t)p->pid, "ppid",
                                   (json_int_t)p->ppid, "start", starts[p->start % 3], "exe",
                                   string(p->exe ? p->exe : ""), "command", string(p->arguments ? p->arguments : ""),
                                   "threads", (json_int_t)p->threads, "allocations", (json_int_t)p->allocations,
                                   "allocated_bytes", (json_int_t)p->allocated_bytes, "leaked_blocks",
                                   (json_int_t)p->leaked_blocks, "leaked_bytes", (json_int_t)p->leaked_bytes);
        json_object_set_new(object, "allocator", string(p->allocator ? p->allocator : ""));
        json_object_set_new(object, "other_malloc", string(p->other_malloc ? p->other_malloc : ""));
        json_object_set_new(object, "call_graph", string(p->call_graph ? p->call_graph : ""));
        json_object_set_new(object, "wait_status", p->status_known ? integer(p->wait_status) : json_null());
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *site_list(struct facts *f, struct sites *sites, enum site_order order, const struct namer *namer,
                         size_t top)
{
    json_t *list = json_array();

    sites_sort(sites, order);
    for (size_t i = 0; i < sites->count && i < top; i++) {
        const struct site *site = &sites->sites[i];
        const struct code_location *place = &f->code.locations[site->location];
        const char *function = namer->function(namer->data, site->location);
        json_array_append_new(list, json_pack("{s:o, s:I, s:o, s:I, s:I, s:I, s:I, s:I}", "module",
                                              string(f->code.files[place->file].path), "offset",
                                              (json_int_t)place->address, "function",
                                              function ? string(function) : json_null(), "allocations",
                                              (json_int_t)site->counts.allocations, "bytes",
                                              (json_int_t)site->counts.bytes, "temporary",
                                              (json_int_t)site->counts.temporary, "leaked_blocks",
                                              (json_int_t)site->counts.leaked_blocks, "leaked_bytes",
                                              (json_int_t)site->counts.leaked_bytes));
    }
    return list;
}

json_t *report_json(const struct log *log, struct facts *f, struct sites *sites, const struct namer *namer,
                    const struct report_view *view)
{
    struct size_table table;
    uint64_t small, small_bytes;

    sizes_table(&f->sizes, &table);
    size_table_below(&table, view->threshold, &small, &small_bytes);
    json_t *root = json_pack(
        "{s:s, s:{s:I, s:I, s:I, s:I, s:o}, s:{s:I, s:I, s:I}, s:{s:I, s:I}, s:{s:I, s:I, s:I, s:I}}",
        "schema", "malloscope-report/1",
        "counts", "allocations", (json_int_t)f->allocations, "frees", (json_int_t)f->frees, "failed",
        (json_int_t)f->failed, "temporary", (json_int_t)f->temporary, "by_function", by_function(f),
        "bytes", "allocated", (json_int_t)f->allocated_bytes, "peak", (json_int_t)f->peak_bytes, "leaked",
        (json_int_t)f->leaked_bytes,
        "blocks", "peak", (json_int_t)f->peak_blocks, "leaked", (json_int_t)f->leaked_blocks,
        "sizes", "threshold", (json_int_t)view->threshold, "small_allocations", (json_int_t)small, "small_bytes",
        (json_int_t)small_bytes, "distinct", (json_int_t)table.row_count);
    size_table_release(&table);
    json_object_set_new(root, "seconds", json_pack("{s:f, s:f}", "duration", (double)f->duration_ns / 1e9, "peak",
                                                   (double)f->peak_ns / 1e9));
    json_object_set_new(root, "threads", integer(f->threads));
    json_object_set_new(root, "processes", processes(f));
    json_object_set_new(root, "top_sites", json_pack("{s:o, s:o}", "by_allocations",
                                                     site_list(f, sites, SITES_BY_ALLOCATIONS, namer, view->top),
                                                     "by_bytes",
                                                     site_list(f, sites, SITES_BY_BYTES, namer, view->top)));
    json_t *trust = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I}", "injected", log->recorded_count > 0, "lost_events",
                              (json_int_t)f->lost_events, "unmatched_frees", (json_int_t)f->unmatched_frees,
                              "truncated_bytes", (json_int_t)log->damaged_bytes, "streams",
                              (json_int_t)log->stream_count, "events", (json_int_t)f->events);
    json_object_set_new(trust, "lost_reason", json_string(text_stop_reason(f->lost_reason)));
    json_object_set_new(trust, "processes", integer(log->recorded_count));
    json_object_set_new(trust, "own_mallocs", integer(f->own_mallocs));
    json_object_set_new(trust, "inherited_frees", integer(f->inherited_frees));
    json_object_set_new(trust, "unseen_frees", integer(f->unseen_frees));
    json_object_set_new(trust, "partial_stacks", integer(f->partial_stacks));
    json_object_set_new(trust, "cut_stacks", integer(f->cut_stacks));
    json_object_set_new(trust, "guessed_stacks", integer(f->guessed_stacks));
    json_object_set_new(trust, "fallback_stacks", integer(f->fallback_stacks));
    json_object_set_new(trust, "differing_stacks", integer(f->differing_stacks));
    json_object_set_new(trust, "recorder_thread_bytes", integer(f->recorder_thread_bytes));
    json_object_set_new(trust, "missing_chunks", integer(log->missing_chunks));
    json_object_set_new(trust, "recovered_bytes", integer(log->recovered_bytes));
    json_object_set_new(root, "trust", trust);
    return root;
}
