#include "analyze/launch/loaded.h"

#include <string.h>

/* glibc's options that take the next word; those of the form --x=y are one word. */
static bool takes_word(const char *option)
{
    static const char *const options[] = {
        "--library-path", "--inhibit-rpath", "--audit", "--preload", "--argv0", "--glibc-hwcaps-prepend", "--glibc-hwcaps-mask",
    };

    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(option, options[i]) == 0)
            return true;
    return false;
}

static bool is_listing(const char *option)
{
    return strncmp(option, "--list", 6) == 0 || strcmp(option, "--verify") == 0;
}

const char *loaded_listing(const struct target *target, char **command)
{
    if (target->loader || !target->is_read)
        return NULL;
    for (size_t i = 1; command[i] && strncmp(command[i], "--", 2) == 0; i++) {
        if (is_listing(command[i]))
            return command[i];
        if (takes_word(command[i]) && command[i + 1])
            i++;
    }
    return NULL;
}

const char *loaded_program(const struct target *target, char **command)
{
    if (target->loader || !target->is_read)
        return NULL;
    for (size_t i = 1; command[i]; i++) {
        if (strncmp(command[i], "--", 2) != 0)
            return strchr(command[i], '/') ? command[i] : NULL; /* else it is looked for in library directories */
        if (takes_word(command[i]) && command[i + 1])
            i++;
    }
    return NULL;
}
