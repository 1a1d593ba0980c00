/* The last resort: one write to a file that exists since the session began, is in memory, and takes writes by
 * everybody. It is not mapped, as whoever may write to it could cut it short under us. */
#include "interpose/outside/unrecorded.h"

#include "format/layout.h"
#include "format/live_place.h"
#include "interpose/inside/sys.h"

#include <string.h>

static char name[sizeof LIVE_PLACE_MEMORY + LIVE_PLACE_BYTES + sizeof LIVE_PLACE_UNRECORDED]; /* empty: there is none */

void unrecorded_prepare(const struct config *config)
{
    if (!config->joins)
        return;
    memcpy(name, LIVE_PLACE_MEMORY, sizeof LIVE_PLACE_MEMORY);
    live_place_name(config->session, name + sizeof LIVE_PLACE_MEMORY - 1);
    memcpy(name + strlen(name), LIVE_PLACE_UNRECORDED, sizeof LIVE_PLACE_UNRECORDED);
}

bool unrecorded_note(uint32_t pid, enum rec_untraced reason, const char *path)
{
    struct rec_unrecorded entry = { .pid = pid, .reason = reason };
    struct stat st;
    long written = -1;

    if (!*name)
        return false;
    memcpy(entry.path, path, strnlen(path, sizeof entry.path - 1));
    long fd = sys_open(name, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0)
        return false;
    /* Beyond the limit a signal would come. When the session is over, the name is anybody's. */
    if (sys_fstat((int)fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_size % (long)sizeof entry == 0 &&
        (uint64_t)st.st_size + sizeof entry <= sys_file_size_limit())
        written = sys_write((int)fd, &entry, sizeof entry);
    sys_close((int)fd);
    return written == (long)sizeof entry;
}
