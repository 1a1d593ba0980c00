/* The only door from the inside of a traced malloc to the kernel. Every call
 * returns the kernel's answer, -errno on failure, and leaves errno alone; none
 * allocates, locks, or is a cancellation point.
 * Precondition: pointers are valid for the given bytes, as for the system calls. */
#ifndef MALLOSCOPE_INSIDE_SYS_H
#define MALLOSCOPE_INSIDE_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

/* What a call "returns" that a filter answers with a signal (SECCOMP_RET_TRAP), as most handlers
 * leave it. */
static inline bool sys_was_trapped(long number, long result)
{
    return result == number;
}

/* The program forbids itself system calls (outside/sandbox.h): none may be made
 * any more. What can be called then and would need the kernel says so. */
extern bool sys_forbidden;
extern bool sys_may_map; /* then mmap and munmap may be made all the same */

/* The program began under a seccomp filter that nobody knows (outside/inherited.h): only calls
 * that the loader has made before us are made, and write; all others fail, as if refused. */
extern bool sys_careful;
extern uint32_t sys_known_pid, sys_known_parent_pid; /* then */

static inline bool sys_is_common(long number)
{
    return number == SYS_openat || number == SYS_read || number == SYS_pread64 || number == SYS_write || number == SYS_close ||
           number == SYS_mmap || number == SYS_munmap || number == SYS_mprotect || number == SYS_prlimit64;
}

static inline long sys_call(long number, long a, long b, long c, long d, long e, long f)
{
    if (!sys_is_common(number) && sys_careful)
        return -EPERM;
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                  x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
#else
#error "x86-64 and aarch64 only: add the system call sequence here"
#endif
}

static inline long sys_write(int fd, const void *data, size_t bytes)
{
    return sys_call(SYS_write, fd, (long)data, (long)bytes, 0, 0, 0);
}

static inline long sys_read(int fd, void *data, size_t bytes)
{
    return sys_call(SYS_read, fd, (long)data, (long)bytes, 0, 0, 0);
}

/* flags always get O_CLOEXEC. */
static inline long sys_open(const char *path, int flags, unsigned mode)
{
    return sys_call(SYS_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC, mode, 0, 0);
}

static inline long sys_close(int fd)
{
    return sys_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

static inline long sys_fstat(int fd, struct stat *ret_stat)
{
    if (sys_careful) { /* by the call that the C library makes, whichever that is */
        int saved_errno = errno;
        long result = fstat(fd, ret_stat) == 0 ? 0 : -errno;
        errno = saved_errno;
        return result;
    }
    return sys_call(SYS_fstat, fd, (long)ret_stat, 0, 0, 0, 0);
}

static inline long sys_fcntl(int fd, int command, long argument)
{
    return sys_call(SYS_fcntl, fd, command, argument, 0, 0, 0);
}

static inline long sys_ioctl(int fd, unsigned long request, void *argument)
{
    return sys_call(SYS_ioctl, fd, (long)request, (long)argument, 0, 0, 0);
}

/* Whether the 8 bytes at address can be read: the kernel copies a signal set from
 * there before it refuses to do anything with it. Not, where that is forbidden. */
static inline int sys_can_read(uint64_t address)
{
    return !sys_forbidden && sys_call(SYS_rt_sigprocmask, -1, (long)address, 0, 8, 0, 0) == -EINVAL;
}

#define SYS_SIGNALS_BYTES 8 /* the kernel's signal set: bit n - 1 is signal n */

static inline uint64_t sys_pending_signals(void)
{
    uint64_t pending = 0;
    sys_call(SYS_rt_sigpending, (long)&pending, SYS_SIGNALS_BYTES, 0, 0, 0, 0);
    return pending;
}

/* Takes a pending signal of the set off the calling thread. */
static inline long sys_drop_signal(uint64_t signals)
{
    struct timespec now = { 0, 0 };
    return sys_call(SYS_rt_sigtimedwait, (long)&signals, 0, (long)&now, SYS_SIGNALS_BYTES, 0, 0);
}

static inline void sys_sleep(long ns)
{
    struct timespec time = { 0, ns };
    sys_call(SYS_nanosleep, (long)&time, 0, 0, 0, 0, 0);
}

/* Held until the last descriptor of this opening of the file is closed, in whatever process. */
static inline long sys_lock_shared(int fd)
{
    return sys_call(SYS_flock, fd, LOCK_SH | LOCK_NB, 0, 0, 0, 0);
}

static inline long sys_chmod(int fd, unsigned mode)
{
    return sys_call(SYS_fchmod, fd, mode, 0, 0, 0, 0);
}

/* All but those that the program's own code causes, which could not wait. Returns the
 * mask that was there; where system calls are forbidden nothing changes. */
#define SYS_SIGNALS_AS_THEY_ARE (~0ull)
static inline uint64_t sys_block_signals(void)
{
    if (sys_forbidden)
        return SYS_SIGNALS_AS_THEY_ARE;
    const uint64_t all = ~(1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1) | 1ull << (SIGILL - 1) | 1ull << (SIGFPE - 1) |
                           1ull << (SIGTRAP - 1) | 1ull << (SIGSYS - 1));
    uint64_t old = 0;
    long result = sys_call(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&old, sizeof all, 0, 0);
    return result == 0 ? old : SYS_SIGNALS_AS_THEY_ARE;
}

