#include "vrrp/vrrp_driver.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"
#include "lbnode/loop/heartbeat.h"
#include "vrrp/address_watch.h"
#include "vrrp/advert_policy.h"
#include "vrrp/chore.h"
#include "vrrp/claim_answer.h"
#include "vrrp/families.h"
#include "vrrp/hand_over.h"
#include "vrrp/host_sockets.h"
#include "vrrp/link_debounce.h"
#include "vrrp/reset_filter.h"
#include "vrrp/router_evidence.h"
#include "vrrp/vrrp_router.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STATUS_US = 1000000,
    REFRESH_DELAY_US = 10000, /* a burst of notifications is one look at the interfaces */
    /* Asking, the grace, and a little for each turn of the loop. */
    STOP_MAXIMUM_US = VRRP_GRACE_US + 500000,
    RESUMED_MAXIMUM = 2 * VRRP_CONFIG_MAXIMUM_GROUPS,
};

struct vrrp_driver {
    struct vrrp_host host;
    struct loop_timer timer;
    struct loop_signal terminate;
    struct heartbeat heartbeat;
    struct address_watch *watch;
    struct claim_answer claims;
    struct vrid_watch vrids;
    struct link_debounce links;
    struct vrrp_router *routers;
    struct vrrp_config pending; /* the set that is being received */
    /* Last states of a process that died, until the first configuration. */
    struct message_vrrp_status *resumed;
    size_t resumed_count;
    uint64_t renew_due_us, status_due_us, refresh_due_us, drain_due_us;
    size_t offers;    /* while drained */
    uint64_t stop_us; /* at the latest; UINT64_MAX: not asked to stop */
};

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void on_timer(struct loop_timer *timer);

static void arm(struct vrrp_driver *driver)
{
    uint64_t due_us =
        earlier(driver->refresh_due_us, earlier(driver->renew_due_us, driver->status_due_us));
    due_us = earlier(due_us, earlier(driver->drain_due_us, driver->stop_us));
    due_us = earlier(due_us, gateway_check_due_us(&driver->host.gateways));
    for (struct vrrp_router *router = driver->routers; router; router = router->next)
        due_us = earlier(due_us,
                         earlier(vrrp_router_due_us(router), router_evidence_due_us(router)));
    uint64_t now_us = monotime_now_us();
    loop_timer_start_us(driver->host.loop, &driver->timer,
                        due_us > now_us ? due_us - now_us : 0, on_timer);
}

/* ---- interfaces ------------------------------------------------------------------------- */

static void mark_virtual(struct vrrp_driver *driver)
{
    for (struct vrrp_router *router = driver->routers; router; router = router->next) {
        for (size_t i = 0; i < router->vip_count; i++)
            interface_table_mark_virtual(&driver->host.table, &router->vips[i].address);
    }
}

static void evaluate_all(struct vrrp_driver *driver)
{
    for (struct vrrp_router *router = driver->routers; router; router = router->next)
        vrrp_router_evaluate(router, &driver->host, monotime_now_us());
}

static void refresh(struct vrrp_driver *driver)
{
    driver->refresh_due_us = UINT64_MAX;
    if (interface_table_load(&driver->host.table) != 0) {
        driver->refresh_due_us = monotime_now_us() + STATUS_US;
        return;
    }
    driver->links.is_off = vrrp_config_is_alone(&driver->host.config);
    uint64_t look_us =
        link_debounce_apply(&driver->links, &driver->host.table, monotime_now_us());
    driver->refresh_due_us = earlier(driver->refresh_due_us, look_us);
    mark_virtual(driver);
    evaluate_all(driver);
    host_sockets_listen(&driver->host);
    host_sockets_sweep(&driver->host, driver->routers);
}

/* ---- planned switches -------------------------------------------------------------------- */

static void hand_over(struct vrrp_driver *driver, const struct message_vrrp_hand_over *message)
{
    hand_over_start(driver->routers, &driver->host, message, monotime_now_us());
}

/* A drained node gives up what it has; what nobody takes it keeps, and offers again. */
static void drain(struct vrrp_driver *driver, uint64_t now_us)
{
    bool has = driver->host.config.drained && vrrp_config_has_taker(&driver->host.config) &&
               hand_over_any_active(driver->routers);
    if (has)
        hand_over_offer(driver->routers, &driver->host, driver->offers, now_us);
    driver->drain_due_us =
        driver->host.config.drained
            ? now_us + hand_over_pause_us(driver->routers, &driver->host, driver->offers)
            : UINT64_MAX;
    driver->offers += has;
}

