#include "health/confinement.h"

#include "lbnode/base/bytes.h"

#include <errno.h>
#include <netinet/in.h>
#include <seccomp.h>

/* The kernel looks at the lower half of such an argument only. */
#define IS_INT(argument, value)                                                                \
    {                                                                                          \
        argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, value                                        \
    }

enum {
    LEVEL_RAW = 255,
    OPTION_IPV6_HDRINCL = 36 /* RFC 3542 has none; linux/in6.h */
};

static const struct {
    int call;
    struct scmp_arg_cmp arguments[2];
    unsigned count;
} refused[] = {
    {SCMP_SYS(setsockopt), {IS_INT(1, IPPROTO_IP), IS_INT(2, IP_HDRINCL)}, 2},
    {SCMP_SYS(setsockopt), {IS_INT(1, IPPROTO_IPV6), IS_INT(2, OPTION_IPV6_HDRINCL)}, 2},
    {SCMP_SYS(setsockopt), {IS_INT(1, LEVEL_RAW)}, 1},
    {SCMP_SYS(io_uring_setup), {{0}}, 0},
    {SCMP_SYS(execve), {{0}}, 0},
    {SCMP_SYS(execveat), {{0}}, 0},
};

bool confinement_enter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter) {
        errno = ENOMEM;
        return false;
    }
    int rv = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rv ==
        0) /* the slower path against speculation is for processes that run foreign code */
        rv = seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(refused) && rv == 0; i++)
        rv = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), refused[i].call,
                                    refused[i].count, refused[i].arguments);
    if (rv == 0)
        rv = seccomp_load(filter);
    seccomp_release(filter);
    errno = -rv;
    return rv == 0;
}
