/* The textbook's table: best[i][k] is what the elements from i and k on can come to. */
#include "analyze/check/align.h"

#define CELLS_MOST ((size_t)4 << 20)

int64_t align(size_t old_count, size_t new_count, align_score *score, const void *data, size_t *ret_pairs)
{
    int64_t sum = 0;

    for (size_t k = 0; k < new_count; k++)
        ret_pairs[k] = ALIGN_NONE;
    if (old_count >= CELLS_MOST / (new_count + 1)) {
        for (size_t k = 0; k < new_count && k < old_count; k++)
            if (score(data, k, k) > 0) {
                ret_pairs[k] = k;
                sum += score(data, k, k);
            }
        return sum;
    }
    size_t width = new_count + 1;
    _cleanup_free_ int64_t *best = alloc_zeroed((old_count + 1) * width, sizeof *best);
    for (size_t i = old_count; i-- > 0;)
        for (size_t k = new_count; k-- > 0;) {
            int64_t without_old = best[(i + 1) * width + k], without_new = best[i * width + k + 1];
            int64_t paired = best[(i + 1) * width + k + 1] + score(data, i, k), most = without_old > without_new ? without_old : without_new;
            best[i * width + k] = paired > most ? paired : most;
        }
    for (size_t i = 0, k = 0; i < old_count && k < new_count;) {
        int64_t here = best[i * width + k];
        if (here == best[(i + 1) * width + k]) {
            i++;
        } else if (here == best[i * width + k + 1]) {
            k++;
        } else {
            ret_pairs[k++] = i++;
        }
    }
    return best[0];
}
