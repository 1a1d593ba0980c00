#include "analyze/symbols/perf_map.h"

#include "analyze/util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t first_from(const uint64_t *addresses, size_t count, uint64_t address)
{
    size_t low = 0;

    while (low < count) {
        size_t middle = low + (count - low) / 2;
        if (addresses[middle] < address)
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}

static void take_line(const char *line, const uint64_t *addresses, size_t count, char **names)
{
    char *end;
    uint64_t start = strtoull(line, &end, 16);
    if (end == line || *end != ' ')
        return;
    line = end;
    uint64_t bytes = strtoull(line, &end, 16);
    if (end == line || *end != ' ')
        return;
    const char *name = end + strspn(end, " ");
    size_t length = strcspn(name, "\n");
    if (!length)
        return;
    for (size_t i = first_from(addresses, count, start); i < count && addresses[i] - start < bytes; i++) {
        free(names[i]);
        names[i] = copy_text(name, length);
    }
}

const char *perf_map_read(const char *path, uint64_t began_ns, const uint64_t *addresses, size_t count, char **names)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    if (fd < 0)
        return errno == ENOENT ? NULL : ": its names of generated code may not be read";
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return ": is no regular file: generated code has no names";
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return ": belongs to another user, and is not believed: generated code has no names";
    if ((uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec < began_ns)
        return ": is of an earlier process with that number: generated code has no names";
    _cleanup_fclose_ FILE *file = fdopen(fd, "r");
    if (!file)
        return ": cannot be read: generated code has no names";
    fd = -1;
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, file) > 0)
        take_line(line, addresses, count, names);
    free(line);
    return NULL;
}
