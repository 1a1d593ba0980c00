/* The tree of processes: figures are on the left, so that they can be compared, the tree is on the right.
 * Its rows come from processes_rows.c. */
#include "analyze/render/processes_inside.h"

#include "analyze/render/text.h"

#include <string.h>

#define COMMAND_LEAST 60  /* characters of a command line that are shown; more on a wide terminal */
#define FIGURES_COLUMNS 52

/* Text behind the figures and the tree's lines; folded, it goes on below itself. Roots have no lines. */
static void print_text(const struct row *row, const char *text)
{
    bool utf8 = text_is_utf8();
    char indent[FIGURES_COLUMNS + 64 * 8], *at = indent + sprintf(indent, "%*s", FIGURES_COLUMNS, "");
    int columns = FIGURES_COLUMNS + (int)row->level * 3;

    for (unsigned level = 1; level <= row->level; level++) {
        bool is_open = level < row->level ? row->open >> level & 1 : !row->is_last;
        if (level == row->level)
            printf("%s%s", indent + FIGURES_COLUMNS, utf8 ? row->is_last ? "└─ " : "├─ " : row->is_last ? "`- " : "|- ");
        at = stpcpy(at, !is_open ? "   " : utf8 ? "│  " : "|  ");
    }
    if (row->beyond)
        columns += printf("+%u ", row->beyond);
    text_write_wrapped_from(stdout, columns, text, indent);
}

/* What is shown of a command line. */
static char *cut(const char *text, int columns)
{
    int room = columns > COMMAND_LEAST ? columns : COMMAND_LEAST;
    size_t bytes = strlen(text), shown = bytes;

    if (bytes > (size_t)room)
        for (shown = (size_t)room; shown && ((unsigned char)text[shown] & 0xc0) == 0x80;)
            shown--; /* not inside a character */
    _cleanup_free_ char *begin = copy_text(text, shown);
    return format_text("%s%s", begin, shown < bytes ? "..." : "");
}

