#include "analyze/launch/not_loaded.h"

#include "analyze/launch/confinement.h"
#include "analyze/launch/libraries.h"

#include <sys/wait.h>

static char *missing_library(const struct target *target)
{
    struct libraries libraries;
    char *text = NULL;

    if (!target->loader || libraries_list(target->loader, target->program, &libraries) != 0)
        return NULL;
    const struct library *missing = libraries_missing(&libraries);
    if (missing)
        text = format_text("its loader does not find %s: install that library, or name its directory in LD_LIBRARY_PATH",
                           missing->name);
    libraries_release(&libraries);
    return text;
}

char *not_loaded_reason(const struct target *target, const char *shim, int status)
{
    struct confinement confinement;
    char *text = missing_library(target);
    if (text)
        return text;
    if (!target->is_read)
        return format_text("%s cannot be read by this user and so was not checked: it may be statically linked; make it "
                           "readable to know", target->program);
    if (WIFSIGNALED(status))
        return format_text("it was killed by signal %d while its libraries were loaded", WTERMSIG(status));
    confinement_read("", &confinement);
    if (confinement.selinux_enforces)
        return format_text("SELinux is enforcing, and makes the loader ignore LD_PRELOAD where a program enters another "
                           "domain: try it under permissive mode, or from the domain it runs in");
    if (*confinement.apparmor)
        return format_text("AppArmor's profile %s may forbid to read %s or to write the log", confinement.apparmor, shim);
    return NULL;
}
