/* Rows of time -> charts of text: a column for each row of time, eight eighths of a line for
 * each step up. */
#include "analyze/render/coverage.h"
#include "analyze/render/marks.h"
#include "analyze/render/part.h"
#include "analyze/render/rows.h"
#include "analyze/render/text.h"
#include "analyze/render/trust.h"

#include <string.h>

#define LABEL_COLUMNS 12
#define LIVE_LINES 8
#define RATE_LINES 3
#define MARKS_SHOWN 10 /* names; each has a letter */

size_t timeline_chart_rows(int columns)
{
    return columns > LABEL_COLUMNS + 12 ? (size_t)(columns - LABEL_COLUMNS - 2) : 10;
}

static const char *eighths_up(unsigned eighths)
{
    static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
    static const char *const plain[] = { " ", "_", "_", ".", ".", ":", ":", "|", "#" };

    return (text_is_utf8() ? blocks : plain)[eighths];
}

static void print_axis(size_t count)
{
    bool unicode = text_is_utf8();

    printf("%*s %s", LABEL_COLUMNS - 1, "0", unicode ? "└" : "+");
    for (size_t i = 0; i < count; i++)
        fputs(unicode ? "─" : "-", stdout);
    putchar('\n');
}

/* values: of each column; label: what the top of the chart stands for. Any value above 0 shows. */
static void print_chart(const uint64_t *values, size_t count, unsigned lines, const char *(*label)(uint64_t value, uint64_t row_ns),
                        uint64_t row_ns)
{
    uint64_t most = 0;

    for (size_t i = 0; i < count; i++)
        most = values[i] > most ? values[i] : most;
    for (unsigned line = lines; line-- > 0;) {
        const char *text = line + 1 == lines                    ? label(most, row_ns)
                           : lines > 4 && line + 1 == lines / 2 ? label(most / 2, row_ns)
                                                                : "";
        printf("%*s %s", LABEL_COLUMNS - 1, text, text_is_utf8() ? (*text ? "┤" : "│") : "|");
        for (size_t i = 0; i < count; i++) {
            double height = most ? (double)values[i] / (double)most * lines * 8 : 0;
            unsigned eighths = (unsigned)(height + 0.5);
            if (values[i] && !eighths)
                eighths = 1;
            eighths = eighths > line * 8 ? eighths - line * 8 : 0;
            fputs(eighths_up(eighths > 8 ? 8 : eighths), stdout);
        }
        putchar('\n');
    }
    print_axis(count);
}

static const char *bytes_label(uint64_t value, uint64_t row_ns)
{
    (void)row_ns;
    return text_bytes(value);
}

static const char *rate_label(uint64_t value, uint64_t row_ns)
{
    static char text[32];
    double rate = (double)value * 1e9 / (double)row_ns;

    if (rate >= 1e7)
        snprintf(text, sizeof text, "%.0f M/s", rate / 1e6);
    else if (rate >= 1e4)
        snprintf(text, sizeof text, "%.0f k/s", rate / 1e3);
    else
        snprintf(text, sizeof text, "%.0f /s", rate);
    return text;
}

/* Of a time of the session; count: it is not in the chart. */
static size_t column_of(const struct timeline_rows *rows, uint64_t ns)
{
    size_t column = ns < rows->from_ns ? rows->count : (size_t)((ns - rows->from_ns) / rows->row_ns);

    return column < rows->count ? column : rows->count;
}

