/* Runs one vrrp process without the rest of a node: plays the supervisor, feeds a configuration
 * from the command line, and prints what the process reports.
 *   vrrp_harness [--vrid N] [--priority N] [--interval MS] [--interface NAME] [--preempt]
 *                [--peer ADDRESS]... [--vip ADDRESS]... [--later ADDRESS]...
 *                [--source ADDRESS]... [--unproven]
 * --source: where adverts of the first peer may come from besides its address; --unproven: no
 * session with any peer was ever live, so nobody vouches for them.
 * SIGUSR1 toggles eligibility, SIGUSR2 whether the later addresses are configured, SIGTERM
 * stops in an orderly way. A vrrp process that dies is started again with its last states, as
 * the supervisor does. */
#include "lbnode/base/bytes.h"
#include "lbnode/base/log.h"
#include "lbnode/base/monotime.h"
#include "lbnode/base/parse_number.h"
#include "lbnode/loop/channel.h"
#include "vrrp/vrrp.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LIST_MAXIMUM = 32,
    STATUS_MAXIMUM = 4
};

struct harness {
    struct loop *loop;
    struct channel *channel;
    struct loop_signal toggle, later, stop, child;
    struct message_vrrp_group group;
    struct ip_address peers[LIST_MAXIMUM], vips[LIST_MAXIMUM], laters[LIST_MAXIMUM];
    size_t peer_count, vip_count, later_count;
    struct message_vrrp_vouched vouched; /* sources of the first peer */
    bool unproven;                       /* no session with any peer was ever live */
    struct message_vrrp_status statuses[STATUS_MAXIMUM];
    size_t status_count;
    bool eligible, stopping, with_later;
    pid_t pid;
    const char *program;
};

static void start_child(struct harness *harness);

static void say(const char *what, const char *text)
{
    printf("%llu %s %s\n", (unsigned long long)monotime_now_ms(), what, text);
    fflush(stdout);
}

static void keep_status(struct harness *harness, const struct message_vrrp_status *status)
{
    char address[IP_ADDRESS_TEXT_SIZE], text[256];
    struct message_vrrp_status *kept = NULL;
    for (size_t i = 0; i < harness->status_count; i++) {
        if (harness->statuses[i].family == status->family)
            kept = &harness->statuses[i];
    }
    if (kept && kept->state == status->state && strcmp(kept->reason, status->reason) == 0) {
        *kept = *status;
        return;
    }
    if (!kept && harness->status_count < STATUS_MAXIMUM)
        kept = &harness->statuses[harness->status_count++];
    if (kept)
        *kept = *status;
    ip_address_format(&status->active_address, address);
    snprintf(text, sizeof(text), "IPv%u %s active=%s interface=%s reason=%s", status->family,
             vrrp_state_name(status->state), address, status->interface, status->reason);
    say("STATUS", text);
}

static void
on_message(void *context, const struct message *message, const int *fds, size_t fd_count)
{
    struct harness *harness = context;
    char address[IP_ADDRESS_TEXT_SIZE], text[320];
    if (message->type == MESSAGE_VRRP_STATUS) {
        keep_status(harness, (const void *)message);
    } else if (message->type == MESSAGE_EVENT) {
        const struct message_event *event = (const void *)message;
        snprintf(text, sizeof(text), "%s %s", event_code_name(event->code), event->text);
        say("EVENT", text);
    } else if (message->type == MESSAGE_VRRP_OWNED) {
        const struct message_vrrp_owned *owned = (const void *)message;
        ip_address_format(&owned->address, address);
        snprintf(text, sizeof(text), "%s/%u on %u: %u", address, owned->prefix_length,
                 owned->interface_index, owned->owned);
        say("OWNED", text);
    }
}

static void send_eligible(struct harness *harness)
{
    struct message_eligible eligible = MESSAGE_OF(ELIGIBLE, struct message_eligible);
    eligible.eligible = harness->eligible;
    snprintf(eligible.reason, sizeof(eligible.reason), "%s",
             harness->eligible ? "" : "told so by a signal");
    channel_send(harness->channel, &eligible.header, NULL, 0);
}

