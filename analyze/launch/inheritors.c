/* What /proc shows is the memory where a program found its environment when it began: what it has written over that since is gone,
 * and amid an exec there is none. */
#include "analyze/launch/inheritors.h"

#include "analyze/util.h"

#include <dirent.h>
#include <string.h>

static bool has_entry(const char *path, const char *begin)
{
    _cleanup_fclose_ FILE *environment = fopen(path, "re");
    _cleanup_free_ char *entry = NULL;
    size_t capacity = 0, bytes = strlen(begin);
    bool is_there = false;

    while (environment && !is_there && getdelim(&entry, &capacity, 0, environment) > 0)
        is_there = strncmp(entry, begin, bytes) == 0;
    return is_there;
}

bool inheritors_run(const uint8_t session[16])
{
    char begin[sizeof "MALLOSCOPE_SESSION=" + 32] = "MALLOSCOPE_SESSION=";
    DIR *all = opendir("/proc");
    bool is_there = false;

    for (size_t i = 0; i < 16; i++)
        sprintf(begin + strlen(begin), "%02x", session[i]);
    for (struct dirent *one; all && !is_there && (one = readdir(all));) {
        if (one->d_name[strspn(one->d_name, "0123456789")] != 0)
            continue;
        _cleanup_free_ char *path = format_text("/proc/%s/environ", one->d_name);
        is_there = has_entry(path, begin);
    }
    if (all)
        closedir(all);
    return is_there;
}