static inline void sys_restore_signals(uint64_t mask)
{
    if (mask != SYS_SIGNALS_AS_THEY_ARE) /* else it was not blocked, though it may be allowed by now */
        sys_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, sizeof mask, 0, 0);
}

/* Whether the calling thread is in a signal handler that runs on a stack of its own; it may be, where
 * system calls are forbidden. */
static inline bool sys_on_signal_stack(void)
{
    stack_t now = { 0 };
    return sys_forbidden || sys_careful || (sys_call(SYS_sigaltstack, 0, (long)&now, 0, 0, 0, 0) == 0 && now.ss_flags & SS_ONSTACK);
}

/* Whether the 4 bytes at address can be written: 0 is added to them, atomically. */
static inline int sys_can_write(uint64_t address)
{
    int nobody_waits = 0;
    return !sys_forbidden && sys_call(SYS_futex, (long)&nobody_waits, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0, (long)address,
                    FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0)) >= 0;
}

static inline long sys_fallocate(int fd, uint64_t offset, uint64_t bytes)
{
    return sys_call(SYS_fallocate, fd, 0, (long)offset, (long)bytes, 0, 0);
}

static inline long sys_pread(int fd, void *data, size_t bytes, uint64_t offset)
{
    return sys_call(SYS_pread64, fd, (long)data, (long)bytes, (long)offset, 0, 0);
}

static inline long sys_pwrite(int fd, const void *data, size_t bytes, uint64_t offset)
{
    return sys_call(SYS_pwrite64, fd, (long)data, (long)bytes, (long)offset, 0, 0);
}

static inline long sys_unlink(const char *path)
{
    return sys_call(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0, 0, 0);
}

static inline long sys_readlink(const char *path, char *ret_target, size_t bytes)
{
    return sys_call(SYS_readlinkat, AT_FDCWD, (long)path, (long)ret_target, (long)bytes, 0, 0);
}

static inline long sys_getcwd(char *ret_path, size_t bytes)
{
    return sys_call(SYS_getcwd, (long)ret_path, (long)bytes, 0, 0, 0, 0);
}

/* fd -1: anonymous private memory. NULL on failure. */
static inline void *sys_map(int fd, uint64_t offset, size_t bytes)
{
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    long result = sys_call(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE, flags, fd, (long)offset);
    return result & 4095 ? NULL : (void *)result; /* no place of memory is an error, or a call's number */
}

/* Puts fresh private memory where other memory was. */
static inline void *sys_map_over(void *at, size_t bytes)
{
    long result = sys_call(SYS_mmap, (long)at, (long)bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    return result < 0 && result > -4096 ? NULL : (void *)result;
}

static inline long sys_unmap(void *at, size_t bytes)
{
    return sys_call(SYS_munmap, (long)at, (long)bytes, 0, 0, 0, 0);
}

static inline long sys_protect(void *at, size_t bytes, int protection)
{
    return sys_call(SYS_mprotect, (long)at, (long)bytes, protection, 0, 0, 0);
}

static inline long sys_advise(void *at, size_t bytes, int advice)
{
    return sys_call(SYS_madvise, (long)at, (long)bytes, advice, 0, 0, 0);
}

static inline uint32_t sys_pid(void)
{
    return sys_careful ? sys_known_pid : (uint32_t)sys_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline uint32_t sys_parent_pid(void)
{
    return sys_careful ? sys_known_parent_pid : (uint32_t)sys_call(SYS_getppid, 0, 0, 0, 0, 0, 0);
}

static inline uint32_t sys_tid(void)
{
    return (uint32_t)sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

/* 0 while the thread lives in this process. */
static inline long sys_thread_probe(uint32_t pid, uint32_t tid)
{
    return sys_call(SYS_tgkill, (long)pid, (long)tid, 0, 0, 0, 0);
}

/* The calling thread's name; at most 16 bytes with its final 0. */
static inline long sys_thread_name(char ret_name[16])
{
    return sys_call(SYS_prctl, PR_GET_NAME, (long)ret_name, 0, 0, 0, 0);
}

static inline uint64_t sys_limit(int resource)
{
    struct rlimit limit;
    if (sys_call(SYS_prlimit64, 0, resource, 0, (long)&limit, 0, 0) != 0)
        return ~0ull;
    return limit.rlim_cur;
}

/* The largest file that this process may write, in bytes. */
static inline uint64_t sys_file_size_limit(void)
{
    return sys_limit(RLIMIT_FSIZE);
}

/* The number that no descriptor may reach. */
static inline uint64_t sys_descriptor_limit(void)
{
    return sys_limit(RLIMIT_NOFILE);
}

#endif