/* Without the directory of its first word. */
static const char *short_command(const char *command)
{
    size_t word = strcspn(command, " ");
    const char *slash = memrchr(command, '/', word);
    return slash && slash + 1 < command + word ? slash + 1 : command;
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static void write_process(FILE *to, const struct view *v, const struct row *row)
{
    static const char *const starts[] = { "", "fork: ", "exec: " };
    const struct facts_process *p = process_at(v->facts, row->which);
    const char *start = p->told->started ? starts[p->told->start % 3] : "";
    int columns = text_columns() - FIGURES_COLUMNS - (int)row->level * 3 - (int)strlen(start);
    const char *words = !p->told->started ? "(its start was not recorded)" : *p->told->arguments ? p->told->arguments
                        : *p->told->exe ? p->told->exe : "(not known)";
    _cleanup_free_ char *command = cut(p->told->started ? short_command(words) : words, columns);

    fputs(start, to);
    text_write_safe(to, command);
    fprintf(to, "; %s", ending_text(v->endings[v->facts->by_start[row->which]], p->told));
    if (p->told->paused_ns)
        fprintf(to, "; paused for %.3f s of %.3f s", seconds(p->told->paused_ns), seconds(p->told->last_ns - p->told->first_ns));
}

static void write_untraced(FILE *to, const struct note_untraced *n)
{
    static const char *const reasons[] = {
        [REC_UNTRACED_STATIC] = "statically linked",
        [REC_UNTRACED_PRIVILEGED] = "set-user-ID, set-group-ID, with capabilities, or under another user's rights",
        [REC_UNTRACED_MACHINE] = "for another architecture",
        [REC_UNTRACED_LIBC] = "for another C library",
        [REC_UNTRACED_UNREACHABLE] = "it cannot open the log or the recorder's library, or its limits leave no room for them",
        [REC_UNTRACED_SANDBOX] = "its seccomp filter would kill it for what recording takes",
        [REC_UNTRACED_SANITIZER] = "a sanitizer's runtime in it must be loaded before all else",
        [REC_UNTRACED_STATIC_PASSES] = "statically linked",
        [REC_UNTRACED_FAILED] = "it found no room for its live file, or had no right to make one or to open the log",
        [REC_UNTRACED_UNTOLD] = "no more of it could be noted",
    };
    bool known = n->reason < sizeof reasons / sizeof *reasons && reasons[n->reason];

    fprintf(to, "not recorded, %s what it starts: ", n->reason == REC_UNTRACED_STATIC_PASSES ? "unlike" : "nor");
    text_write_safe(to, *n->path ? n->path : "?"); /* of some only the number is known */
    fprintf(to, " (%s)", known ? reasons[n->reason] : "for a reason that this version does not know");
    if (n->count > 1)
        fprintf(to, ", %s times", text_count(n->count));
}

static void write_own_malloc(FILE *to, const char *path)
{
    fprintf(to, "not recorded: calls that reach the malloc in ");
    text_write_safe(to, path);
    fprintf(to, ", which goes before the recorder's");
}

static void write_own_heap(FILE *to, const char *path)
{
    fprintf(to, "not recorded: its own calls of the malloc in ");
    text_write_safe(to, path);
    fprintf(to, ", which is not exported");
}

static void write_row(FILE *to, const struct view *v, const struct row *row)
{
    switch (row->kind) {
    case ROW_PROCESS:
        write_process(to, v, row);
        return;
    case ROW_OWN_MALLOC:
        write_own_malloc(to, process_at(v->facts, row->which)->told->other_malloc);
        return;
    case ROW_OWN_HEAP:
        write_own_heap(to, process_at(v->facts, row->which)->told->own_heap);
        return;
    case ROW_UNTRACED:
        write_untraced(to, &v->facts->told.notes.untraced[row->which]);
        return;
    case ROW_UNTRACED_MORE:
        fprintf(to, "... %s that %s not recorded", text_counted(row->sum.processes, "more program"), row->sum.processes == 1 ? "was" : "were");
        return;
    case ROW_MORE:
        fprintf(to, "... %s", text_counted(row->sum.processes, "more process"));
    }
}

static void print_figures(const struct view *v, const struct row *row)
{
    const struct facts_process *p = row->kind == ROW_PROCESS ? process_at(v->facts, row->which) : NULL;

    if (p)
        printf("%10u  %12s  %10s  %12s  ", p->told->pid, text_count(p->allocations), text_bytes(p->allocated_bytes),
               text_bytes(p->leaked_bytes));
    else if (row->kind == ROW_MORE)
        printf("%10s  %12s  %10s  %12s  ", "", text_count(row->sum.allocations), text_bytes(row->sum.bytes),
               text_bytes(row->sum.leaked_bytes));
    else if (row->kind == ROW_UNTRACED)
        printf("%10u  %12s  %10s  %12s  ", v->facts->told.notes.untraced[row->which].pid, "-", "-", "-");
    else
        printf("%10s  %12s  %10s  %12s  ", "", "", "", "");
}

static void print_row(const struct view *v, const struct row *row)
{
    _cleanup_free_ char *text = NULL;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);

    if (!to)
        return;
    write_row(to, v, row);
    fputc('\n', to);
    fclose(to);
    print_figures(v, row);
    print_text(row, text);
}

void processes_print(const struct facts *f)
{
    struct view v = { .facts = f };

    process_tree_make(f, &v.tree);
    if (!v.tree.count) {
        puts("No processes");
        process_tree_release(&v.tree);
        return;
    }
    v.endings = endings_find(f);
    v.more = alloc_zeroed(v.tree.count + 1, sizeof *v.more);
    v.untraced = alloc_zeroed(f->told.process_count, sizeof *v.untraced);
    for (size_t i = f->told.notes.untraced_count; i-- > 0;)
        v.untraced[f->told.notes.untraced[i].process] = i;
    if (v.tree.count > PROCESSES_SHOWN)
        programs_print(f);
    processes_rows_make(&v);
    printf("%s%s\n", text_noun(v.tree.count, "Process"), v.shown ? ", those with the most bytes and who started them" : "");
    printf("       pid   allocations       bytes     not freed  program\n");
    for (size_t i = 0; i < v.rows.count; i++)
        print_row(&v, &v.rows.rows[i]);
    process_tree_release(&v.tree);
    free(v.shown);
    free(v.endings);
    free(v.more);
    free(v.untraced);
    free(v.rows.rows);
}
