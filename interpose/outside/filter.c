/* Runs the filter's program as the kernel would, for each system call of ours. A filter
 * may look at arguments: of a value that depends on those nothing is known, and a jump
 * that depends on it goes both ways; the worst that comes of any counts. Filters have no
 * loops, so each run ends. */
#include "interpose/outside/filter.h"

#include "interpose/inside/sys.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

/* Without these there is no recording ... */
static const int needed[] = {
    SYS_write, SYS_fstat, SYS_close, SYS_rt_sigprocmask, SYS_mmap, SYS_munmap, SYS_madvise, SYS_fallocate, SYS_pwrite64,
    SYS_getpid, SYS_gettid, SYS_clock_gettime,
};
/* ... and these may fail, if that is all that they do. */
static const int useful[] = {
    SYS_read, SYS_openat, SYS_fcntl, SYS_ioctl, SYS_rt_sigpending, SYS_rt_sigtimedwait, SYS_nanosleep, SYS_fchmod, SYS_flock,
    SYS_pread64, SYS_unlinkat, SYS_readlinkat, SYS_getcwd, SYS_getppid, SYS_tgkill, SYS_prctl, SYS_prlimit64,
    SYS_sigaltstack, SYS_futex, SYS_mprotect, SYS_getrandom,
    /* To look at a program before it is executed: */
    SYS_newfstatat, SYS_faccessat, SYS_fstatfs, SYS_fgetxattr, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
    /* By functions of libc and of libunwind: */
    SYS_uname, SYS_rt_sigaction, SYS_pipe2,
};

#if defined(__x86_64__)
#define OUR_MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE AUDIT_ARCH_AARCH64
#endif

enum answer { DEADLY, REFUSED, ALLOWED }; /* from the worst on; deadly is also what somebody else decides */

static uint32_t compute(unsigned operation, uint32_t a, uint32_t b)
{
    switch (operation) {
    case BPF_ADD: return a + b;
    case BPF_SUB: return a - b;
    case BPF_MUL: return a * b;
    case BPF_DIV: return b ? a / b : 0;
    case BPF_OR: return a | b;
    case BPF_AND: return a & b;
    case BPF_XOR: return a ^ b;
    case BPF_LSH: return b < 32 ? a << b : 0;
    case BPF_RSH: return b < 32 ? a >> b : 0;
    case BPF_NEG: return 0 - a;
    default: return 0;
    }
}

static bool holds(unsigned test, uint32_t a, uint32_t b)
{
    switch (test) {
    case BPF_JEQ: return a == b;
    case BPF_JGT: return a > b;
    case BPF_JGE: return a >= b;
    default: return a & b; /* BPF_JSET */
    }
}

struct machine {
    uint32_t at, a, x, memory[BPF_MEMWORDS];
    bool a_known, x_known, memory_known[BPF_MEMWORDS];
    uint32_t forks; /* of jumps that went both ways, on the way here */
};

static enum answer answer_of(uint32_t value)
{
    switch (value & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
        return ALLOWED;
    case SECCOMP_RET_ERRNO:
        return REFUSED;
    default:
        return DEADLY;
    }
}

static void load(struct machine *m, const struct sock_filter *i, uint32_t number)
{
    const unsigned how = BPF_MODE(i->code);

    m->a_known = true;
    if (how == BPF_IMM)
        m->a = i->k;
    else if (how == BPF_LEN)
        m->a = sizeof(struct seccomp_data);
    else if (how == BPF_MEM)
        m->a = m->memory[i->k % BPF_MEMWORDS], m->a_known = m->memory_known[i->k % BPF_MEMWORDS];
    else if (i->k == offsetof(struct seccomp_data, nr))
        m->a = number;
    else if (i->k == offsetof(struct seccomp_data, arch))
        m->a = OUR_MACHINE;
    else
        m->a_known = false; /* an argument, or where the call is made */
}

static void load_x(struct machine *m, const struct sock_filter *i)
{
    const bool from_memory = BPF_MODE(i->code) == BPF_MEM;

    m->x_known = !from_memory || m->memory_known[i->k % BPF_MEMWORDS];
    if (from_memory)
        m->x = m->memory[i->k % BPF_MEMWORDS];
    else
        m->x = BPF_MODE(i->code) == BPF_LEN ? sizeof(struct seccomp_data) : i->k;
}

