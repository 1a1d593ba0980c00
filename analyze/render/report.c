/* Facts -> text. The JSON is in report_json.c. */
#include "analyze/render/report.h"

#include "analyze/render/text.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define CALLERS_SHOWN 3
#define PROCESSES_SHOWN 20
#define COMMAND_SHOWN 70 /* characters */
#define NAME_SHOWN 100    /* characters: C++ has longer ones; --json gives them whole */

static void print_process(const struct facts_process *p)
{
    static const char *const starts[] = { "", " forked", " exec'd" };

    printf("  %7u%-8s ", p->pid, starts[p->start % 3]);
    if (!p->started) {
        printf("(its start was not recorded)");
    } else if (*p->arguments) {
        size_t bytes = strlen(p->arguments);
        text_print_safe(p->arguments, bytes > COMMAND_SHOWN ? COMMAND_SHOWN : bytes);
        if (bytes > COMMAND_SHOWN)
            printf("...");
    } else {
        printf("%s", p->exe);
    }
    printf("\n          %s allocations, %s; still allocated %s", text_count(p->allocations),
           text_bytes(p->allocated_bytes), text_bytes(p->leaked_bytes));
    if (p->status_known && WIFSIGNALED(p->wait_status))
        printf("; killed by signal %d (%s)", WTERMSIG(p->wait_status), strsignal(WTERMSIG(p->wait_status)));
    else if (p->status_known)
        printf("; exit status %d", WEXITSTATUS(p->wait_status));
    putchar('\n');
    if (p->other_malloc && *p->other_malloc) {
        printf("          not recorded: calls that reach the malloc in ");
        text_print_safe(p->other_malloc, strlen(p->other_malloc));
        printf(", which goes before the recorder's\n");
    }
}

static void print_processes(const struct facts *f)
{
    printf("Process%s\n", f->by_start_count == 1 ? "" : "es");
    for (size_t i = 0; i < f->by_start_count && i < PROCESSES_SHOWN; i++)
        print_process(&f->processes[f->by_start[i]]);
    if (f->by_start_count > PROCESSES_SHOWN)
        printf("  ... and %zu more\n", f->by_start_count - PROCESSES_SHOWN);
}

static void print_totals(const struct facts *f)
{
    const char *separator = "";

    printf("\nTotals over %.3f s\n", (double)f->duration_ns / 1e9);
    printf("  allocations      %15s   %s\n", text_count(f->allocations), text_bytes(f->allocated_bytes));
    printf("  frees            %15s\n", text_count(f->frees));
    printf("  failed           %15s\n", text_count(f->failed));
    printf("  temporary        %15s   %s %% of allocations\n", text_count(f->temporary),
           text_share(f->temporary, f->allocations));
    printf("  peak             %15s   in %s blocks, at %.3f s\n", text_bytes(f->peak_bytes),
           text_count(f->peak_blocks), (double)f->peak_ns / 1e9);
    printf("  still allocated  %15s   in %s blocks, at exit\n", text_bytes(f->leaked_bytes), text_count(f->leaked_blocks));
    printf("  threads          %15s\n", text_count(f->threads));
    printf("  calls            ");
    for (unsigned i = 0; i < REC_FN_COUNT; i++)
        if (f->by_function[i]) {
            printf("%s%s %s", separator, rec_function_name(i), text_count(f->by_function[i]));
            separator = ", ";
        }
    putchar('\n');
}

static void print_split(const struct facts *f, const struct size_table *sizes, const struct report_view *view)
{
    uint64_t count, bytes;

    size_table_below(sizes, view->threshold, &count, &bytes);
    printf("\nSizes (more: malloscope hist %s)\n", view->log_name);
    printf("  under %s bytes: %s %% of the allocations, %s %% of the bytes; %s distinct sizes\n",
           text_count(view->threshold), text_share(count, f->allocations), text_share(bytes, f->allocated_bytes),
           text_count(sizes->row_count));
    printf("  median %s, 90 %% up to %s, 99 %% up to %s, largest %s bytes\n",
           text_count(size_table_quantile(sizes, 0.5, false)), text_count(size_table_quantile(sizes, 0.9, false)),
           text_count(size_table_quantile(sizes, 0.99, false)), text_count(size_table_quantile(sizes, 1, false)));
}

