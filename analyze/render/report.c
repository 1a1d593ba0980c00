/* Facts -> text. The JSON is in report_json.c. */
#include "analyze/render/report.h"

#include "analyze/render/advice.h"
#include "analyze/render/breakdown.h"
#include "analyze/render/coverage.h"
#include "analyze/render/marks.h"
#include "analyze/render/part.h"
#include "analyze/render/processes.h"
#include "analyze/render/text.h"
#include "analyze/render/top_sites.h"
#include "analyze/render/trust.h"

#include <inttypes.h>
#include <string.h>

#define MARKS_SHOWN 10
#define MODULES_SHOWN 5
#define FIGURE_COLUMNS 15

/* A figure, marked where it is an estimate, right-aligned by characters, not bytes. */
static const char *figure(const struct facts *f, const char *number)
{
    static char texts[4][64];
    static unsigned at;
    char *text = texts[at++ % 4];
    bool is_estimate = f->settings.sample_bytes;
    int room = FIGURE_COLUMNS - is_estimate - (int)strlen(number);

    snprintf(text, sizeof texts[0], "%*s%s%s", room > 0 ? room : 0, "", text_about(is_estimate), number);
    return text;
}

static void print_calls(const struct facts *f)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < REC_FN_COUNT; i++)
        all += f->by_function[i];
    if (!all)
        return;
    char text[REC_FN_COUNT * 48 + 32], *at = stpcpy(text, "  calls           ");

    for (unsigned i = 0; i < REC_FN_COUNT; i++)
        if (f->by_function[i])
            at += sprintf(at, "%s %s %s", at[-1] == ' ' ? "" : ",", rec_function_name(i), text_count(f->by_function[i]));
    text_print_wrapped("                   ", "%s\n", text);
}

static const char *within(const struct facts_threshold *t)
{
    static char text[80];

    text[0] = 0;
    if (t->us)
        snprintf(text, sizeof text, ", freed within %s", text_duration(t->us));
    else if (t->allocations)
        snprintf(text, sizeof text, ", freed within %s", text_counted(t->allocations, "allocation"));
    return text;
}

/* When it was that what is still allocated was. */
static const char *at_end(const struct facts *f)
{
    size_t running = 0;

    for (size_t i = 0; i < f->by_start_count; i++)
        running += f->processes[f->by_start[i]].told->running;
    if (f->interrupted)
        return "when reading was interrupted";
    if (f->goes_on)
        return "at the end of the part";
    return !running ? "at exit" : running < f->by_start_count ? "at exit or so far" : "when the log was read";
}

static void print_totals(const struct facts *f)
{
    static const char indent[] = "                   ";
    bool sampled = f->settings.sample_bytes;

    uint64_t from_ns = f->part.from_ns < f->duration_ns ? f->part.from_ns : f->duration_ns;
    printf("\nTotals over %.3f s\n", (double)(f->duration_ns - from_ns) / 1e9);
    printf("  allocations      %s%s   %s%s%s\n", figure(f, text_count(f->allocations)),
           text_error(settings_error(f->variance.allocations), false), text_about(sampled), text_bytes(f->allocated_bytes),
           text_error(settings_error(f->variance.bytes), true));
    if (f->carried)
        text_print_wrapped(indent, "  of these         %s   %s%s, of blocks from before this part of a log\n",
                           figure(f, text_count(f->carried)), text_about(sampled), text_bytes(f->carried_bytes));
    printf("  frees            %s\n", figure(f, text_count(f->frees)));
    printf("  failed           %15s\n", text_count(f->failed));
    if (!settings_all_recorded(&f->settings))
        printf("  temporary        %15s   not known: allocations were left out\n", "-");
    else
        printf("  temporary        %15s%s%s%s%s\n", text_count(f->temporary), f->allocations ? "   " : "",
               f->allocations ? text_share(f->temporary, f->allocations) : "", f->allocations ? " % of allocations" : "",
               within(&f->temporary_within));
    printf("  peak             %s   in %s%s, at %.3f s\n", figure(f, text_bytes(f->peak_bytes)),
           text_about(sampled), text_counted(f->peak_blocks, "block"), (double)f->peak_ns / 1e9);
    if (sampled && !f->leaked_blocks)
        text_print_wrapped(indent, "  still allocated  %15s   none of the recorded blocks, %s\n", "-", at_end(f));
    else
        text_print_wrapped(indent, "  still allocated  %s%s   in %s%s%s, %s\n", figure(f, text_bytes(f->leaked_bytes)),
               text_error(settings_error(f->variance.leaked_bytes), true), text_about(sampled), text_counted(f->leaked_blocks, "block"),
               text_error(settings_error(f->variance.leaked_blocks), false), at_end(f));
    if (f->left_blocks)
        text_print_wrapped(indent, "  left by then     %s   in %s%s, by processes that had ended\n", figure(f, text_bytes(f->left_bytes)),
               text_about(sampled), text_counted(f->left_blocks, "block"));
    if (f->part.thread_count)
        printf("  threads          %15s   of %s\n", text_count(f->part.thread_count), text_count(f->told.thread_count));
    else
        printf("  threads          %15s\n", text_count(f->told.thread_count));
    print_calls(f);
}

