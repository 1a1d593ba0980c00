#include "analyze/render/part.h"

#include "analyze/render/text.h"

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

char *part_text(const struct facts *f)
{
    const struct facts_part *part = &f->part;

    if (!part->from_ns && !part->to_ns && !part->thread_count)
        return NULL;
    _cleanup_free_ char *from = part->from_ns ? format_text(" from %.6f s on", seconds(part->from_ns)) : copy_text("", 0);
    _cleanup_free_ char *until = part->to_ns ? format_text("%s until %.6f s", part->from_ns ? "," : "", seconds(part->to_ns))
                                             : copy_text("", 0);
    _cleanup_free_ char *threads = part->thread_count ? format_text(" by %s", text_counted(part->thread_count, "thread"))
                                                      : copy_text("", 0);
    return format_text("Part of the log: allocations%s%s%s, and what became of them%s", from, until, threads, part->to_ns ? " by then" : "");
}

int part_print(FILE *to, const struct facts *f)
{
    _cleanup_free_ char *text = part_text(f);

    if (text) {
        _cleanup_free_ char *line = format_text("%s\n", text);
        text_write_wrapped(to, line, "  ");
    }
    if (f->interrupted)
        fprintf(to, "Reading was interrupted: all figures are of the first %.3f s only\n", seconds(f->duration_ns));
    return (text != NULL) + f->interrupted;
}

json_t *part_json(const struct facts *f)
{
    const struct facts_part *part = &f->part;

    if (!part->from_ns && !part->to_ns && !part->thread_count && !f->interrupted)
        return json_null();
    return json_pack("{s:f, s:o, s:I, s:b}", "from_seconds", seconds(part->from_ns), "to_seconds",
                     part->to_ns ? json_real(seconds(part->to_ns)) : json_null(), "threads", (json_int_t)part->thread_count,
                     "interrupted", f->interrupted);
}
