/* first_exec PROGRAM ARGUMENTS...: executes it with an empty environment before any
 * library's constructor has run, in a vfork child, and then itself. */
#include <sys/wait.h>
#include <unistd.h>

static void before_all(int argc, char **argv)
{
    static char *nothing[] = { NULL };
    int status;

    if (argc < 2)
        return;
    pid_t child = vfork();
    if (child == 0) {
        execve(argv[1], argv + 1, nothing);
        _exit(127);
    }
    waitpid(child, &status, 0);
    execve(argv[1], argv + 1, nothing);
}

__attribute__((section(".preinit_array"), used)) static void (*const first)(int, char **) = before_all;

int main(void)
{
    return 127; /* it never comes here */
}