/* The proxy still answers: a peer takes over first, and this node goes on with what it has
 * begun until the grace is over. */
static void begin_stop(struct vrrp_driver *driver)
{
    static const struct message_vrrp_hand_over everything;
    driver->host.stopping = true;
    for (struct vrrp_router *router = driver->routers; router; router = router->next)
        vrrp_router_send_status(router, &driver->host);
    if (driver->host.config.peer_count > 0)
        hand_over(driver, &everything);
    driver->stop_us = monotime_now_us() + STOP_MAXIMUM_US;
}

static void run_planned(struct vrrp_driver *driver, uint64_t now_us)
{
    if (now_us >= driver->drain_due_us)
        drain(driver, now_us);
    if (driver->stop_us != UINT64_MAX &&
        (now_us >= driver->stop_us || hand_over_is_done(driver->routers)))
        loop_stop(driver->host.loop);
}

static void run_due(struct vrrp_driver *driver)
{
    uint64_t now_us = monotime_now_us();
    families_unite(driver->routers, &driver->host, now_us);
    for (struct vrrp_router *router = driver->routers; router; router = router->next)
        vrrp_router_run_due(router, &driver->host, now_us);
    for (struct vrrp_router *router = driver->routers; router; router = router->next)
        router_evidence_expire(router, &driver->host, now_us);
    if (chore_take(&driver->renew_due_us, VIP_RENEWAL_US, now_us)) {
        for (struct vrrp_router *router = driver->routers; router; router = router->next)
            vrrp_router_renew(router, &driver->host);
    }
    if (now_us >= driver->refresh_due_us)
        refresh(driver);
    if (gateway_check_run(&driver->host.gateways, &driver->host, now_us)) {
        evaluate_all(driver);
        driver->status_due_us = now_us;
    }
    if (chore_take(&driver->status_due_us, STATUS_US, now_us)) {
        for (struct vrrp_router *router = driver->routers; router; router = router->next)
            vrrp_router_send_status(router, &driver->host);
    }
    heartbeat_advance(&driver->heartbeat, CHORE_SLACK_US / 1000);
    run_planned(driver, now_us);
}

static void on_timer(struct loop_timer *timer)
{
    struct vrrp_driver *driver = CONTAINER_OF(timer, struct vrrp_driver, timer);
    run_due(driver);
    arm(driver);
}

static void refresh_soon(struct vrrp_driver *driver)
{
    driver->refresh_due_us =
        earlier(driver->refresh_due_us, monotime_now_us() + REFRESH_DELAY_US);
    arm(driver);
}

/* After a pause the machines must notice first that they overslept: then the addresses that
 * the kernel dropped meanwhile are no longer wanted. */
static void on_watch_wake(void *context)
{
    run_due(context);
}

static bool is_virtual(const struct vrrp_driver *driver, const struct ip_address *address)
{
    for (struct vrrp_router *router = driver->routers; router; router = router->next) {
        if (vrrp_router_has_address(router, address))
            return true;
    }
    return false;
}

static void
on_address(void *context, unsigned interface_index, const struct ip_address *address)
{
    struct vrrp_driver *driver = context;
    if (!is_virtual(driver, address))
        refresh_soon(driver);
}

static void
on_address_gone(void *context, unsigned interface_index, const struct ip_address *address)
{
    struct vrrp_driver *driver = context;
    bool ours = false;
    for (struct vrrp_router *router = driver->routers; router && !ours; router = router->next)
        ours = vrrp_router_address_gone(router, &driver->host, interface_index, address,
                                        monotime_now_us());
    refresh_soon(driver);
}

static void on_link(void *context)
{
    refresh_soon(context);
}

static void on_lost(void *context)
{
    struct vrrp_driver *driver = context;
    driver->renew_due_us = 0;
    refresh_soon(driver);
}

/* ---- adverts ---------------------------------------------------------------------------- */

static struct vrrp_router *
find_router(struct vrrp_driver *driver, const struct vrrp_socket *socket, uint8_t vrid)
{
    for (struct vrrp_router *router = driver->routers; router; router = router->next) {
        if (router->socket == socket && router->group.vrid == vrid)
            return router;
    }
    return NULL;
}

