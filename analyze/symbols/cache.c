#include "analyze/symbols/cache.h"

#include "analyze/util.h"
#include "format/checksum.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC "MSNAMES\n"
#define VERSION 8u /* of what is in the files: another one is as no file */
#define FILE_BYTES_MAX (64u << 20)
#define USED_SECONDS 3600 /* a file's time of use is kept so exactly */
#define TEMPORARY ".new-"

struct cache_header {
    char magic[8];
    uint64_t version; /* VERSION and the program's: names are made differently by another one */
    uint64_t stamp;
    uint64_t bytes; /* that follow */
    uint64_t checksum;
};

static uint64_t version(void)
{
    return checksum(MALLOSCOPE_VERSION, strlen(MALLOSCOPE_VERSION)) + VERSION;
}

char *cache_directory(void)
{
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *path;

    if (base && *base == '/')
        path = format_text("%s/malloscope", base);
    else if (home && *home == '/')
        path = format_text("%s/.cache/malloscope", home);
    else
        return NULL;
    char *last = strrchr(path, '/');
    *last = 0; /* an XDG_CACHE_HOME or .cache that is not there yet; a home is there or not */
    mkdir(path, 0700);
    *last = '/';
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        free(path);
        return NULL;
    }
    return path;
}

static char *path_of(const char *directory, const struct cache_key *key)
{
    char name[2 * 64 + 1] = "";

    if (key->build_id_bytes < 4 || key->build_id_bytes > 64)
        return NULL;
    for (size_t i = 0; i < key->build_id_bytes; i++)
        sprintf(name + 2 * i, "%02x", key->build_id[i]);
    return format_text("%s/%s", directory, name);
}

static uint64_t sum_of(const struct cache_header *h, const void *data)
{
    return checksum(h, offsetof(struct cache_header, checksum)) ^ checksum(data, h->bytes);
}

uint8_t *cache_read(const char *directory, const struct cache_key *key, size_t *ret_bytes)
{
    _cleanup_free_ char *path = path_of(directory, key);
    _cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    struct cache_header h;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || pread(fd, &h, sizeof h, 0) != sizeof h ||
        memcmp(h.magic, MAGIC, sizeof h.magic) != 0 || h.version != version() || h.stamp != key->stamp ||
        h.bytes > FILE_BYTES_MAX || (uint64_t)st.st_size != sizeof h + h.bytes)
        return NULL;
    uint8_t *data = alloc_zeroed(1, h.bytes);
    if (pread(fd, data, h.bytes, sizeof h) != (ssize_t)h.bytes || sum_of(&h, data) != h.checksum) {
        free(data);
        return NULL;
    }
    if (st.st_mtim.tv_sec + USED_SECONDS < time(NULL))
        futimens(fd, NULL); /* the oldest is the one not used for longest */
    *ret_bytes = h.bytes;
    return data;
}

void cache_write(const char *directory, const struct cache_key *key, const void *data, size_t bytes)
{
    struct cache_header h = { MAGIC, version(), key->stamp, bytes, 0 };
    _cleanup_free_ char *path = path_of(directory, key);

    if (!path || bytes > FILE_BYTES_MAX)
        return;
    h.checksum = sum_of(&h, data);
    _cleanup_free_ char *temporary = format_text("%s/" TEMPORARY "XXXXXX", directory);
    _cleanup_close_ int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, &h, sizeof h) != sizeof h || write(fd, data, bytes) != (ssize_t)bytes || rename(temporary, path) != 0)
        unlink(temporary);
}

struct cached {
    char name[160];
    struct timespec used;
    uint64_t bytes;
};

static int by_use(const void *left, const void *right)
{
    const struct timespec *a = &((const struct cached *)left)->used, *b = &((const struct cached *)right)->used;

    if (a->tv_sec != b->tv_sec)
        return a->tv_sec < b->tv_sec ? -1 : 1;
    return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

/* Only files that look like ours: a build-id, or one that somebody did not finish. */
static bool is_ours(const char *name)
{
    return strlen(name) < sizeof ((struct cached *)0)->name &&
           (strncmp(name, TEMPORARY, strlen(TEMPORARY)) == 0 || !name[strspn(name, "0123456789abcdef")]);
}

void cache_trim(const char *directory, uint64_t bytes_max)
{
    DIR *entries = opendir(directory);
    struct cached *all = NULL;
    size_t count = 0, capacity = 0;
    uint64_t bytes = 0;
    struct stat st;

    if (!entries)
        return;
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (!is_ours(entry->d_name) || fstatat(dirfd(entries), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(st.st_mode))
            continue;
        all = grow(all, &capacity, count + 1, sizeof *all);
        strcpy(all[count].name, entry->d_name);
        all[count].used = st.st_mtim;
        bytes += all[count++].bytes = (uint64_t)st.st_size;
    }
    if (bytes > bytes_max)
        qsort(all, count, sizeof *all, by_use);
    for (size_t i = 0; i < count && bytes > bytes_max; i++) {
        unlinkat(dirfd(entries), all[i].name, 0);
        bytes -= all[i].bytes;
    }
    closedir(entries);
    free(all);
}
