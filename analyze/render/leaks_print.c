#include "analyze/render/coverage.h"
#include "analyze/render/frame_text.h"
#include "analyze/render/leaks.h"
#include "analyze/render/part.h"
#include "analyze/render/text.h"
#include "analyze/render/trust.h"

#include "format/record.h"

#include <inttypes.h>
#include <string.h>

#define PROCESSES_SHOWN 20

static void print_sum(const struct leak_sum *sum, const char *about)
{
    printf("%s%s in %s%s", about, text_counted(sum->bytes, "byte"), about, text_counted(sum->blocks, "block"));
}

static void print_sites_sum(const struct leak_sum *sum, const struct facts *f)
{
    if (!sum->blocks) {
        puts(f->settings.sample_bytes ? "none of the recorded blocks" : "nothing");
        return;
    }
    print_sum(sum, text_about(f->settings.sample_bytes));
    printf(", from %s\n", text_counted(sum->sites, "place"));
}

static void print_totals(const struct leaks *l, const struct facts *f)
{
    const char *about = text_about(f->settings.sample_bytes);

    if (l->at_moment) {
        printf("Alive at %.3f s: ", (double)f->duration_ns / 1e9);
        print_sites_sum(&l->alive, f);
    }
    if (l->at_moment && l->alive.blocks)
        puts("   in processes that lived then: what they free later is not told here");
    printf(l->at_moment ? "Leaked by then: " : "Leaked: ");
    print_sites_sum(&l->at_end, f);
    if (l->unended.blocks) {
        text_print_wrapped("  ", "No leaks: %s%s in %s%s of processes that did not end by exit() or a return from main\n", about,
                           text_counted(l->unended.bytes, "byte"), about, text_counted(l->unended.blocks, "block"));
    }
    if (l->suppressed.blocks) {
        printf("Suppressed: ");
        print_sum(&l->suppressed, about);
        putchar('\n');
    }
}

static int by_bytes(const void *left, const void *right, void *data)
{
    const struct facts *f = data;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    uint64_t mine = f->processes[a].leaked_bytes, other = f->processes[b].leaked_bytes;
    uint64_t began = f->told.processes[a].image, other_began = f->told.processes[b].image;
    return mine != other ? (mine > other ? -1 : 1) : began < other_began ? -1 : began > other_began;
}

static void print_processes(const struct leaks *l, const struct facts *f, bool is_filtered)
{
    _cleanup_free_ uint32_t *order = alloc_zeroed(f->by_start_count, sizeof *order);
    uint64_t blocks = 0, bytes = 0;

    memcpy(order, f->by_start, f->by_start_count * sizeof *order);
    qsort_r(order, f->by_start_count, sizeof *order, by_bytes, (void *)f);
    printf("\nStill allocated, by process%s\n       pid        blocks           bytes  program; how it ended\n",
           is_filtered ? ", of all stacks" : "");
    for (size_t i = 0; i < f->by_start_count; i++) {
        const struct facts_process *p = &f->processes[order[i]];
        if (i >= PROCESSES_SHOWN) {
            blocks += p->leaked_blocks;
            bytes += p->leaked_bytes;
            continue;
        }
        const char *exe = !p->told->exe ? "(its start was not recorded)" : *p->told->exe ? text_base_name(p->told->exe) : "(not known)";
        _cleanup_free_ char *row = format_text("%10u  %12s  %14s  ", p->told->pid, text_count(p->leaked_blocks), text_count(p->leaked_bytes));
        _cleanup_free_ char *name = text_make_safe(copy_text(exe, strlen(exe)));
        _cleanup_free_ char *text = format_text("%s; %s\n", name, ending_text(l->endings[order[i]], p->told));
        fputs(row, stdout);
        text_write_wrapped_from(stdout, (int)strlen(row), text, "                                          ");
    }
    if (f->by_start_count > PROCESSES_SHOWN)
        printf("%10s  %12s  %14s  ... %zu more\n", "", text_count(blocks), text_count(bytes), f->by_start_count - PROCESSES_SHOWN);
}

