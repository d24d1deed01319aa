#include "lbnode/node/node_run.h"

#include "health/health.h"
#include "lbnode/base/log.h"
#include "lbnode/base/monotime.h"
#include "lbnode/node/control.h"
#include "lbnode/node/hang_watch.h"
#include "lbnode/node/run_dir.h"
#include "lbnode/node/supervisor.h"
#include "proxy/proxy.h"
#include "vrrp/vrrp.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LOCK_WAIT_MS = 3000 /* the children of a killed supervisor are gone well before */
};

static int run_vrrp(const struct process_context *context, const void *argument)
{
    const struct node_settings *settings = argument;
    log_open("vrrp", settings->log_level);
    return vrrp_main(context);
}

static int run_control(const struct process_context *context, const void *argument)
{
    return control_main(context, argument);
}

static int run_health(const struct process_context *context, const void *argument)
{
    const struct node_settings *settings = argument;
    log_open("health", settings->log_level);
    return health_main(context);
}

static uint64_t quarter_of_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_size > 0 ? (uint64_t)pages * (uint64_t)page_size / 4 : 0;
}

static int run_proxy(const struct process_context *context, const void *argument)
{
    const struct node_settings *settings = argument;
    struct process_context bounded = *context;
    bounded.buffer_memory = settings->buffer_memory_mib > 0
                                ? (uint64_t)settings->buffer_memory_mib << 20
                                : quarter_of_memory();
    log_open("proxy", settings->log_level);
    return proxy_main(&bounded);
}

/* The directories of this node, made and locked. */
static bool prepare(const struct node_settings *settings,
                    const struct privileges_user *user,
                    int out_locks[2],
                    struct error *error)
{
    if (!privileges_prepare_run_dir(settings->run_dir, user, error))
        return false;
    out_locks[0] = run_dir_lock(settings->run_dir, "--run-dir", LOCK_WAIT_MS, error);
    if (out_locks[0] < 0 || !privileges_prepare_state_dir(settings->state_dir, user, error))
        return false;
    out_locks[1] = run_dir_lock(settings->state_dir, "--state-dir", LOCK_WAIT_MS, error);
    return out_locks[1] >= 0;
}

static int supervise(const struct node_settings *settings,
                     const struct privileges_user *user,
                     const int locks[2])
{
    bool manages_addresses = privileges_can_manage_addresses();
    struct supervisor_settings supervisor = {
        .programs =
            {
                [PROCESS_VRRP] = {manages_addresses ? run_vrrp : NULL, settings},
                [PROCESS_CONTROL] = {run_control, settings},
                [PROCESS_HEALTH] = {run_health, settings},
                [PROCESS_PROXY] = {run_proxy, settings},
            },
        .worker_count = settings->worker_count,
        .incarnation = walltime_now_ms(),
        .lock_fds = {locks[0], locks[1]},
        .lock_count = 2,
        .icmp = icmp_sockets_open(),
        .run_dir = settings->run_dir,
        .user = *user,
        .check_command = settings->check_command,
        .check_interval_ms = settings->check_interval_ms,
        .drain_ms = SUPERVISOR_DRAIN_MS,
        .proven_after_ms = SUPERVISOR_PROVEN_AFTER_MS,
        .proxy_away_ms = SUPERVISOR_PROXY_AWAY_MS,
        .hang_check_ms = HANG_CHECK_MS,
        .remove_address = vip_address_remove,
        .speak_for_dead = vrrp_speak_for_dead,
    };
    if (!manages_addresses)
        log_warning("without NET_ADMIN and NET_RAW this node carries no virtual addresses; "
                    "listeners on its own addresses work");
    int rv = privileges_drop(PROCESS_SUPERVISOR, user);
    int status = 1;
    if (rv != 0)
        log_error("cannot give up privileges: %s", strerror(-rv));
    else
        status = supervisor_run(&supervisor);
    icmp_sockets_close(&supervisor.icmp);
    return status;
}

int node_run(int argc, char **argv)
{
    struct settings_surroundings surroundings;
    struct node_settings settings;
    struct privileges_user user;
    struct error error = {.kind = ERROR_NONE};
    int locks[2];
    settings_surroundings_read(&surroundings);
    if (!settings_load(&settings, &surroundings, argc, (const char *const *)argv, &error)) {
        fprintf(stderr, "lbnode run: %s\n", error.text);
        return 2;
    }
    if (settings.help) {
        settings_print_help();
        return 0;
    }
    log_open("supervisor", settings.log_level);
    settings_complete_addresses(&settings);
    if (!privileges_find_user(settings.user, &user, &error) ||
        !prepare(&settings, &user, locks, &error)) {
        fprintf(stderr, "lbnode run: %s\n", error.text);
        return error.kind == ERROR_USAGE ? 2 : 1;
    }
    int status = supervise(&settings, &user, locks);
    close(locks[0]);
    close(locks[1]);
    return status;
}
