/* A program that has functions of libc's names of its own, for its own calls: a dlsym that looks further, others that
 * may not be called from the middle of it. Prints what dlsym and dlopen did for it, and how often others called. */
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static int own, calls, searches;

void *dlsym(void *handle, const char *name)
{
    static void *(*real)(void *, const char *);

    searches++;
    if (strcmp(name, "hooked") == 0)
        return &own;
    if (!real)
        real = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
    if (!real)
        real = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
    if (!real)
        real = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.17");
    return real(handle, name);
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    (void)clock;
    calls++;
    *ret = (struct timespec){ 0 };
    return 0;
}

int dl_iterate_phdr(int (*use)(struct dl_phdr_info *, size_t, void *), void *data)
{
    (void)use;
    (void)data;
    calls++;
    return 0;
}

long sysconf(int name)
{
    (void)name;
    calls++;
    return -1;
}

char *strstr(const char *text, const char *what)
{
    (void)text;
    (void)what;
    calls++;
    return NULL;
}

int uname(struct utsname *ret)
{
    memset(ret, 0, sizeof *ret);
    calls++;
    return 0;
}

int main(void)
{
    void *volatile block;

    for (int i = 0; i < 10; i++) {
        block = malloc(1001);
        free(block);
    }
    int found = dlsym(RTLD_DEFAULT, "hooked") == &own;
    void *library = dlopen("libm.so.6", RTLD_NOW);
    char line[16] = "";
    FILE *said = popen("echo hi", "r");
    if (said && !fgets(line, sizeof line, said))
        return 3;
    if (said)
        pclose(said);
    printf("%d %d %d %d %s", found, library != NULL, searches, calls, line);
    return 7;
}
