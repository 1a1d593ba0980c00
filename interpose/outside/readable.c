/* A list and its texts mostly lie in a few pages, one after the other: the last page that
 * was found to be there is remembered. */
#include "interpose/outside/readable.h"

#include "interpose/inside/sys.h"

#include <string.h>

#define PAGE 4096u /* or a part of one */

#define NO_PAGE 1u

struct known {
    uint64_t page; /* NO_PAGE: none */
};

static bool can_read(struct known *known, uint64_t at)
{
    uint64_t page = at & ~(uint64_t)(PAGE - 1);

    if (page != known->page && !sys_can_read(page))
        return false;
    known->page = page;
    return true;
}

static bool can_read_text(struct known *known, const char *text)
{
    for (;;) {
        size_t left = PAGE - (uint64_t)text % PAGE;
        if (!can_read(known, (uint64_t)text))
            return false;
        if (memchr(text, 0, left))
            return true;
        text += left;
    }
}

bool readable_text(const char *text)
{
    return can_read_text(&(struct known){ NO_PAGE }, text);
}

bool readable_list(char *const *list)
{
    struct known entries = { NO_PAGE }, texts = { NO_PAGE };

    for (; list; list++) {
        if (!can_read(&entries, (uint64_t)list) || !can_read(&entries, (uint64_t)list + sizeof *list - 1))
            return false;
        if (!*list)
            return true;
        if (!can_read_text(&texts, *list))
            return false;
    }
    return true;
}
