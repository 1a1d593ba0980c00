#include "analyze/commands/pids.h"

#include "analyze/command.h"
#include "analyze/options.h"

#include <errno.h>
#include <string.h>

#define PIDS_NAMED 10 /* of those that the log has, in the message */

void pids_release(struct pids *pids)
{
    free(pids->list);
}

int pids_add(struct pids *pids, const char *option, const char *text, const char *command)
{
    for (const char *at = text;; at++) {
        char *end;
        errno = 0;
        unsigned long pid = strtoul(at, &end, 10);
        if (*at < '0' || *at > '9' || errno || pid > UINT32_MAX || (*end && *end != ','))
            return usage_error(command, "%s: %s %s: want a number, or some with commas between", command, option, text);
        pids->list = grow(pids->list, &pids->capacity, pids->count + 1, sizeof *pids->list);
        pids->list[pids->count++] = (uint32_t)pid;
        if (!*end)
            return 0;
        at = end;
    }
}

static bool recorded(const struct log *log, uint32_t pid)
{
    for (size_t i = 0; i < log->process_count; i++)
        if (log->processes[i].pid == pid && log->processes[i].stream_count)
            return true;
    return false;
}

static int by_number(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static int refuse(const struct log *log, uint32_t pid, const char *command)
{
    _cleanup_free_ uint32_t *there = alloc_zeroed(log->process_count + 1, sizeof *there);
    char names[PIDS_NAMED * 12 + 32] = "";
    size_t count = 0, kept = 0, used = 0;

    for (size_t i = 0; i < log->process_count; i++)
        if (log->processes[i].stream_count)
            there[count++] = log->processes[i].pid;
    qsort(there, count, sizeof *there, by_number);
    for (size_t i = 0; i < count; i++) /* programs of one pid */
        if (!kept || there[kept - 1] != there[i])
            there[kept++] = there[i];
    for (size_t i = 0; i < kept && i < PIDS_NAMED; i++)
        used += (size_t)sprintf(names + used, "%s%u", i ? ", " : "", there[i]);
    if (kept > PIDS_NAMED)
        sprintf(names + used, " and %zu more", kept - PIDS_NAMED);
    return usage_error(command, "%s: --pid %u: %s has no such process; it has %s", command, pid, log->path,
                       kept ? names : "none");
}

int pids_open(const struct pids *pids, const char *path, const char *command, struct log **ret_log)
{
    struct log *log = open_log(path);
    int code = 0;

    if (!log)
        return EXIT_DAMAGED;
    for (size_t i = 0; i < pids->count && !code; i++)
        if (!recorded(log, pids->list[i]))
            code = refuse(log, pids->list[i], command);
    if (code) {
        log_free(log);
        return code;
    }
    *ret_log = log;
    return 0;
}

void pids_select(const struct pids *pids, struct log *log)
{
    if (pids->count)
        log_select(log, pids->list, pids->count);
}
