/* The main function of the vrrp process: real-time priority, locked memory, the driver. */
#include "lbnode/base/log.h"
#include "vrrp/vrrp.h"
#include "vrrp/vrrp_driver.h"

#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    REAL_TIME_PRIORITY = 10,
};

static bool has_capability(unsigned capability)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, data) != 0)
        return false;
    return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

/* A late timer costs the election; without the right to it we run as ordinary process. No limit
 * on real-time CPU: it would kill the process when the machine is slow, and leave two owners.
 */
static void ask_for_real_time(void)
{
    struct sched_param parameters = {.sched_priority = REAL_TIME_PRIORITY};
    struct rlimit limit;
    bool real_time = sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &parameters) == 0;
    log_debug("%s", real_time ? "timers have real-time priority"
                              : "no real-time priority: timers may be late on a busy machine");
#ifndef __SANITIZE_ADDRESS__
    /* Future pages only where no limit can make an allocation fail because of it. */
    bool unlimited =
        (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY) ||
        has_capability(CAP_IPC_LOCK);
    if (mlockall(unlimited ? MCL_CURRENT | MCL_FUTURE : MCL_CURRENT) != 0)
        log_debug("memory is not locked: timers may be late on a machine that swaps");
#else
    (void)limit;
#endif
}

int vrrp_main(const struct process_context *context)
{
    struct vrrp_driver_options options = {
        .loop = loop_new(),
        .channel_fd = context->channel_fd,
        .privileged = has_capability(CAP_NET_ADMIN) && has_capability(CAP_NET_RAW),
    };
    int error;
    if (!options.loop)
        return 1;
    ask_for_real_time();
    struct vrrp_driver *driver = vrrp_driver_new(&options, &error);
    if (driver)
        vrrp_driver_run(driver);
    else
        log_error("the election cannot run: %s", strerror(-error));
    vrrp_driver_free(driver);
    loop_free(options.loop);
    return driver ? 0 : 1;
}