static void send_addresses(struct harness *harness, const struct ip_address *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct message_vrrp_address vip = MESSAGE_OF(VRRP_ADDRESS, struct message_vrrp_address);
        vip.address = list[i];
        channel_send(harness->channel, &vip.header, NULL, 0);
    }
}

/* As gossip would. */
static void send_vouched(struct harness *harness)
{
    for (size_t i = 0; i < harness->peer_count && !harness->unproven; i++) {
        struct message_vrrp_vouched vouched =
            MESSAGE_OF(VRRP_VOUCHED, struct message_vrrp_vouched);
        if (i == 0)
            vouched = harness->vouched;
        vouched.node_id.bytes[0] = (uint8_t)(i + 1);
        channel_send(harness->channel, &vouched.header, NULL, 0);
    }
}

static void send_configuration(struct harness *harness)
{
    struct message_vrrp_begin begin = MESSAGE_OF(VRRP_BEGIN, struct message_vrrp_begin);
    struct message_vrrp_commit commit = MESSAGE_OF(VRRP_COMMIT, struct message_vrrp_commit);
    channel_send(harness->channel, &begin.header, NULL, 0);
    channel_send(harness->channel, &harness->group.header, NULL, 0);
    for (size_t i = 0; i < harness->peer_count; i++) {
        struct message_vrrp_peer peer = MESSAGE_OF(VRRP_PEER, struct message_vrrp_peer);
        peer.node_id.bytes[0] = (uint8_t)(i + 1);
        peer.address = harness->peers[i];
        channel_send(harness->channel, &peer.header, NULL, 0);
    }
    send_addresses(harness, harness->vips, harness->vip_count);
    if (harness->with_later)
        send_addresses(harness, harness->laters, harness->later_count);
    channel_send(harness->channel, &commit.header, NULL, 0);
}