/* What the program noted, and what is worth a warning. */
static void print_marks(const struct log *log, const struct facts *f)
{
    const struct notes *n = &f->told.notes;

    _cleanup_free_ struct mark_row *rows = NULL;
    size_t count = marks_by_name(n, &rows, NULL), more = 0;

    if (count)
        printf("\nMarks\n   seconds         pid  its live bytes\n");
    for (size_t i = 0; i < count; i++) {
        const struct note_mark *mark = &n->marks[rows[i].first];
        if (i >= MARKS_SHOWN) {
            more += rows[i].count;
            continue;
        }
        printf("%10.3f  %10u  %14s  ", (double)(mark->ns - log->first_ns) / 1e9, f->processes[mark->process].told->pid,
               text_bytes(mark->live_bytes));
        text_print_safe(mark->name, strlen(mark->name));
        marks_print_count(&rows[i], log->first_ns);
        putchar('\n');
    }
    more += n->marks_seen - n->mark_count;
    if (more)
        printf("  ... and %s more\n", text_count(more));
}

static void print_warnings(const struct facts *f)
{
    for (size_t i = 0; i < f->told.notes.deepbind_count; i++) {
        printf("%sWarning: ", i ? "" : "\n");
        text_print_safe(f->told.notes.deepbind[i], strlen(f->told.notes.deepbind[i]));
        printf(" was loaded with RTLD_DEEPBIND (or dlmopen): its allocations may not be here\n");
    }
}

static void print_word(FILE *to, const char *word);

static void print_split(const struct facts *f, const struct size_table *sizes, const struct report_view *view)
{
    uint64_t count, bytes;

    size_table_below(sizes, view->threshold, &count, &bytes);
    printf("\nSizes (more: malloscope hist ");
    print_word(stdout, view->log_name);
    puts(")");
    text_print_wrapped("    ", "  under %s: %s %% of the allocations, %s %% of the bytes; %s%s\n",
           text_counted(view->threshold, "byte"), text_share(count, f->allocations), text_share(bytes, f->allocated_bytes),
           text_counted(sizes->row_count, "distinct size"), f->settings.sample_bytes ? " recorded" : "");
    text_print_wrapped("    ", "  median %s, 90 %% up to %s, 99 %% up to %s, largest %s\n",
           text_count(size_table_quantile(sizes, 0.5, false)), text_count(size_table_quantile(sizes, 0.9, false)),
           text_count(size_table_quantile(sizes, 0.99, false)), text_counted(size_table_quantile(sizes, 1, false), "byte"));
}

static const char *duration(uint64_t us, char text[32])
{
    if (us == 0)
        strcpy(text, "less than 1 us");
    else if (us < 10000)
        snprintf(text, 32, "up to %s us", text_count(us));
    else if (us < 10000000)
        snprintf(text, 32, "up to %s ms", text_count(us / 1000));
    else
        snprintf(text, 32, "up to %s s", text_count(us / 1000000));
    return text;
}

static void print_lifetimes(const struct facts *f)
{
    char half[32], most[32];

    if (!f->frees)
        return;
    text_print_wrapped("                   ", "  lifetimes        half of those freed %s and %s,\n                   90 %% %s and %s\n",
           duration(lifetimes_quantile(f->lifetimes_us, 0.5), half), text_counted(lifetimes_quantile(f->lifetimes_allocations, 0.5), "allocation"),
           duration(lifetimes_quantile(f->lifetimes_us, 0.9), most), text_count(lifetimes_quantile(f->lifetimes_allocations, 0.9)));
}

/* What of the whole the call sites are that were asked for. */
static void print_match(const struct facts *f, const struct sites *sites, const struct call_sites_filter *filter)
{
    const struct site_costs c = site_costs_rounded(&sites->sum, f->settings.unit);
    bool has_temporary = settings_all_recorded(&f->settings);

    printf("\nOf that, ");
    if (filter->module) {
        printf("by call sites in ");
        text_print_safe(filter->module, strlen(filter->module));
    }
    if (filter->stacks) {
        printf("%swith ", filter->module ? ", " : "");
        text_print_safe(filter->text, strlen(filter->text));
        printf(" in the stack");
    }
    printf(": %s\n", text_counted(sites->count, "call site"));
    printf("  allocations      %s   %5s %%\n", figure(f, text_count(c.allocations)), text_share(c.allocations, f->allocations));
    printf("  bytes            %s   %5s %%\n", figure(f, text_bytes(c.bytes)), text_share(c.bytes, f->allocated_bytes));
    printf("  temporary        %15s   %5s %%\n", has_temporary ? text_count(c.temporary) : "-",
           has_temporary ? text_share(c.temporary, f->temporary) : "-");
    printf("  at the peak      %s   %5s %%   in %s\n", figure(f, text_bytes(c.peak_bytes)),
           text_share(c.peak_bytes, f->peak_bytes), text_counted(c.peak_blocks, "block"));
    printf("  still allocated  %s   %5s %%   in %s\n", figure(f, text_bytes(c.leaked_bytes)),
           text_share(c.leaked_bytes, f->leaked_bytes), text_counted(c.leaked_blocks, "block"));
}

