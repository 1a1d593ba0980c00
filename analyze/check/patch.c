/* Two texts -> the lines that differ, each change with three lines around it: the longest common subsequence of what is between
 * their common beginning and end. Where that is too much for a table of all pairs, it is one change. */
#include "analyze/check/patch.h"

#include "analyze/render/text.h"
#include "analyze/util.h"

#include <string.h>

#define AROUND 3
#define PAIRS_MOST (16 << 20)

struct lines {
    const char **at;
    size_t *bytes;
    size_t count;
};

static struct lines split(const char *text)
{
    struct lines l = { 0 };
    size_t count = 0;

    for (const char *at = text; *at; at++)
        count += *at == '\n';
    l.at = alloc_zeroed(count + 2, sizeof *l.at);
    l.bytes = alloc_zeroed(count + 2, sizeof *l.bytes);
    for (const char *at = text; *at;) {
        size_t bytes = strcspn(at, "\n");
        l.at[l.count] = at;
        l.bytes[l.count++] = bytes;
        at += bytes + (at[bytes] == '\n');
    }
    return l;
}

static bool is_same(const struct lines *a, size_t i, const struct lines *b, size_t k)
{
    return a->bytes[i] == b->bytes[k] && memcmp(a->at[i], b->at[k], a->bytes[i]) == 0;
}

/* is_kept of each old and new line. */
static void match(const struct lines *a, const struct lines *b, bool *a_kept, bool *b_kept)
{
    size_t first = 0, a_end = a->count, b_end = b->count;

    for (; first < a_end && first < b_end && is_same(a, first, b, first); first++)
        a_kept[first] = b_kept[first] = true;
    for (; a_end > first && b_end > first && is_same(a, a_end - 1, b, b_end - 1); a_end--, b_end--)
        a_kept[a_end - 1] = b_kept[b_end - 1] = true;
    size_t rows = a_end - first, columns = b_end - first;
    if (!rows || !columns || rows > PAIRS_MOST / columns)
        return;
    _cleanup_free_ uint32_t *longest = alloc_zeroed((rows + 1) * (columns + 1), sizeof *longest);
#define AT(i, k) longest[(i) * (columns + 1) + (k)]
    for (size_t i = rows; i-- > 0;)
        for (size_t k = columns; k-- > 0;)
            AT(i, k) = is_same(a, first + i, b, first + k)   ? AT(i + 1, k + 1) + 1
                       : AT(i + 1, k) > AT(i, k + 1) ? AT(i + 1, k)
                                                     : AT(i, k + 1);
    for (size_t i = 0, k = 0; i < rows && k < columns;) {
        if (is_same(a, first + i, b, first + k))
            a_kept[first + i++] = b_kept[first + k++] = true;
        else if (AT(i + 1, k) >= AT(i, k + 1))
            i++;
        else
            k++;
    }
#undef AT
}

static void print_line(FILE *to, char sign, const struct lines *l, size_t number)
{
    _cleanup_free_ char *line = copy_text(l->at[number], l->bytes[number]);

    fputc(sign, to);
    text_write_safe(to, line);
    fputc('\n', to);
}

/* From a change's first line on; its end, with what is around it: where more than twice that is the same. */
static void find_end(const struct lines *a, const struct lines *b, const bool *a_kept, const bool *b_kept, size_t *ret_i, size_t *ret_k)
{
    size_t i = *ret_i, k = *ret_k, same = 0;

    while ((i < a->count || k < b->count) && same <= 2 * AROUND) {
        if (i < a->count && !a_kept[i]) {
            i++;
            same = 0;
        } else if (k < b->count && !b_kept[k]) {
            k++;
            same = 0;
        } else {
            i++;
            k++;
            same++;
        }
    }
    size_t back = same > AROUND ? same - AROUND : 0;
    *ret_i = i - back;
    *ret_k = k - back;
}

static void print_hunk(FILE *to, const struct lines *a, const struct lines *b, const bool *a_kept, const bool *b_kept, size_t i, size_t k,
                       size_t a_end, size_t b_end)
{
    fprintf(to, "@@ -%zu,%zu +%zu,%zu @@\n", a_end > i ? i + 1 : i, a_end - i, b_end > k ? k + 1 : k, b_end - k);
    while (i < a_end || k < b_end) {
        if (i < a_end && !a_kept[i])
            print_line(to, '-', a, i++);
        else if (k < b_end && !b_kept[k])
            print_line(to, '+', b, k++);
        else {
            print_line(to, ' ', a, i++);
            k++;
        }
    }
}

void patch_print(FILE *to, const char *name, const char *old, const char *new)
{
    struct lines a = split(old ? old : ""), b = split(new);
    _cleanup_free_ bool *a_kept = alloc_zeroed(a.count + 1, 1), *b_kept = alloc_zeroed(b.count + 1, 1);

    match(&a, &b, a_kept, b_kept);
    if (!old || strcmp(old, new) != 0)
        fprintf(to, "--- %s\n+++ %s\n", old ? name : "/dev/null", name);
    for (size_t i = 0, k = 0; i < a.count || k < b.count;) {
        if (i < a.count && k < b.count && a_kept[i] && b_kept[k]) {
            i++;
            k++;
            continue;
        }
        size_t around = i < k ? i : k, from = around < AROUND ? around : AROUND, a_end = i, b_end = k;
        for (size_t n = 1; n <= from; n++) /* what is the same just before */
            if (!a_kept[i - n] || !b_kept[k - n])
                from = n - 1;
        find_end(&a, &b, a_kept, b_kept, &a_end, &b_end);
        print_hunk(to, &a, &b, a_kept, b_kept, i - from, k - from, a_end, b_end);
        i = a_end;
        k = b_end;
    }
    free(a.at);
    free(a.bytes);
    free(b.at);
    free(b.bytes);
}