static void start_child(struct harness *harness)
{
    struct channel_handler handler = {on_message, NULL, harness};
    int fds[2];
    char number[16];
    if (channel_pair(fds) != 0)
        exit(1);
    snprintf(number, sizeof(number), "%d", fds[1]);
    harness->pid = fork();
    if (harness->pid == 0) {
        fcntl(fds[1], F_SETFD, 0);
        execl("/proc/self/exe", harness->program, "--child", number, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    channel_free(harness->channel);
    harness->channel = channel_new(harness->loop, fds[0], &handler);
    for (size_t i = 0; i < harness->status_count; i++)
        channel_send(harness->channel, &harness->statuses[i].header, NULL, 0);
    send_vouched(harness);
    send_configuration(harness);
    send_eligible(harness);
    snprintf(number, sizeof(number), "%d", harness->pid);
    say("PID", number);
}

static void on_toggle(struct loop_signal *signal, int number)
{
    struct harness *harness = CONTAINER_OF(signal, struct harness, toggle);
    harness->eligible = !harness->eligible;
    send_eligible(harness);
}

static void on_later(struct loop_signal *signal, int number)
{
    struct harness *harness = CONTAINER_OF(signal, struct harness, later);
    harness->with_later = !harness->with_later;
    send_configuration(harness);
}

static void on_stop(struct loop_signal *signal, int number)
{
    struct harness *harness = CONTAINER_OF(signal, struct harness, stop);
    struct message_stop stop = MESSAGE_OF(STOP, struct message_stop);
    harness->stopping = true;
    channel_send(harness->channel, &stop.header, NULL, 0);
}

static void on_child(struct loop_signal *signal, int number)
{
    struct harness *harness = CONTAINER_OF(signal, struct harness, child);
    int status;
    if (waitpid(harness->pid, &status, WNOHANG) != harness->pid)
        return;
    say("EXIT", WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "0" : "failed");
    if (harness->stopping)
        loop_stop(harness->loop);
    else
        start_child(harness);
}

static bool add_address(struct ip_address *list, size_t *count, const char *text)
{
    return *count < LIST_MAXIMUM && ip_address_parse(text, &list[(*count)++]);
}

static bool take_option(struct harness *harness, int option, const char *value)
{
    int64_t number = 0;
    switch (option) {
    case 'v':
        if (!parse_integer(value, 1, 255, &number))
            return false;
        harness->group.vrid = (uint8_t)number;
        return true;
    case 'p':
        if (!parse_integer(value, 1, 254, &number))
            return false;
        harness->group.priority = (uint8_t)number;
        return true;
    case 'i':
        if (!parse_integer(value, 10, 40950, &number))
            return false;
        harness->group.advert_interval_ms = (uint32_t)number;
        return true;
    case 'n':
        snprintf(harness->group.interface, sizeof(harness->group.interface), "%s", value);
        return true;
    case 'P': harness->group.preempt = 1; return true;
    case 'e': return add_address(harness->peers, &harness->peer_count, value);
    case 'l': return add_address(harness->laters, &harness->later_count, value);
    case 'o':
        return harness->vouched.count < VRRP_SOURCES_MAXIMUM &&
               ip_address_parse(value, &harness->vouched.addresses[harness->vouched.count++]);
    case 'u': harness->unproven = true; return true;
    case 'a': return add_address(harness->vips, &harness->vip_count, value);
    default: return false;
    }
}

static int be_child(const char *text)
{
    int64_t fd;
    struct process_context context = {0};
    if (!parse_integer(text, 3, 1000, &fd))
        return 2;
    context.channel_fd = (int)fd;
    fcntl(context.channel_fd, F_SETFD, FD_CLOEXEC);
    log_open("vrrp", LOG_LEVEL_INFO);
    return vrrp_main(&context);
}

static int run(struct harness *harness)
{
    harness->loop = loop_new();
    if (!harness->loop)
        return 1;
    loop_signal_start(harness->loop, &harness->toggle, SIGUSR1, on_toggle);
    loop_signal_start(harness->loop, &harness->later, SIGUSR2, on_later);
    loop_signal_start(harness->loop, &harness->stop, SIGTERM, on_stop);
    loop_signal_start(harness->loop, &harness->child, SIGCHLD, on_child);
    start_child(harness);
    loop_run(harness->loop);
    channel_free(harness->channel);
    loop_signal_stop(&harness->toggle);
    loop_signal_stop(&harness->later);
    loop_signal_stop(&harness->stop);
    loop_signal_stop(&harness->child);
    loop_free(harness->loop);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"vrid", 1, 0, 'v'},
                                            {"priority", 1, 0, 'p'},
                                            {"interval", 1, 0, 'i'},
                                            {"interface", 1, 0, 'n'},
                                            {"preempt", 0, 0, 'P'},
                                            {"peer", 1, 0, 'e'},
                                            {"vip", 1, 0, 'a'},
                                            {"later", 1, 0, 'l'},
                                            {"source", 1, 0, 'o'},
                                            {"unproven", 0, 0, 'u'},
                                            {0}};
    struct harness harness = {.eligible = true, .program = argv[0]};
    harness.group = MESSAGE_OF(VRRP_GROUP, struct message_vrrp_group);
    harness.vouched = MESSAGE_OF(VRRP_VOUCHED, struct message_vrrp_vouched);
    harness.group.vrid = 51;
    harness.group.priority = 100;
    harness.group.advert_interval_ms = 100;
    snprintf(harness.group.name, sizeof(harness.group.name), "default");
    if (argc == 3 && strcmp(argv[1], "--child") == 0)
        return be_child(argv[2]);
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (!take_option(&harness, option, optarg)) {
            fprintf(stderr, "vrrp_harness: bad option or value\n");
            return 2;
        }
    }
    return run(&harness);
}