static void print_place(const struct facts *f, const struct namer *namer, uint32_t location)
{
    const struct code_location *place = &f->code.locations[location];
    const char *function = namer->function(namer->data, location);

    if (!location)
        printf("(no stack)");
    else if (place->file)
        printf("%s+0x%" PRIx64, text_base_name(f->code.files[place->file].path), place->address);
    else
        printf("0x%" PRIx64 " in no file", place->address);
    if (function) {
        size_t bytes = strlen(function);
        putchar(' ');
        text_print_safe(function, bytes > NAME_SHOWN ? NAME_SHOWN : bytes);
        if (bytes > NAME_SHOWN)
            printf("...");
    }
}

/* The callers of the site in its heaviest stack, nearest first. */
static void print_callers(struct facts *f, const struct namer *namer, const struct site *site)
{
    const struct stacks *s = &f->stacks;
    uint32_t root = site->heaviest;

    while (!stack_is_root(s, root))
        root = s->nodes[root].parent;
    uint32_t process = s->nodes[root].pc, node = site->frame;
    for (int shown = 0; shown < CALLERS_SHOWN && !stack_is_root(s, node); shown++) {
        node = s->nodes[node].parent;
        if (stack_is_root(s, node))
            break;
        printf("\n         called from  ");
        print_place(f, namer, code_location(&f->code, process, s->nodes[node].pc));
    }
}

static void print_sites(struct facts *f, struct sites *sites, enum site_order order, const struct namer *namer,
                        const struct report_view *view)
{
    size_t count = sites->count < view->top ? sites->count : view->top;

    sites_sort(sites, order);
    printf("\nTop %zu call sites by %s\n", count, order == SITES_BY_BYTES ? "bytes" : "allocations");
    for (size_t i = 0; i < count; i++) {
        const struct site *site = &sites->sites[i];
        const struct node_counts *c = &site->counts;
        printf("  %2zu  ", i + 1);
        print_place(f, namer, site->location);
        print_callers(f, namer, site);
        printf("\n      %s allocation%s (%s %%), %s (%s %%), %s temporary, %s still allocated\n",
               text_count(c->allocations), c->allocations == 1 ? "" : "s", text_share(c->allocations, f->allocations), text_bytes(c->bytes),
               text_share(c->bytes, f->allocated_bytes), text_count(c->temporary), text_bytes(c->leaked_bytes));
    }
}

static const char *allocator_of(const struct facts *f)
{
    const char *name = NULL;

    for (size_t i = 0; i < f->process_count; i++) {
        const char *mine = f->processes[i].allocator;
        if (mine && name && strcmp(mine, name) != 0)
            return "several";
        name = mine ? mine : name;
    }
    return name && *name ? text_base_name(name) : "unknown";
}

/* How the stacks were come by, where that is worth a word. */
static void print_unwinding(const struct facts *f)
{
    const char *separator = ";\n       ";

    if (f->guessed_stacks) {
        printf("%s%s stacks guessed in part", separator, text_count(f->guessed_stacks));
        separator = ", ";
    }
    if (f->fallback_stacks) {
        printf("%s%s stacks taken by libunwind", separator, text_count(f->fallback_stacks));
        separator = ", ";
    }
    if (f->differing_stacks || f->stacks_checked)
        printf("%s%s stacks differ from libunwind's", separator, text_count(f->differing_stacks));
}

