#include "analyze/render/processes.h"

#include "analyze/model/endings.h"
#include "analyze/model/process_tree.h"
#include "analyze/render/text.h"

json_t *processes_json(const struct facts *f)
{
    static const char *const starts[] = { "image", "fork", "exec" };
    struct process_tree tree;
    json_t *list = json_array();

    _cleanup_free_ enum ending *endings = endings_find(f);
    process_tree_make(f, &tree);
    for (uint32_t i = 0; i < f->by_start_count; i++) {
        const struct facts_process *p = &f->processes[f->by_start[i]];
        const struct process_settings *settings = &f->settings.of[f->by_start[i]];
        json_t *object = json_pack("{s:I, s:I, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "pid", (json_int_t)p->told->pid, "ppid",
                                   (json_int_t)p->told->ppid, "start", starts[p->told->start % 3], "exe",
                                   text_json(p->told->exe ? p->told->exe : ""), "command", text_json(p->told->arguments ? p->told->arguments : ""),
                                   "threads", (json_int_t)p->told->threads, "allocations", (json_int_t)p->allocations,
                                   "allocated_bytes", (json_int_t)p->allocated_bytes, "leaked_blocks",
                                   (json_int_t)p->leaked_blocks, "leaked_bytes", (json_int_t)p->leaked_bytes);
        uint32_t parent = tree.nodes[i].parent;
        json_object_set_new(object, "parent", parent == TREE_NONE ? json_null() : json_integer(parent));
        json_object_set_new(object, "allocator", text_json(p->told->allocator ? p->told->allocator : ""));
        json_object_set_new(object, "other_malloc", text_json(p->told->other_malloc ? p->told->other_malloc : ""));
        json_object_set_new(object, "own_heap", text_json(p->told->own_heap ? p->told->own_heap : ""));
        json_object_set_new(object, "call_graph", text_json(p->told->call_graph ? p->told->call_graph : ""));
        json_object_set_new(object, "end", json_string(ending_name(endings[f->by_start[i]])));
        json_object_set_new(object, "wait_status", p->told->status_known && !p->goes_on ? json_integer(p->told->wait_status) : json_null());
        json_object_set_new(object, "running", json_boolean(p->told->running));
        json_object_set_new(object, "went_on", json_boolean(p->goes_on));
        json_object_set_new(object, "seconds", json_real((double)(p->told->last_ns - p->told->first_ns) / 1e9));
        json_object_set_new(object, "paused_seconds", json_real((double)p->told->paused_ns / 1e9));
        json_object_set_new(object, "sample_bytes", text_json_number(settings->sample_bytes));
        json_object_set_new(object, "min_size", text_json_number(settings->min_size));
        json_array_append_new(list, object);
    }
    process_tree_release(&tree);
    return list;
}

json_t *untraced_json(const struct facts *f)
{
    static const char *const reasons[] = {
        [REC_UNTRACED_STATIC] = "static", [REC_UNTRACED_PRIVILEGED] = "privileged",
        [REC_UNTRACED_MACHINE] = "machine", [REC_UNTRACED_LIBC] = "libc",
        [REC_UNTRACED_UNREACHABLE] = "unreachable",
        [REC_UNTRACED_SANITIZER] = "sanitizer",
        [REC_UNTRACED_SANDBOX] = "sandbox",
        [REC_UNTRACED_STATIC_PASSES] = "static",
        [REC_UNTRACED_FAILED] = "failed",
        [REC_UNTRACED_UNTOLD] = "untold",
    };
    _cleanup_free_ uint32_t *places = alloc_zeroed(f->told.process_count, sizeof *places);
    json_t *list = json_array();

    for (uint32_t i = 0; i < f->by_start_count; i++)
        places[f->by_start[i]] = i;
    for (size_t i = 0; i < f->told.notes.untraced_count; i++) {
        const struct note_untraced *n = &f->told.notes.untraced[i];
        bool known = n->reason < sizeof reasons / sizeof *reasons && reasons[n->reason];
        json_array_append_new(list, json_pack("{s:o, s:s, s:I, s:I, s:I}", "path", text_json(n->path), "reason",
                                              known ? reasons[n->reason] : "unknown", "pid", (json_int_t)n->pid, "parent",
                                              (json_int_t)places[n->process], "count", (json_int_t)n->count));
    }
    return list;
}
