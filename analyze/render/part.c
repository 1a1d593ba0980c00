#include "analyze/render/part.h"

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

int part_print(FILE *to, const struct facts *f)
{
    const struct facts_part *part = &f->part;
    int lines = 0;

    if (part->from_ns || part->to_ns || part->thread_count) {
        fprintf(to, "Part of the log: allocations");
        if (part->from_ns)
            fprintf(to, " from %.6f s on", seconds(part->from_ns));
        if (part->to_ns)
            fprintf(to, "%s until %.6f s", part->from_ns ? "," : "", seconds(part->to_ns));
        if (part->thread_count)
            fprintf(to, " by %zu thread%s", part->thread_count, part->thread_count == 1 ? "" : "s");
        fprintf(to, ", and what became of them%s\n", part->to_ns ? " by then" : "");
        lines++;
    }
    if (f->interrupted) {
        fprintf(to, "Reading was interrupted: all figures are of the first %.3f s only\n", seconds(f->duration_ns));
        lines++;
    }
    return lines;
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