static void print_trust(const struct log *log, const struct facts *f)
{
    printf("\nTrust: library loaded in %zu process%s (allocator %s); %zu stream%s, %s events; %s lost,\n"
           "       %s unmatched frees", log->recorded_count, log->recorded_count == 1 ? "" : "es", allocator_of(f),
           log->stream_count, log->stream_count == 1 ? "" : "s", text_count(f->events), text_count(f->lost_events),
           text_count(f->unmatched_frees));
    if (f->lost_reason)
        printf(" (logging ended: %s)", text_stop_reason(f->lost_reason));
    if (f->inherited_frees)
        printf(", %s frees of blocks from before a fork", text_count(f->inherited_frees));
    if (f->unseen_frees)
        printf(", %s frees not seen", text_count(f->unseen_frees));
    printf(", %s partial", text_count(f->partial_stacks));
    if (f->partial_stacks)
        printf(" (%s %% of the allocations)", text_share(f->partial_stacks, f->allocations));
    printf(" and %s cut stacks", text_count(f->cut_stacks));
    if (f->cut_stacks && f->max_depth)
        printf(" (of more than %s frames)", text_count(f->max_depth));
    printf(", %s bytes damaged", text_count(log->damaged_bytes));
    if (log->missing_chunks)
        printf(", %s chunks missing", text_count(log->missing_chunks));
    if (log->recovered_bytes)
        printf(";\n       %s bytes read from the buffers of processes", text_count(log->recovered_bytes));
    if (f->own_mallocs)
        printf(";\n       not recorded: %s process%s with a malloc of %s own", text_count(f->own_mallocs),
               f->own_mallocs == 1 ? "" : "es", f->own_mallocs == 1 ? "its" : "their");
    print_unwinding(f);
    if (f->recorder_thread_bytes)
        printf(";\n       recorder: %s a thread and %s of live buffer", text_bytes(f->recorder_thread_bytes),
               text_bytes(REC_LIVE_SLOT_BYTES));
    printf(".\n");
}

void report_print(const struct log *log, struct facts *f, struct sites *sites, const struct namer *namer,
                  const struct report_view *view)
{
    struct size_table sizes;

    sizes_table(&f->sizes, &sizes);
    print_processes(f);
    print_totals(f);
    if (f->allocations) {
        print_split(f, &sizes, view);
        print_sites(f, sites, SITES_BY_ALLOCATIONS, namer, view);
        print_sites(f, sites, SITES_BY_BYTES, namer, view);
    }
    print_trust(log, f);
    size_table_release(&sizes);
}

/* A word of a command line, quoted where a shell would want it. */
static void print_word(FILE *to, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";

    if (word[strspn(word, plain)] == 0) {
        fputs(word, to);
        return;
    }
    fputs(strpbrk(word, "\n\r\t\033") ? "$'" : "'", to);
    for (; *word; word++) {
        if (*word == '\'')
            fputs(strpbrk(word, "\n\r\t\033") ? "\\'" : "'\\''", to);
        else if ((unsigned char)*word < 32 || *word == 127)
            fprintf(to, "\\x%02x", (unsigned char)*word);
        else
            fputc(*word, to);
    }
    fputc('\'', to);
}

void report_print_summary(FILE *to, const struct log *log, const struct facts *f, const struct report_view *view)
{
    struct size_table sizes;
    uint64_t count, bytes;

    if (!f->allocations) {
        fprintf(to, "malloscope: no allocations. Log: ");
        print_word(to, view->log_name);
        fputc('\n', to);
        return;
    }
    sizes_table(&f->sizes, &sizes);
    size_table_below(&sizes, view->threshold, &count, &bytes);
    fprintf(to, "malloscope: %s allocations, %s; under %s bytes: %s %% of them, %s %% of the bytes\n",
            text_count(f->allocations), text_bytes(f->allocated_bytes), text_count(view->threshold),
            text_share(count, f->allocations), text_share(bytes, f->allocated_bytes));
    fprintf(to, "malloscope: peak %s, still allocated at exit %s in %s blocks", text_bytes(f->peak_bytes),
            text_bytes(f->leaked_bytes), text_count(f->leaked_blocks));
    if (log->recorded_count > 1)
        fprintf(to, "; %zu processes", log->recorded_count);
    uint64_t log_bytes = log->bytes + log->spool_bytes;
    fprintf(to, "\nmalloscope: log of %s, %.1f bytes an event. Next: ", text_bytes(log_bytes),
            f->events ? (double)log_bytes / (double)f->events : 0.0);
    print_word(to, view->command ? view->command : "malloscope");
    fprintf(to, " report ");
    print_word(to, view->log_name);
    fputc('\n', to);
    size_table_release(&sizes);
}