static void print_stack(const struct leaks *l, uint32_t node, size_t depth)
{
    size_t hidden = 0;

    for (size_t shown = 0; node; node = l->tree.nodes[node].parent, shown++) {
        if (shown >= depth) {
            hidden++;
            continue;
        }
        const char *end = l->tree.frames[l->tree.nodes[node].frame].is_inlined ? " (inlined)" : "";
        _cleanup_free_ char *text = frame_text(&l->tree, node, 0, text_columns() - 6 - (int)strlen(end));
        printf("      %s%s\n", text, end);
    }
    if (hidden)
        printf("      ... %s (--depth)\n", text_counted(hidden, "more frame"));
}

static void print_site(const struct leaks *l, const struct leak_site *s, const struct facts *f, const struct leaks_view *view)
{
    const char *about = text_about(f->settings.sample_bytes);
    uint64_t leaked = s->bytes - s->unended_bytes;
    bool is_leak = s->blocks > s->unended_blocks; /* shares: of what leaked; else of what did not */

    text_print_wrapped("   ", "\n%s%s in %s%s (%s %%), the first at %.3f s, alive for %s%s\n", about, text_counted(s->bytes, "byte"), about,
           text_counted(s->blocks, "block"), is_leak ? text_share(leaked, l->leaked.bytes) : text_share(s->bytes, l->unended.bytes), (double)s->first_us / 1e6,
           s->blocks == 1 ? "" : "up to ", text_duration(s->age_us));
    if (!is_leak)
        puts("   no leak: the process did not end by exit() or a return from main");
    else if (s->unended_blocks)
        text_print_wrapped("   ", "   of these no leak: %s in %s; their processes did not end by exit() or a return from main\n",
               text_counted(s->unended_bytes, "byte"), text_counted(s->unended_blocks, "block"));
    if (l->at_moment && s->at_end_blocks)
        text_print_wrapped("   ", s->at_end_blocks == s->blocks ? "   leaked by then\n" : "   of these leaked by then: %s in %s\n",
                           text_counted(s->at_end_bytes, "byte"), text_counted(s->at_end_blocks, "block"));
    if (s->has_twin)
        printf("   allocated by %s\n", rec_function_name(s->function));
    print_stack(l, s->node, view->depth);
}

static void print_rules(const struct suppressions *rules)
{
    bool begun = false;

    for (size_t i = 0; i < rules->count; i++) {
        const struct suppression *rule = &rules->rules[i];
        if (!rule->sites)
            continue;
        if (!begun)
            printf("\nSuppressed\n      blocks           bytes  rule\n");
        begun = true;
        printf("%12s  %14s  leak:", text_count(rule->blocks), text_count(rule->bytes));
        text_print_safe(rule->pattern, strlen(rule->pattern));
        puts(rule->is_builtin ? "  (built in)" : "");
    }
}

void leaks_print(const struct leaks *l, const struct suppressions *rules, const struct log *log, const struct facts *f,
                 const struct leaks_view *view)
{
    const struct coverage coverage = { &f->settings, f->recorded, f->told.was_paused };
    struct trust trust;

    if (part_print(stdout, f) + coverage_print(stdout, &coverage, ""))
        putchar('\n');
    trust_of_facts(log, f, &trust);
    print_totals(l, f);
    if (trust.lost_events)
        text_print_wrapped("  ", "But %s %s lost: what they freed shows here, and what they allocated does not\n",
                           text_counted(trust.lost_events, "event"), trust.lost_events == 1 ? "was" : "were");
    print_processes(l, f, view->is_filtered);
    for (size_t i = 0; i < l->count && i < view->top; i++)
        print_site(l, &l->sites[i], f, view);
    if (l->count > view->top)
        printf("\n... %s (-n)\n", text_counted(l->count - view->top, "more place"));
    print_rules(rules);
    trust_print(stdout, &trust);
}
