/* The tree is turned into rows first: which lines of it go on below a row is known
 * only from the rows that follow. Figures are on the left, so that they can be
 * compared, the tree is on the right. */
#include "analyze/render/processes.h"

#include "analyze/model/process_tree.h"
#include "analyze/render/text.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define PROCESSES_SHOWN 20
#define PROGRAMS_SHOWN 20
#define UNTRACED_SHOWN 5  /* of one process */
#define COMMAND_LEAST 60  /* characters of a command line that are shown; more on a wide terminal */
#define FIGURES_COLUMNS 52
#define LEVELS_SHOWN 8    /* deeper ones are not indented further, but have a number: so many levels below */

struct sum {
    uint64_t processes, allocations, bytes, leaked_bytes;
};

struct row {
    enum { ROW_PROCESS, ROW_OWN_MALLOC, ROW_OWN_HEAP, ROW_UNTRACED, ROW_UNTRACED_MORE, ROW_MORE } kind;
    uint32_t which; /* place of the process (of the one above), or index in notes.untraced */
    unsigned level, beyond; /* beyond: levels that were not indented */
    bool is_last;   /* child of its parent */
    uint64_t open;  /* levels whose line goes on below */
    struct sum sum; /* ROW_MORE; of ROW_UNTRACED_MORE only processes */
};

struct rows {
    struct row *rows;
    size_t count, capacity;
};

struct view {
    const struct facts *facts;
    struct process_tree tree;
    bool *shown;       /* by place; all: NULL */
    struct sum *more;  /* by place: what is not shown below it; the last is for roots */
    size_t *untraced;  /* by process index: where its own begin in notes.untraced */
    struct rows rows;
};

static const struct facts_process *process_at(const struct facts *f, uint32_t place)
{
    return &f->processes[f->by_start[place]];
}

static void add_process(struct sum *sum, const struct facts_process *p)
{
    sum->processes++;
    sum->allocations += p->allocations;
    sum->bytes += p->allocated_bytes;
    sum->leaked_bytes += p->leaked_bytes;
}

static void add_sum(struct sum *sum, const struct sum *more)
{
    sum->processes += more->processes;
    sum->allocations += more->allocations;
    sum->bytes += more->bytes;
    sum->leaked_bytes += more->leaked_bytes;
}

/* --- which processes ---------------------------------------------------------- */

static int by_bytes(const void *left, const void *right, void *data)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    uint64_t mine = process_at(data, a)->allocated_bytes, other = process_at(data, b)->allocated_bytes;
    return mine != other ? (mine > other ? -1 : 1) : a < b ? -1 : a > b;
}

static void choose(struct view *v)
{
    size_t count = v->tree.count;
    _cleanup_free_ uint32_t *order = alloc_zeroed(count, sizeof *order);

    v->shown = alloc_zeroed(count, sizeof *v->shown);
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    qsort_r(order, count, sizeof *order, by_bytes, (void *)v->facts);
    for (size_t i = 0; i < PROCESSES_SHOWN; i++)
        for (uint32_t place = order[i]; place != TREE_NONE && !v->shown[place]; place = v->tree.nodes[place].parent)
            v->shown[place] = true;
    _cleanup_free_ struct sum *below = alloc_zeroed(count, sizeof *below);
    for (uint32_t i = (uint32_t)count; i-- > 0;) { /* children come after their parents */
        uint32_t parent = v->tree.nodes[i].parent;
        if (v->shown[i])
            continue;
        add_process(&below[i], process_at(v->facts, i));
        bool is_hidden = parent != TREE_NONE && !v->shown[parent];
        add_sum(is_hidden ? &below[parent] : &v->more[parent == TREE_NONE ? count : parent], &below[i]);
    }
}

static uint32_t shown_from(const struct view *v, uint32_t place)
{
    while (place != TREE_NONE && v->shown && !v->shown[place])
        place = v->tree.nodes[place].next;
    return place;
}

/* --- rows ---------------------------------------------------------------------- */

static struct row *add_row(struct view *v, unsigned kind, uint32_t which, unsigned level)
{
    struct rows *r = &v->rows;

    r->rows = grow(r->rows, &r->capacity, r->count + 1, sizeof *r->rows);
    r->rows[r->count] = (struct row){ .kind = kind, .which = which, .level = level < LEVELS_SHOWN ? level : LEVELS_SHOWN,
                                        .beyond = level < LEVELS_SHOWN ? 0 : level - LEVELS_SHOWN };
    return &r->rows[r->count++];
}

static void add_untraced(struct view *v, uint32_t process, unsigned level)
{
    const struct notes *n = &v->facts->told.notes;
    size_t at = v->untraced[process], end = at;

    while (end < n->untraced_count && n->untraced[end].process == process)
        end++;
    for (size_t i = at; i < end && i - at < UNTRACED_SHOWN; i++)
        add_row(v, ROW_UNTRACED, (uint32_t)i, level);
    if (end - at > UNTRACED_SHOWN)
        add_row(v, ROW_UNTRACED_MORE, 0, level)->sum.processes = end - at - UNTRACED_SHOWN;
}

static void add_more(struct view *v, uint32_t parent, unsigned level)
{
    const struct sum *more = &v->more[parent == TREE_NONE ? v->tree.count : parent];

    if (more->processes)
        add_row(v, ROW_MORE, 0, level)->sum = *more;
}

