#include "proxy/sandbox.h"

#include "lbnode/base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define HAVE_SANITIZER 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                 \
        __has_feature(memory_sanitizer)
#        define HAVE_SANITIZER 1
#    endif
#endif
#ifndef HAVE_SANITIZER
#    define HAVE_SANITIZER 0
#endif

enum {
    SOCKET_TYPE_MASK = 0xf /* the rest are flags */
};

static const int allowed[] = {
    /* connections and descriptors that came with a message */
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(splice),
    SCMP_SYS(pipe2),
    SCMP_SYS(accept4),
    SCMP_SYS(connect),
    SCMP_SYS(shutdown),
    SCMP_SYS(close),
    SCMP_SYS(fcntl),
    SCMP_SYS(getsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    /* waiting */
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(futex),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(sched_yield),
    /* memory */
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(getrandom),
    /* the size of a snapshot */
    SCMP_SYS(fstat),
    SCMP_SYS(lseek),
    /* threads and the end */
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(tgkill),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* Nothing of ours ever does this: whoever does has taken the process over. Opening files is not
 * here, only refused: the C library's malloc looks into /proc and /sys now and then, and does
 * without when it may not. */
static const int deadly[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(clone),
    SCMP_SYS(clone3),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
};

#define EQUALS(number, value)                                                                  \
    {                                                                                          \
        number, SCMP_CMP_EQ, value, 0                                                          \
    }
#define MASKED(number, mask, value)                                                            \
    {                                                                                          \
        number, SCMP_CMP_MASKED_EQ, mask, value                                                \
    }

/* Allowed with certain arguments only; they count from 0. */
static const struct {
    int call;
    struct scmp_arg_cmp arguments[2];
    unsigned count;
} conditional[] = {
    {SCMP_SYS(socket), {EQUALS(0, AF_INET), MASKED(1, SOCKET_TYPE_MASK, SOCK_STREAM)}, 2},
    {SCMP_SYS(socket), {EQUALS(0, AF_INET6), MASKED(1, SOCKET_TYPE_MASK, SOCK_STREAM)}, 2},
    {SCMP_SYS(setsockopt), {EQUALS(1, SOL_SOCKET)}, 1},
    {SCMP_SYS(setsockopt), {EQUALS(1, IPPROTO_TCP)}, 1},
    {SCMP_SYS(mmap), {MASKED(2, PROT_EXEC, 0)}, 1},
    {SCMP_SYS(mprotect), {MASKED(2, PROT_EXEC, 0)}, 1},
    /* glibc's fstat */
    {SCMP_SYS(newfstatat), {MASKED(3, AT_EMPTY_PATH, AT_EMPTY_PATH)}, 1},
    /* isatty, of stdio */
    {SCMP_SYS(ioctl), {EQUALS(1, TCGETS)}, 1},
};

/* 0 or -errno. */
static int add_rules(scmp_filter_ctx filter)
{
    int rv = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(allowed) && rv == 0; i++)
        rv = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; i < ARRAY_LENGTH(deadly) && rv == 0; i++)
        rv = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
    for (size_t i = 0; i < ARRAY_LENGTH(conditional) && rv == 0; i++)
        rv = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, conditional[i].call,
                                    conditional[i].count, conditional[i].arguments);
    return rv;
}

/* All threads at once; sorted by search, since it runs for every call; and without the slower
 * kernel path against speculation, which is for processes that run foreign code. */
static int set_attributes(scmp_filter_ctx filter)
{
    static const struct {
        enum scmp_filter_attr attribute;
        uint32_t value;
    } attributes[] = {
        {SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS},
        {SCMP_FLTATR_CTL_TSYNC, 1},
        {SCMP_FLTATR_CTL_OPTIMIZE, 2},
        {SCMP_FLTATR_CTL_SSB, 1},
    };
    int rv = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(attributes) && rv == 0; i++)
        rv = seccomp_attr_set(filter, attributes[i].attribute, attributes[i].value);
    return rv;
}

bool sandbox_is_built(void)
{
    return !HAVE_SANITIZER;
}

bool sandbox_enter(void)
{
    if (HAVE_SANITIZER)
        return true;
    tzset(); /* the C library reads the time zone once, before it is too late */
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter) {
        errno = ENOMEM;
        return false;
    }
    int rv = set_attributes(filter);
    if (rv == 0)
        rv = add_rules(filter);
    if (rv == 0)
        rv = seccomp_load(filter);
    seccomp_release(filter);
    errno = -rv;
    return rv == 0;
}
