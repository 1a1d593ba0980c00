#include "analyze/model/endings.h"

#include "analyze/model/process_tree.h"

#include <string.h>
#include <sys/wait.h>

static enum ending ending_of(const struct facts_process *facts)
{
    const struct told_process *p = facts->told;

    if (facts->goes_on)
        return ENDING_LATER;
    if (told_has_exited(p))
        return ENDING_EXIT;
    if (p->status_known && WIFSIGNALED(p->wait_status))
        return ENDING_SIGNAL;
    if (p->left)
        return ENDING_LEFT;
    return p->running ? ENDING_RUNNING : ENDING_UNKNOWN;
}

enum ending *endings_find(const struct facts *f)
{
    enum ending *endings = alloc_zeroed(f->told.process_count, sizeof *endings);
    struct process_tree tree;

    for (size_t i = 0; i < f->told.process_count; i++)
        endings[i] = ending_of(&f->processes[i]);
    process_tree_make(f, &tree);
    for (uint32_t place = 0; place < tree.count; place++) {
        const struct told_process *p = f->processes[f->by_start[place]].told;
        uint32_t parent = tree.nodes[place].parent;
        if (parent != TREE_NONE && !f->processes[f->by_start[parent]].goes_on && p->start == REC_START_EXEC && f->processes[f->by_start[parent]].told->pid == p->pid)
            endings[f->by_start[parent]] = ENDING_EXEC;
    }
    process_tree_release(&tree);
    return endings;
}

const char *ending_text(enum ending ending, const struct told_process *p)
{
    static char text[96];

    switch (ending) {
    case ENDING_EXIT:
        if (!p->status_known)
            return "exited";
        snprintf(text, sizeof text, "exit status %d", WEXITSTATUS(p->wait_status));
        return text;
    case ENDING_SIGNAL:
        snprintf(text, sizeof text, "killed by signal %d (%s)", WTERMSIG(p->wait_status), strsignal(WTERMSIG(p->wait_status)));
        return text;
    case ENDING_EXEC:
        return "executed another program";
    case ENDING_RUNNING:
        return "still running";
    case ENDING_LEFT:
        if (!p->status_known)
            return "quick_exit";
        snprintf(text, sizeof text, "%s status %d", p->quick ? "quick_exit" : "_exit", WEXITSTATUS(p->wait_status));
        return text;
    case ENDING_LATER:
        return "went on";
    case ENDING_UNKNOWN:
        break;
    }
    return "ended unseen";
}

const char *ending_name(enum ending ending)
{
    static const char *const names[] = { "unknown", "exit", "signal", "exec", "running", "left", "later" };
    return names[ending];
}
