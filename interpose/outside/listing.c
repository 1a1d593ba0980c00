#include "interpose/outside/listing.h"

#include "interpose/outside/readable.h"

#include <stddef.h>
#include <string.h>

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

bool listing_is_environment(char *const *environment)
{
    for (; environment && *environment; environment++)
        if (begins_with(*environment, "LD_TRACE_LOADED_OBJECTS=")) /* with whatever value */
            return true;
    return false;
}

/* glibc's options that take the next word. */
static bool takes_word(const char *option)
{
    static const char options[][24] = {
        "--library-path", "--inhibit-rpath", "--audit", "--preload", "--argv0", "--glibc-hwcaps-prepend", "--glibc-hwcaps-mask",
    };

    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(option, options[i]) == 0)
            return true;
    return false;
}

bool listing_is_command(char *const *arguments)
{
    if (!arguments || !readable_list(arguments) || !*arguments)
        return false;
    for (char *const *at = arguments + 1; *at && begins_with(*at, "--"); at++) {
        if (begins_with(*at, "--list") || strcmp(*at, "--verify") == 0) /* --list-diagnostics lists the environment */
            return true;
        if (takes_word(*at) && at[1])
            at++;
    }
    return false;
}