static enum answer run(const struct sock_fprog *filter, uint32_t number, struct machine m, uint32_t *steps)
{
    enum { FORKS_MAX = 40, STEPS_MAX = 200000 };

    for (; m.at < filter->len && (*steps)++ < STEPS_MAX; m.at++) {
        const struct sock_filter *i = &filter->filter[m.at];
        const bool by_x = BPF_SRC(i->code) == BPF_X;
        switch (BPF_CLASS(i->code)) {
        case BPF_LD:
            load(&m, i, number);
            break;
        case BPF_LDX:
            load_x(&m, i);
            break;
        case BPF_ST:
            m.memory[i->k % BPF_MEMWORDS] = m.a;
            m.memory_known[i->k % BPF_MEMWORDS] = m.a_known;
            break;
        case BPF_STX:
            m.memory[i->k % BPF_MEMWORDS] = m.x;
            m.memory_known[i->k % BPF_MEMWORDS] = m.x_known;
            break;
        case BPF_ALU:
            m.a_known = m.a_known && (!by_x || m.x_known || BPF_OP(i->code) == BPF_NEG);
            m.a = compute(BPF_OP(i->code), m.a, by_x ? m.x : i->k);
            break;
        case BPF_JMP:
            if (BPF_OP(i->code) == BPF_JA) {
                m.at += i->k;
            } else if (m.a_known && (!by_x || m.x_known)) {
                m.at += holds(BPF_OP(i->code), m.a, by_x ? m.x : i->k) ? i->jt : i->jf;
            } else {
                if (m.forks++ == FORKS_MAX)
                    return DEADLY;
                struct machine other = m;
                other.at += i->jf + 1u;
                enum answer answer = run(filter, number, other, steps);
                if (answer == DEADLY)
                    return DEADLY;
                m.at += i->jt + 1u;
                enum answer second = run(filter, number, m, steps);
                return second < answer ? second : answer;
            }
            break;
        case BPF_RET:
            return BPF_RVAL(i->code) != BPF_A ? answer_of(i->k) : m.a_known ? answer_of(m.a) : DEADLY;
        case BPF_MISC:
            if (BPF_MISCOP(i->code) == BPF_TAX)
                m.x = m.a, m.x_known = m.a_known;
            else
                m.a = m.x, m.a_known = m.x_known;
            break;
        }
    }
    return DEADLY;
}

/* As sys_can_read, also where that may be refused: then the answer is no. */
static bool may_read(uint64_t address)
{
    return sys_call(SYS_rt_sigprocmask, -1, (long)address, 0, 8, 0, 0) == -EINVAL;
}

/* The kernel refuses what cannot be read; we must not be killed by it. */
static bool can_read(const void *at, size_t bytes)
{
    uint64_t address = (uint64_t)at, last = address + bytes - 8;

    for (; address < last; address += 4096)
        if (!may_read(address))
            return false;
    return may_read(last);
}

static enum answer worst(const struct sock_fprog *filter, const int *calls, size_t count)
{
    enum answer found = ALLOWED;
    uint32_t steps = 0;

    for (size_t i = 0; i < count; i++) {
        enum answer answer = run(filter, (uint32_t)calls[i], (struct machine){ .a_known = true, .x_known = true }, &steps);
        found = answer < found ? answer : found;
    }
    return found;
}

static bool can_judge(const struct sock_fprog *filter)
{
    return can_read(filter, sizeof *filter) && filter->len && filter->len <= BPF_MAXINSNS &&
           can_read(filter->filter, filter->len * sizeof *filter->filter);
}

bool filter_allows(const struct sock_fprog *filter, int call)
{
    return can_judge(filter) && worst(filter, &call, 1) == ALLOWED;
}

enum filter_verdict filter_judge(const struct sock_fprog *filter)
{
    if (!can_judge(filter))
        return FILTER_KILLS;
    enum answer to_needed = worst(filter, needed, sizeof needed / sizeof *needed);
    if (to_needed == DEADLY || worst(filter, useful, sizeof useful / sizeof *useful) == DEADLY)
        return FILTER_KILLS;
    return to_needed == ALLOWED ? FILTER_LETS_LIVE : FILTER_REFUSES;
}
