/* The tree of processes: figures are on the left, so that they can be compared, the tree is on the right.
 * Its rows come from processes_rows.c. */
#include "analyze/render/processes_inside.h"

#include "analyze/render/text.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define COMMAND_LEAST 60  /* characters of a command line that are shown; more on a wide terminal */
#define FIGURES_COLUMNS 52

/* Roots have no lines. Returns the columns. */
static int print_lines(const struct row *row)
{
    bool utf8 = text_is_utf8();

    for (unsigned level = 1; level < row->level; level++)
        fputs(!(row->open >> level & 1) ? "   " : utf8 ? "│  " : "|  ", stdout);
    if (row->level)
        fputs(utf8 ? row->is_last ? "└─ " : "├─ " : row->is_last ? "`- " : "|- ", stdout);
    return (int)row->level * 3 + (row->beyond ? printf("+%u ", row->beyond) : 0);
}

static void print_cut(const char *text, int columns)
{
    int room = columns > COMMAND_LEAST ? columns : COMMAND_LEAST;
    size_t bytes = strlen(text), shown = bytes;

    if (bytes > (size_t)room)
        for (shown = (size_t)room; shown && ((unsigned char)text[shown] & 0xc0) == 0x80;)
            shown--; /* not inside a character */
    text_print_safe(text, shown);
    if (shown < bytes)
        printf("...");
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

static void print_process(const struct facts_process *p, const struct row *row)
{
    static const char *const starts[] = { "", "fork: ", "exec: " };
    const char *start = p->told->started ? starts[p->told->start % 3] : "";

    printf("%10u  %12s  %10s  %12s  ", p->told->pid, text_count(p->allocations), text_bytes(p->allocated_bytes),
           text_bytes(p->leaked_bytes));
    int columns = text_columns() - FIGURES_COLUMNS - print_lines(row) - (int)strlen(start);
    fputs(start, stdout);
    if (!p->told->started)
        printf("(its start was not recorded)");
    else
        print_cut(short_command(*p->told->arguments ? p->told->arguments : *p->told->exe ? p->told->exe : "(not known)"), columns);
    if (p->goes_on)
        printf("; went on");
    else if (p->told->status_known && WIFSIGNALED(p->told->wait_status))
        printf("; killed by signal %d (%s)", WTERMSIG(p->told->wait_status), strsignal(WTERMSIG(p->told->wait_status)));
    else if (p->told->status_known)
        printf("; exit status %d", WEXITSTATUS(p->told->wait_status));
    else if (p->told->running)
        printf("; still running");
    if (p->told->paused_ns)
        printf("; paused for %.3f s of %.3f s", seconds(p->told->paused_ns), seconds(p->told->last_ns - p->told->first_ns));
    putchar('\n');
}

static void print_untraced(const struct note_untraced *n)
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

    printf("not recorded, %s what it starts: ", n->reason == REC_UNTRACED_STATIC_PASSES ? "unlike" : "nor");
    text_print_safe(*n->path ? n->path : "?", *n->path ? strlen(n->path) : 1); /* of some only the number is known */
    printf(" (%s)", known ? reasons[n->reason] : "for a reason that this version does not know");
    if (n->count > 1)
        printf(", %s times", text_count(n->count));
    putchar('\n');
}

static void print_own_malloc(const char *path)
{
    printf("not recorded: calls that reach the malloc in ");
    text_print_safe(path, strlen(path));
    printf(", which goes before the recorder's\n");
}

static void print_own_heap(const char *path)
{
    printf("not recorded: its own calls of the malloc in ");
    text_print_safe(path, strlen(path));
    printf(", which is not exported\n");
}

static void print_row(const struct view *v, const struct row *row)
{
    if (row->kind == ROW_PROCESS) {
        print_process(process_at(v->facts, row->which), row);
        return;
    }
    if (row->kind == ROW_MORE) {
        printf("%10s  %12s  %10s  %12s  ", "", text_count(row->sum.allocations), text_bytes(row->sum.bytes),
               text_bytes(row->sum.leaked_bytes));
        print_lines(row);
        printf("... %s\n", text_counted(row->sum.processes, "more process"));
        return;
    }
    if (row->kind == ROW_UNTRACED)
        printf("%10u  %12s  %10s  %12s  ", v->facts->told.notes.untraced[row->which].pid, "-", "-", "-");
    else
        printf("%10s  %12s  %10s  %12s  ", "", "", "", "");
    print_lines(row);
    if (row->kind == ROW_OWN_MALLOC)
        print_own_malloc(process_at(v->facts, row->which)->told->other_malloc);
    else if (row->kind == ROW_OWN_HEAP)
        print_own_heap(process_at(v->facts, row->which)->told->own_heap);
    else if (row->kind == ROW_UNTRACED)
        print_untraced(&v->facts->told.notes.untraced[row->which]);
    else
        printf("... %s that %s not recorded\n", text_counted(row->sum.processes, "more program"), row->sum.processes == 1 ? "was" : "were");
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
    free(v.more);
    free(v.untraced);
    free(v.rows.rows);
}
