/* What the kernel's security modules and filters do to this process, and so to a
 * program that it starts. */
#ifndef MALLOSCOPE_LAUNCH_CONFINEMENT_H
#define MALLOSCOPE_LAUNCH_CONFINEMENT_H

#include <stdbool.h>

struct confinement {
    int seccomp;            /* 0 none, 1 strict, 2 filter; -1 unknown */
    bool no_new_privs;
    bool selinux_enforces;
    char apparmor[128];     /* the profile; "" unconfined, or there is no AppArmor */
};

/* root: "" for this machine; tests have others. */
void confinement_read(const char *root, struct confinement *ret_confinement);

#endif
