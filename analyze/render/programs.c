#include "analyze/render/processes_inside.h"

#include "analyze/render/text.h"

#include <string.h>

#define PROGRAMS_SHOWN 20

struct program {
    const char *name;
    struct sum sum;
};

static const char *program_name(const struct facts_process *p)
{
    return p->told->exe && *p->told->exe ? text_base_name(p->told->exe) : "(not known)";
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

void programs_print(const struct facts *f)
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
