/* A site ends after some frames, so that of a deeper recursion fewer of the outer callers are left. Each frame once, in the order in which
 * they come first, the shorter key's are then all in the longer one's. */
#include "analyze/check/recursion.h"

#include "analyze/util.h"

#include <string.h>

static bool has_frame(const char *frames, size_t bytes, const char *frame, size_t frame_bytes)
{
    for (size_t at = 0; at < bytes; at += strcspn(frames + at, "\n") + 1)
        if (strncmp(frames + at, frame, frame_bytes) == 0)
            return true;
    return false;
}

/* Each frame once. To be freed. */
static char *folded(const char *key, bool *ret_is_recursive)
{
    char *frames = alloc_zeroed(strlen(key) + 1, 1);
    size_t used = 0;

    *ret_is_recursive = false;
    for (const char *at = key, *end; (end = strchr(at, '\n')); at = end + 1) {
        size_t bytes = (size_t)(end + 1 - at);
        if (has_frame(frames, used, at, bytes)) {
            *ret_is_recursive = true;
            continue;
        }
        memcpy(frames + used, at, bytes);
        used += bytes;
    }
    return frames;
}

static bool has_all(const char *longer, const char *shorter)
{
    for (size_t bytes; *shorter && *longer; longer += strcspn(longer, "\n") + 1) {
        bytes = strcspn(shorter, "\n") + 1;
        if (strncmp(longer, shorter, bytes) == 0)
            shorter += bytes;
    }
    return !*shorter;
}

bool recursion_is_same(const char *a, const char *b)
{
    size_t first = strcspn(a, "\n");
    bool a_recursive, b_recursive;

    if (strncmp(a, b, first + 1) != 0) /* as nearly all of them, and there may be many */
        return false;
    _cleanup_free_ char *a_frames = folded(a, &a_recursive), *b_frames = folded(b, &b_recursive);
    return (a_recursive || b_recursive) && (has_all(a_frames, b_frames) || has_all(b_frames, a_frames));
}