static void take_advert(struct vrrp_driver *driver,
                        struct vrrp_router *router,
                        const struct vrrp_envelope *envelope,
                        const struct vrrp_packet *packet)
{
    struct vrrp_event event = {.kind = VRRP_EVENT_ADVERT,
                               .source = envelope->source,
                               .priority = packet->priority,
                               .arrived_us = envelope->arrived_us,
                               .interval_us = packet->interval_cs * 10000u};
    if (ip_address_equal(&envelope->source, &router->machine.settings.own_address))
        return;
    if (!advert_policy_accepts(router, &driver->host, &envelope->source, packet->priority))
        return;
    router->adverts_received++;
    advert_policy_compare_sum(router, &driver->host, &envelope->source, packet);
    struct ip_address active_before = router->machine.active_address;
    bool was_active = router->machine.state == VRRP_ACTIVE;
    vrrp_router_step(router, &driver->host, &event, monotime_now_us());
    vrrp_router_know_active(router, monotime_now_us());
    if (!ip_address_equal(&active_before, &router->machine.active_address))
        vrrp_router_send_status(router, &driver->host);
    if (was_active && router->machine.state == VRRP_BACKUP)
        families_follow(router, &driver->host, monotime_now_us());
}

static void on_message(void *context,
                       const struct vrrp_socket *socket,
                       const struct vrrp_envelope *envelope,
                       struct bytes message)
{
    struct vrrp_driver *driver = context;
    struct vrrp_packet packet;
    struct vrrp_envelope opened = *envelope;
    struct vrrp_router *router =
        message.size > 1 ? find_router(driver, socket, message.data[1]) : NULL;
    host_sockets_note_vrid(&driver->host, &driver->vrids, socket, envelope, message);
    if (!router) /* other VRIDs than ours are other people's business */
        return;
    opened.any_hop_limit = vrrp_group_has_router(&router->group, &envelope->source);
    enum vrrp_verdict verdict = vrrp_packet_decode(message, &opened, &packet);
    if (verdict == VRRP_VERDICT_OK) {
        take_advert(driver, router, envelope, &packet);
        arm(driver);
    } else {
        router->adverts_dropped++;
        vrrp_report_stranger(&driver->host.report, router->interface, envelope, message,
                             verdict);
    }
}

/* ---- configuration ---------------------------------------------------------------------- */

static void resign(struct vrrp_driver *driver, struct vrrp_router *router)
{
    struct vrrp_event stop = {.kind = VRRP_EVENT_STOP};
    vrrp_router_step(router, &driver->host, &stop, monotime_now_us());
}

static struct vrrp_router *
find_same(struct vrrp_driver *driver, const struct message_vrrp_group *group, uint8_t family)
{
    for (struct vrrp_router *router = driver->routers; router; router = router->next) {
        if (uuid_equal(&router->group.group_id, &group->group_id) && router->family == family &&
            router->group.vrid == group->vrid)
            return router;
    }
    return NULL;
}

static bool
group_has_family(const struct vrrp_config *config, const struct uuid *group_id, uint8_t family)
{
    for (size_t i = 0; i < config->address_count; i++) {
        if (config->addresses[i].address.family == family &&
            uuid_equal(&config->addresses[i].group_id, group_id))
            return true;
    }
    return false;
}

/* Routers whose group, VRID or family is no longer configured resign and go. */
static void drop_routers(struct vrrp_driver *driver)
{
    const struct vrrp_config *config = &driver->host.config;
    for (struct vrrp_router **at = &driver->routers; *at;) {
        struct vrrp_router *router = *at;
        const struct message_vrrp_group *group =
            vrrp_config_group(config, &router->group.group_id);
        if (group && group->vrid == router->group.vrid &&
            group_has_family(config, &group->group_id, router->family)) {
            at = &router->next;
            continue;
        }
        resign(driver, router);
        *at = router->next;
        vrrp_router_free(router);
        families_link(driver->routers);
    }
}

static void resume(struct vrrp_driver *driver, struct vrrp_router *router)
{
    for (size_t i = 0; i < driver->resumed_count; i++) {
        const struct message_vrrp_status *status = &driver->resumed[i];
        struct vrrp_event event = {.kind = VRRP_EVENT_RESUME,
                                   .resume_state = status->state,
                                   .resume_active_address = status->active_address};
        if (!router->passive && status->family == router->family &&
            uuid_equal(&status->group_id, &router->group.group_id) &&
            status->vrid == router->group.vrid)
            vrrp_router_step(router, &driver->host, &event, monotime_now_us());
    }
}