static void make_rows(struct view *v)
{
    uint32_t place = shown_from(v, v->tree.first_root);
    unsigned level = 0;

    while (place != TREE_NONE) {
        add_row(v, ROW_PROCESS, place, level);
        if (process_at(v->facts, place)->told->other_malloc && *process_at(v->facts, place)->told->other_malloc)
            add_row(v, ROW_OWN_MALLOC, place, level + 1);
        if (process_at(v->facts, place)->told->own_heap)
            add_row(v, ROW_OWN_HEAP, place, level + 1);
        add_untraced(v, v->facts->by_start[place], level + 1);
        uint32_t next = shown_from(v, v->tree.nodes[place].first_child);
        if (next != TREE_NONE) {
            place = next;
            level++;
            continue;
        }
        add_more(v, place, level + 1);
        while ((next = shown_from(v, v->tree.nodes[place].next)) == TREE_NONE) {
            place = v->tree.nodes[place].parent;
            add_more(v, place, level);
            if (place == TREE_NONE)
                break;
            level--;
        }
        place = next;
    }
}

static void connect_rows(struct rows *r)
{
    uint64_t open = 0;

    for (size_t i = r->count; i-- > 0;) {
        struct row *row = &r->rows[i];
        row->is_last = !(open >> row->level & 1);
        row->open = open & ((1ull << row->level) - 1);
        open = row->open | 1ull << row->level;
    }
}

/* --- printing ------------------------------------------------------------------ */

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
        print_cut(short_command(*p->told->arguments ? p->told->arguments : p->told->exe), columns);
    if (p->told->status_known && WIFSIGNALED(p->told->wait_status))
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
        printf("... %s more process%s\n", text_count(row->sum.processes), row->sum.processes == 1 ? "" : "es");
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
        printf("... %s more programs that were not recorded\n", text_count(row->sum.processes));
}

/* --- sums for programs ------------------------------------------------------------ */

struct program {
    const char *name;
    struct sum sum;
};

static const char *program_name(const struct facts_process *p)
{
    return p->told->exe ? text_base_name(p->told->exe) : "(not known)";
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct program *)left)->name, ((const struct program *)right)->name);
}

static int by_sum(const void *left, const void *right)
{
    const struct program *a = left, *b = right;
    return a->sum.bytes != b->sum.bytes ? (a->sum.bytes > b->sum.bytes ? -1 : 1) : strcmp(a->name, b->name);
}

static void print_programs(const struct facts *f)
{
    _cleanup_free_ struct program *programs = alloc_zeroed(f->by_start_count, sizeof *programs);
    size_t count = 0;

    for (uint32_t i = 0; i < f->by_start_count; i++) {
        programs[i].name = program_name(process_at(f, i));
        add_process(&programs[i].sum, process_at(f, i));
    }
    qsort(programs, f->by_start_count, sizeof *programs, by_name);
    for (size_t i = 0; i < f->by_start_count; i++) {
        if (count && strcmp(programs[count - 1].name, programs[i].name) == 0)
            add_sum(&programs[count - 1].sum, &programs[i].sum);
        else
            programs[count++] = programs[i];
    }
    qsort(programs, count, sizeof *programs, by_sum);
    printf("Programs\n processes   allocations       bytes     not freed  program\n");
    struct sum rest = { 0 };
    for (size_t i = 0; i < count; i++) {
        const struct sum *sum = &programs[i].sum;
        if (i >= PROGRAMS_SHOWN) {
            add_sum(&rest, sum);
            continue;
        }
        printf("%10s  %12s  %10s  %12s  ", text_count(sum->processes), text_count(sum->allocations), text_bytes(sum->bytes),
               text_bytes(sum->leaked_bytes));
        text_print_safe(programs[i].name, strlen(programs[i].name));
        putchar('\n');
    }
    if (rest.processes)
        printf("%10s  %12s  %10s  %12s  ... %zu more programs\n", text_count(rest.processes), text_count(rest.allocations),
               text_bytes(rest.bytes), text_bytes(rest.leaked_bytes), count - PROGRAMS_SHOWN);
    putchar('\n');
}

void processes_print(const struct facts *f)
{
    struct view v = { .facts = f };

    process_tree_make(f, &v.tree);
    v.more = alloc_zeroed(v.tree.count + 1, sizeof *v.more);
    v.untraced = alloc_zeroed(f->told.process_count, sizeof *v.untraced);
    for (size_t i = f->told.notes.untraced_count; i-- > 0;)
        v.untraced[f->told.notes.untraced[i].process] = i;
    if (v.tree.count > PROCESSES_SHOWN) {
        print_programs(f);
        choose(&v);
    }
    make_rows(&v);
    connect_rows(&v.rows);
    printf("Process%s%s\n", v.tree.count == 1 ? "" : "es", v.shown ? ", those with the most bytes and who started them" : "");
    printf("       pid   allocations       bytes     not freed  program\n");
    for (size_t i = 0; i < v.rows.count; i++)
        print_row(&v, &v.rows.rows[i]);
    process_tree_release(&v.tree);
    free(v.shown);
    free(v.more);
    free(v.untraced);
    free(v.rows.rows);
}