/* Below the axis: when it begins, where the peak is, when it ends. */
static void print_times(const struct facts *f, const struct timeline_rows *rows)
{
    _cleanup_free_ char *line = alloc_zeroed(rows->count + 200, 1);
    uint64_t end_ns = rows->from_ns + rows->count * rows->row_ns;
    char text[64];
    size_t at = f->peak_bytes ? column_of(rows, f->peak_ns) : rows->count;

    memset(line, ' ', rows->count + 100);
    int length = snprintf(text, sizeof text, "%.3f s", (double)rows->from_ns / 1e9);
    if (at >= (size_t)length + 1 || at == rows->count)
        memcpy(line, text, (size_t)length);
    if (at < rows->count) {
        size_t begin = at;
        length = snprintf(text, sizeof text, "^ peak at %.3f s", (double)f->peak_ns / 1e9);
        if (at + (size_t)length > rows->count && rows->count > (size_t)length) { /* to its left */
            length = snprintf(text, sizeof text, "peak at %.3f s ^", (double)f->peak_ns / 1e9);
            begin = at + 1 >= (size_t)length ? at + 1 - (size_t)length : 0;
        }
        memcpy(line + begin, text, (size_t)length);
        at = begin + (size_t)length;
    } else {
        at = (size_t)length;
    }
    length = snprintf(text, sizeof text, "%.3f s", (double)end_ns / 1e9);
    if (rows->count > at + 1 + (size_t)length)
        memcpy(line + rows->count - (size_t)length, text, (size_t)length);
    for (size_t end = strlen(line); end && line[end - 1] == ' '; end--)
        line[end - 1] = 0;
    printf("%*s%s\n", LABEL_COLUMNS + 1, "", line);
}

static void print_marks(const struct log *log, const struct facts *f, const struct timeline_rows *rows)
{
    const struct notes *n = &f->told.notes;
    _cleanup_free_ char *line = alloc_zeroed(rows->count + 1, 1);
    _cleanup_free_ struct mark_row *names = NULL;
    _cleanup_free_ size_t *name_of = NULL;
    size_t count = marks_by_name(n, &names, &name_of), end = 0, more = n->marks_seen - n->mark_count;

    if (!n->mark_count)
        return;
    memset(line, ' ', rows->count);
    for (size_t i = 0; i < n->mark_count; i++) {
        size_t column = column_of(rows, n->marks[i].ns - log->first_ns);
        char letter = (char)('a' + name_of[i]);
        if (name_of[i] >= MARKS_SHOWN) {
            more++;
            continue;
        }
        if (column == rows->count)
            continue;
        line[column] = line[column] == ' ' || line[column] == letter ? letter : '*';
        end = column + 1 > end ? column + 1 : end;
    }
    printf("%*s  %.*s\n", LABEL_COLUMNS - 1, "marks", (int)end, line);
    for (size_t i = 0; i < count && i < MARKS_SHOWN; i++) {
        printf("  %c  %.3f s  ", (char)('a' + i), (double)(n->marks[names[i].first].ns - log->first_ns) / 1e9);
        text_print_safe(names[i].name, strlen(names[i].name));
        marks_print_count(&names[i], log->first_ns);
        putchar('\n');
    }
    if (more)
        printf("  ... and %s more\n", text_count(more));
}

void timeline_print(const struct log *log, const struct facts *f, const struct timeline_rows *rows)
{
    const struct coverage coverage = { &f->settings, f->recorded, f->told.was_paused };
    const char *about = text_about(f->settings.sample_bytes);
    _cleanup_free_ uint64_t *values = alloc_zeroed(rows->count, sizeof *values);
    struct trust trust;

    if (part_print(stdout, f) + coverage_print(stdout, &coverage, ""))
        putchar('\n');
    uint64_t from_ns = f->part.from_ns < f->duration_ns ? f->part.from_ns : f->duration_ns;
    printf("%.3f s, a column each %.*f ms; peak %s%s in %s%s at %.3f s\n", (double)(f->duration_ns - from_ns) / 1e9,
           rows->row_ns < 1000000 ? 3 : rows->row_ns < 10000000 ? 1 : 0, (double)rows->row_ns / 1e6, about, text_bytes(f->peak_bytes),
           about, text_counted(f->peak_blocks, "block"), (double)f->peak_ns / 1e9);
    printf("\nLive bytes (of each column the most)\n");
    for (size_t i = 0; i < rows->count; i++)
        values[i] = rows->of[i].most_live;
    print_chart(values, rows->count, LIVE_LINES, bytes_label, rows->row_ns);
    print_times(f, rows);
    printf("\nAllocations a second: %s%s in all, of %s%s\n", about, text_count(f->allocations), about, text_bytes(f->allocated_bytes));
    for (size_t i = 0; i < rows->count; i++)
        values[i] = rows->of[i].allocations;
    print_chart(values, rows->count, RATE_LINES, rate_label, rows->row_ns);
    print_marks(log, f, rows);
    trust_of_facts(log, f, &trust);
    trust_print(stdout, &trust);
}
