#include "analyze/launch/confinement.h"

#include "analyze/util.h"

#include <limits.h>
#include <string.h>

/* The first bytes of a file, or "". */
static void read_text(const char *root, const char *path, char *text, size_t bytes)
{
    char whole[PATH_MAX];

    text[0] = 0;
    snprintf(whole, sizeof whole, "%s%s", root, path);
    _cleanup_fclose_ FILE *file = fopen(whole, "re");
    if (file)
        text[fread(text, 1, bytes - 1, file)] = 0;
}

static int number_after(const char *text, const char *name, int otherwise)
{
    const char *at = strstr(text, name);
    return at ? atoi(at + strlen(name)) : otherwise;
}

void confinement_read(const char *root, struct confinement *ret_confinement)
{
    char status[8192], enforce[8], enabled[8], profile[sizeof ret_confinement->apparmor];

    read_text(root, "/proc/self/status", status, sizeof status);
    read_text(root, "/sys/fs/selinux/enforce", enforce, sizeof enforce);
    read_text(root, "/sys/module/apparmor/parameters/enabled", enabled, sizeof enabled);
    *ret_confinement = (struct confinement){
        .seccomp = number_after(status, "\nSeccomp:", -1),
        .no_new_privs = number_after(status, "\nNoNewPrivs:", 0) == 1,
        .selinux_enforces = enforce[0] == '1',
    };
    if (enabled[0] != 'Y')
        return; /* attr/current is another module's */
    read_text(root, "/proc/self/attr/apparmor/current", profile, sizeof profile);
    if (!*profile) /* before Linux 5.1 */
        read_text(root, "/proc/self/attr/current", profile, sizeof profile);
    profile[strcspn(profile, "\n")] = 0;
    if (strcmp(profile, "unconfined") != 0)
        memcpy(ret_confinement->apparmor, profile, sizeof profile);
}