static void
add_router(struct vrrp_driver *driver, const struct message_vrrp_group *group, uint8_t family)
{
    struct vrrp_host *host = &driver->host;
    bool known = host->eligibility_known;
    struct vrrp_router *router = vrrp_router_new(group, family);
    if (!router)
        return;
    router->next = driver->routers;
    driver->routers = router;
    families_link(driver->routers);
    /* The state of the process before us comes first, eligibility after it. */
    host->eligibility_known = known && driver->resumed_count == 0;
    vrrp_router_configure(router, host, group, monotime_now_us());
    resume(driver, router);
    host->eligibility_known = known;
    vrrp_router_evaluate(router, host, monotime_now_us());
}

/* Before a router looks for its own address: a process before us may have left these behind. */
static void mark_configured(struct interface_table *table, const struct vrrp_config *config)
{
    for (size_t i = 0; i < config->address_count; i++)
        interface_table_mark_virtual(table, &config->addresses[i].address);
    for (size_t i = 0; i < config->group_count; i++) {
        struct ip_address link_local = vrrp_link_local(config->groups[i].vrid);
        interface_table_mark_virtual(table, &link_local);
    }
}

static void apply(struct vrrp_driver *driver)
{
    static const uint8_t families[] = {4, 6};
    vrrp_config_free(&driver->host.config);
    driver->host.config = driver->pending;
    driver->pending = (struct vrrp_config){0};
    const struct vrrp_config *config = &driver->host.config;
    drop_routers(driver);
    mark_configured(&driver->host.table, config);
    for (size_t i = 0; i < config->group_count; i++) {
        for (size_t f = 0; f < ARRAY_LENGTH(families); f++) {
            const struct message_vrrp_group *group = &config->groups[i];
            struct vrrp_router *router = find_same(driver, group, families[f]);
            if (router)
                vrrp_router_configure(router, &driver->host, group, monotime_now_us());
            else if (group_has_family(config, &group->group_id, families[f]))
                add_router(driver, group, families[f]);
        }
    }
    driver->resumed_count = 0;
    gateway_check_configure(&driver->host.gateways, &driver->host);
    claim_answer_watch(&driver->claims);
    refresh(driver);
    driver->status_due_us = 0;
    driver->drain_due_us = config->drained ? 0 : UINT64_MAX;
    driver->offers = config->drained ? driver->offers : 0;
}

static void take_eligible(struct vrrp_driver *driver, const struct message_eligible *eligible)
{
    struct vrrp_host *host = &driver->host;
    host->eligibility_known = true;
    host->eligible = eligible->eligible;
    memcpy(host->ineligible_reason, eligible->reason, sizeof(host->ineligible_reason));
    host->ineligible_reason[sizeof(host->ineligible_reason) - 1] = 0;
    evaluate_all(driver);
}

static void take_hindrance(struct vrrp_driver *driver, const struct message_hindrance *word)
{
    if (!hindrance_list_set(&driver->host.hindrances, word))
        return;
    for (struct vrrp_router *router = driver->routers; router; router = router->next) {
        if (hindrance_concerns(word, &router->group.group_id))
            vrrp_router_evaluate(router, &driver->host, monotime_now_us());
    }
    driver->status_due_us = 0;
}

static void keep_resumed(struct vrrp_driver *driver, const struct message_vrrp_status *status)
{
    if (!driver->resumed)
        driver->resumed = calloc(RESUMED_MAXIMUM, sizeof(*driver->resumed));
    if (driver->resumed && driver->resumed_count < RESUMED_MAXIMUM)
        driver->resumed[driver->resumed_count++] = *status;
}

static void on_channel_message(void *context,
                               const struct message *message,
                               const int *fds,
                               size_t fd_count)
{
    struct vrrp_driver *driver = context;
    const void *body = message;
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
    switch ((enum message_type)message->type) {
    case MESSAGE_VRRP_STATUS: keep_resumed(driver, body); break;
    case MESSAGE_VRRP_BEGIN: vrrp_config_begin(&driver->pending, body); break;
    case MESSAGE_VRRP_GROUP:
    case MESSAGE_VRRP_PEER:
    case MESSAGE_VRRP_ADDRESS: vrrp_config_add(&driver->pending, message); break;
    case MESSAGE_VRRP_COMMIT:
        if (vrrp_config_is_whole(&driver->pending, body))
            apply(driver);
        else
            vrrp_report_event(&driver->host.report, EVENT_VRRP_FAULT,
                              "a configuration was refused (too large or out of range); "
                              "the last one stays");
        break;
    case MESSAGE_VRRP_VOUCHED:
        vouch_table_take(&driver->host.vouched, &driver->host.config, body);
        break;
    case MESSAGE_ELIGIBLE: take_eligible(driver, body); break;
    case MESSAGE_HINDRANCE: take_hindrance(driver, body); break;
    case MESSAGE_VRRP_EVIDENCE:
        router_evidence_take(driver->routers, &driver->host, body, monotime_now_us());
        break;
    case MESSAGE_VRRP_HAND_OVER: hand_over(driver, body); break;
    case MESSAGE_STOP: begin_stop(driver); break;
    default: break; /* not for us */
    }
    arm(driver);
}