static void print_tables(struct facts *f, const struct sites *sites, const struct namer *namer, const struct report_view *view)
{
    size_t rows = view->top == REPORT_TOP_DEFAULT ? MODULES_SHOWN : view->top;

    if (!call_sites_is_all(&view->filter))
        print_match(f, sites, &view->filter);
    modules_print(f, sites, rows);
    if (view->has_threads)
        threads_print(f, view->merges_threads, view->top); /* by default all */
    top_sites_print(f, sites, namer, view);
}

void report_print(const struct log *log, struct facts *f, const struct sites *sites, const struct namer *namer,
                  const struct report_view *view)
{
    const struct coverage coverage = { &f->settings, f->recorded, f->told.was_paused };
    struct size_table sizes;
    struct trust trust;

    sizes_table(&f->sizes, &sizes);
    if (part_print(stdout, f) + coverage_print(stdout, &coverage, ""))
        putchar('\n');
    processes_print(f);
    print_totals(f);
    print_lifetimes(f);
    print_marks(log, f);
    if (f->allocations) {
        print_split(f, &sizes, view);
        print_tables(f, sites, namer, view);
    }
    print_warnings(f);
    if (f->allocations && !view->no_advice)
        advice_print(f, sites, namer);
    trust_of_facts(log, f, &trust);
    trust_print(stdout, &trust);
    size_table_release(&sizes);
}

/* A word of a command line, quoted where a shell would want it. */
static void print_word(FILE *to, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";

    bool is_safe = text_is_safe(word);

    if (word[strspn(word, plain)] == 0) {
        fputs(word, to);
        return;
    }
    fputs(is_safe ? "'" : "$'", to);
    for (; *word; word++) {
        if (is_safe && *word == '\'')
            fputs("'\\''", to);
        else if (!is_safe && ((unsigned char)*word < 32 || (unsigned char)*word >= 127 || *word == '\'' || *word == '\\'))
            fprintf(to, "\\x%02x", (unsigned char)*word);
        else
            fputc(*word, to);
    }
    fputc('\'', to);
}

static void print_summary_facts(FILE *to, const struct log *log, const struct facts *f, uint64_t threshold)
{
    const char *about = text_about(f->settings.sample_bytes);
    struct size_table sizes;
    uint64_t count, bytes;

    sizes_table(&f->sizes, &sizes);
    size_table_below(&sizes, threshold, &count, &bytes);
    size_table_release(&sizes);
    fprintf(to, "malloscope: %s%s%s, %s%s%s; under %s: %s %% of them, %s %% of the bytes\n", about,
            text_counted(f->allocations, "allocation"), text_error(settings_error(f->variance.allocations), false), about, text_bytes(f->allocated_bytes),
            text_error(settings_error(f->variance.bytes), true), text_counted(threshold, "byte"), text_share(count, f->allocations),
            text_share(bytes, f->allocated_bytes));
    fprintf(to, "malloscope: peak %s%s, still allocated %s %s%s in %s%s", about, text_bytes(f->peak_bytes), at_end(f), about,
            text_bytes(f->leaked_bytes), about, text_counted(f->leaked_blocks, "block"));
    if (log->recorded_count > 1)
        fprintf(to, "; %zu processes", log->recorded_count);
    fputc('\n', to);
}

static void print_next(FILE *to, const struct log *log, const struct facts *f, const struct report_view *view)
{
    uint64_t bytes = log->bytes + log->spool_bytes;
    fprintf(to, "malloscope: log of %s, %.1f bytes an event. Next: ", text_bytes(bytes),
            f->events ? (double)bytes / (double)f->events : 0.0);
    print_word(to, view->command ? view->command : "malloscope");
    fprintf(to, " report ");
}

void report_print_summary(FILE *to, const struct log *log, const struct facts *f, const struct report_view *view)
{
    const struct coverage coverage = { &f->settings, f->recorded, f->told.was_paused };
    struct trust trust;

    trust_of_facts(log, f, &trust);
    coverage_print(to, &coverage, "malloscope: ");
    if (f->allocations)
        print_summary_facts(to, log, f, view->threshold);
    fprintf(to, "malloscope: ");
    trust_print_short(to, &trust);
    if (f->allocations)
        print_next(to, log, f, view);
    else
        fprintf(to, "malloscope: no allocations. Log: ");
    print_word(to, view->log_name);
    fputc('\n', to);
}
