#include "analyze/check/measured_sums.h"

#include "analyze/hash.h"

#include <string.h>

uint32_t measured_sum_number(const struct measured_sums *sums, const char *name)
{
    struct hash_search s = hash_table_search(&sums->table, hash_add_text(0, name));

    while (hash_table_next(&sums->table, &s))
        if (strcmp(sums->of[s.number].name, name) == 0)
            return s.number;
    return UINT32_MAX;
}

const struct measured_sum *measured_find_sum(const struct measured_sums *sums, const char *name)
{
    uint32_t number = measured_sum_number(sums, name);
    return number == UINT32_MAX ? NULL : &sums->of[number];
}

uint64_t measured_sum_value(const struct measured_sum *sum, size_t run, enum verdict_kind kind)
{
    return sum && run < sum->run_capacity ? sum->runs[run][kind] : 0;
}

uint32_t measured_sums_add(struct measured_sums *sums, char *name, size_t run, uint32_t row, const uint64_t *values)
{
    uint32_t number = measured_sum_number(sums, name);

    if (number == UINT32_MAX) {
        number = (uint32_t)sums->count;
        sums->of = grow(sums->of, &sums->capacity, sums->count + 1, sizeof *sums->of);
        sums->of[sums->count++] = (struct measured_sum){ .name = name, .last_row = UINT32_MAX };
        hash_table_add(&sums->table, hash_add_text(0, name), number);
    } else {
        free(name);
    }
    struct measured_sum *sum = &sums->of[number];
    sum->runs = grow(sum->runs, &sum->run_capacity, run + 1, sizeof *sum->runs);
    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS && sum->last_row != row; kind++)
        sum->runs[run][kind] += values[kind];
    sum->last_row = row;
    return number;
}

void measured_sums_begin(struct measured_sums *sums)
{
    for (size_t i = 0; i < sums->count; i++)
        sums->of[i].last_row = UINT32_MAX;
}

void measured_sums_release(struct measured_sums *sums)
{
    for (size_t i = 0; i < sums->count; i++) {
        free(sums->of[i].name);
        free(sums->of[i].runs);
    }
    free(sums->of);
    hash_table_release(&sums->table);
}