static void on_channel_closed(void *context)
{
    struct vrrp_driver *driver = context;
    loop_stop(driver->host.loop);
}

/* Whoever ends all processes at once by signal still gets a resignation. */
static void on_terminate(struct loop_signal *signal, int number)
{
    struct vrrp_driver *driver = CONTAINER_OF(signal, struct vrrp_driver, terminate);
    loop_stop(driver->host.loop);
}

/* A process before us may have died on guard. */
static void remove_old_filters(struct vrrp_driver *driver)
{
    for (size_t i = 0; i < driver->host.table.interface_count; i++) {
        reset_filter_remove(driver->host.table.interfaces[i].index, 4);
        reset_filter_remove(driver->host.table.interfaces[i].index, 6);
    }
}

/* ---- life ------------------------------------------------------------------------------- */

static int open_all(struct vrrp_driver *driver, int channel_fd)
{
    struct vrrp_host *host = &driver->host;
    struct channel_handler on_channel = {on_channel_message, on_channel_closed, driver};
    struct address_watch_handler on_watch = {on_watch_wake, on_address_gone, on_address,
                                             on_link,       on_lost,         driver};
    host->report.channel = channel_new(host->loop, channel_fd, &on_channel);
    if (!host->report.channel)
        return -ENOMEM;
    int rv = loop_signal_start(host->loop, &driver->terminate, SIGTERM, on_terminate);
    if (rv == 0)
        rv = vip_netlink_open(&host->netlink);
    if (rv == 0)
        rv = address_watch_open(host->loop, &on_watch, &driver->watch);
    if (rv == 0)
        rv = interface_table_load(&host->table);
    if (rv == 0 && host->privileged) {
        remove_old_filters(driver);
        claim_answer_open(&driver->claims, host, &driver->routers);
    }
    return rv;
}

struct vrrp_driver *vrrp_driver_new(const struct vrrp_driver_options *options, int *out_error)
{
    struct vrrp_driver *driver = calloc(1, sizeof(*driver));
    *out_error = -ENOMEM;
    if (!driver)
        return NULL;
    driver->host.loop = options->loop;
    driver->host.privileged = options->privileged;
    driver->host.frame_fd = frame_socket_open();
    driver->host.socket_handler = (struct vrrp_socket_handler){on_message, driver};
    driver->refresh_due_us = driver->drain_due_us = driver->stop_us = UINT64_MAX;
    *out_error = open_all(driver, options->channel_fd);
    if (*out_error != 0) {
        vrrp_driver_free(driver);
        return NULL;
    }
    arm(driver);
    heartbeat_start(&driver->heartbeat, driver->host.loop, driver->host.report.channel);
    return driver;
}

void vrrp_driver_run(struct vrrp_driver *driver)
{
    loop_run(driver->host.loop);
    for (struct vrrp_router *router = driver->routers; router; router = router->next)
        resign(driver, router);
}

void vrrp_driver_free(struct vrrp_driver *driver)
{
    if (!driver)
        return;
    heartbeat_stop(&driver->heartbeat);
    loop_timer_stop(&driver->timer);
    loop_signal_stop(&driver->terminate);
    while (driver->routers) {
        struct vrrp_router *next = driver->routers->next;
        vrrp_router_free(driver->routers);
        driver->routers = next;
    }
    host_sockets_close(&driver->host);
    address_watch_close(driver->watch);
    claim_answer_close(&driver->claims);
    vip_netlink_close(driver->host.netlink);
    interface_table_free(&driver->host.table);
    link_debounce_free(&driver->links);
    if (driver->host.frame_fd >= 0)
        close(driver->host.frame_fd);
    vrrp_config_free(&driver->host.config);
    vrrp_config_free(&driver->pending);
    hindrance_list_free(&driver->host.hindrances);
    channel_free(driver->host.report.channel);
    free(driver->resumed);
    free(driver);
}
