/* Keys are compared frame by frame, each with its newline. */
#include "analyze/check/edit.h"

#include "analyze/check/measured.h"

#include <string.h>

size_t edit_frames_of(const char *key)
{
    size_t count = 0;

    for (; (key = strchr(key, '\n')); key++)
        count++;
    return count;
}

bool edit_is_substitution(const char *a, const char *b, const char **ret_a, size_t *ret_a_bytes, const char **ret_b, size_t *ret_b_bytes,
                          size_t *ret_equal)
{
    bool is_one = true;

    *ret_a = NULL;
    *ret_equal = 0;
    for (; *a && *b; a += strcspn(a, "\n") + 1, b += strcspn(b, "\n") + 1) {
        size_t a_bytes = strcspn(a, "\n"), b_bytes = strcspn(b, "\n");
        if (a_bytes == b_bytes && memcmp(a, b, a_bytes) == 0) {
            (*ret_equal)++;
            continue;
        }
        if (*ret_a)
            is_one &= a_bytes == *ret_a_bytes && b_bytes == *ret_b_bytes && memcmp(a, *ret_a, a_bytes) == 0 && memcmp(b, *ret_b, b_bytes) == 0;
        else
            *ret_a = a, *ret_b = b, *ret_a_bytes = a_bytes, *ret_b_bytes = b_bytes;
    }
    return is_one && !*a && !*b && *ret_a;
}

static const char *skip_equal(const char *a, const char **b)
{
    for (size_t bytes; *a && (bytes = strcspn(a, "\n") + 1) && strncmp(a, *b, bytes) == 0; a += bytes)
        *b += bytes;
    return a;
}

bool edit_is_insertion(const char *with, const char *without, const char **ret_frame, size_t *ret_bytes, size_t *ret_equal)
{
    const char *rest = without, *frame = skip_equal(with, &rest);
    size_t with_count = edit_frames_of(with), without_count = edit_frames_of(without);

    if (!*frame || with_count < without_count || with_count > without_count + 1)
        return false;
    *ret_frame = frame;
    *ret_bytes = strcspn(frame, "\n");
    const char *after = skip_equal(frame + *ret_bytes + 1, &rest);
    *ret_equal = without_count - edit_frames_of(rest);
    return !*after && (with_count > without_count ? !*rest : with_count >= MEASURED_DEPTH && edit_frames_of(rest) == 1);
}

size_t edit_names_alike(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    size_t less = a_bytes < b_bytes ? a_bytes : b_bytes, begin = 0, end = 0;

    while (begin < less && a[begin] == b[begin])
        begin++;
    while (begin + end < less && a[a_bytes - end - 1] == b[b_bytes - end - 1])
        end++;
    return begin + end < 99 ? begin + end : 99;
}
