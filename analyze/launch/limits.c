#include "analyze/launch/limits.h"

#include "format/layout.h"

#include <errno.h>
#include <sys/resource.h>

int limits_check(struct failure *ret_failure)
{
    struct rlimit data;

    if (getrlimit(RLIMIT_DATA, &data) != 0 || data.rlim_cur >= REC_LEAST_DATA_LIMIT)
        return 0;
    return fail(ret_failure, ENOMEM, "a process may have only %llu KiB of data (ulimit -d): the recorder's memory, some 2 MiB, "
                "would be missing in the program; allow %u MiB", (unsigned long long)data.rlim_cur >> 10, REC_LEAST_DATA_LIMIT >> 20);
}
