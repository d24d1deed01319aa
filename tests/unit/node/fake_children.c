#include "tests/unit/node/fake_children.h"

#include "lbnode/base/bytes.h"
#include "lbnode/loop/channel.h"
#include "vrrp/vrrp.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    GOOD = 7, /* generation */
    WATCH_MS = 10
};

void journal_note(struct journal *journal, enum process_role role, int type, uint64_t value)
{
    size_t at = atomic_fetch_add(&journal->count, 1);
    if (at < JOURNAL_SIZE)
        journal->entries[at] = (struct entry){role, type, value};
}

int journal_count(const struct journal *journal,
                  enum process_role role,
                  int type,
                  uint64_t value)
{
    int found = 0;
    for (size_t i = 0; i < journal->count && i < JOURNAL_SIZE; i++) {
        const struct entry *entry = &journal->entries[i];
        found += entry->role == role && entry->type == type &&
                 (value == UINT64_MAX || entry->value == value);
    }
    return found;
}

struct running_fake {
    const struct fake *fake;
    struct loop *loop;
    struct channel *channel;
    struct loop_timer watch_timer;
    uint64_t generation;  /* that the proxy runs */
    unsigned good_runs;   /* how often control heard that the good snapshot runs */
    unsigned poison_sent; /* by control */
    bool fell_back;       /* control heard of it since the last poison */
};

static void say_running(struct running_fake *self, uint64_t generation)
{
    struct message_running running = MESSAGE_OF(RUNNING, struct message_running);
    running.generation = generation;
    channel_send(self->channel, &running.header, NULL, 0);
}

static void send_snapshot(struct running_fake *self, uint64_t generation, bool with_endpoint)
{
    struct message_binding binding = MESSAGE_OF(BINDING, struct message_binding);
    struct message_snapshot snapshot = MESSAGE_OF(SNAPSHOT, struct message_snapshot);
    int fd = memfd_create("snapshot", MFD_CLOEXEC);
    binding.generation = snapshot.generation = generation;
    binding.endpoint = self->fake->journal->endpoint;
    if (with_endpoint)
        channel_send(self->channel, &binding.header, NULL, 0);
    channel_send(self->channel, &snapshot.header, &fd, 1);
    close(fd);
}

/* The good snapshot was handed on before its first "running", so the supervisor's timer is due
 * when the second one comes to it, a watch period later, and has run before it reads a third.
 */
static void maybe_send_poison(struct running_fake *self)
{
    bool proven = self->poison_sent == 0 && self->good_runs >= 3;
    bool serves_again = self->poison_sent == 1 && self->fell_back;
    if (!self->fake->journal->poison || (!proven && !serves_again))
        return;
    self->fake->journal->settings.proven_after_ms = NEVER_MS;
    send_snapshot(self, POISON + self->poison_sent++, true);
}

static void control_message(struct running_fake *self, const union message_buffer *any)
{
    if (any->header.type == MESSAGE_EVENT && any->member_EVENT.code == EVENT_POISON_CONFIG)
        self->fell_back = true;
    if (any->header.type == MESSAGE_RUNNING && any->member_RUNNING.generation == GOOD) {
        self->good_runs++;
        maybe_send_poison(self);
    }
}

static void
fake_message(void *context, const struct message *message, const int *fds, size_t fd_count)
{
    struct running_fake *self = context;
    const union message_buffer *any = (const void *)message;
    uint64_t value = fd_count;
    if (message->type == MESSAGE_SNAPSHOT)
        value = any->member_SNAPSHOT.generation;
    if (message->type == MESSAGE_EVENT)
        value = any->member_EVENT.code;
    if (message->type == MESSAGE_ELIGIBLE)
        value = any->member_ELIGIBLE.eligible;
    if (message->type == MESSAGE_BIND_RESULT)
        value = (uint64_t)any->member_BIND_RESULT.error_number;
    if (message->type == MESSAGE_HINDRANCE)
        value = 1000u * any->member_HINDRANCE.holds + any->member_HINDRANCE.kind;
    if (message->type == MESSAGE_VRRP_VOUCHED)
        value = any->member_VRRP_VOUCHED.node_id.bytes[0];
    journal_note(self->fake->journal, self->fake->role, message->type, value);
    if (self->fake->role == PROCESS_CONTROL)
        control_message(self, any);
    if (self->fake->role == PROCESS_PROXY && message->type == MESSAGE_SNAPSHOT &&
        value >= POISON)
        _exit(9);
    if (self->fake->role == PROCESS_PROXY && message->type == MESSAGE_SNAPSHOT &&
        !self->fake->journal->no_running)
        say_running(self, self->generation = value);
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
    if (message->type == MESSAGE_STOP)
        loop_stop(self->loop);
}

static void fake_closed(void *context)
{
    struct running_fake *self = context;
    loop_stop(self->loop);
}

static void send_election(struct running_fake *self)
{
    struct message_vrrp_begin begin = MESSAGE_OF(VRRP_BEGIN, struct message_vrrp_begin);
    struct message_vrrp_group group = MESSAGE_OF(VRRP_GROUP, struct message_vrrp_group);
    struct message_vrrp_peer peer = MESSAGE_OF(VRRP_PEER, struct message_vrrp_peer);
    struct message_vrrp_address address = MESSAGE_OF(VRRP_ADDRESS, struct message_vrrp_address);
    struct message_vrrp_commit commit = MESSAGE_OF(VRRP_COMMIT, struct message_vrrp_commit);
    channel_send(self->channel, &begin.header, NULL, 0);
    channel_send(self->channel, &group.header, NULL, 0);
    address.address = self->fake->journal->endpoint.address;
    peer.node_id.bytes[0] = PEER;
    channel_send(self->channel, &address.header, NULL, 0);
    if (self->fake->journal->peers)
        channel_send(self->channel, &peer.header, NULL, 0);
    channel_send(self->channel, &commit.header, NULL, 0);
    /* Half a set, as from a process that dies in the middle. */
    channel_send(self->channel, &begin.header, NULL, 0);
}

static void vouch(struct running_fake *self, int id)
{
    struct message_vrrp_vouched vouched = MESSAGE_OF(VRRP_VOUCHED, struct message_vrrp_vouched);
    vouched.node_id.bytes[0] = (uint8_t)id;
    channel_send(self->channel, &vouched.header, NULL, 0);
}

static void send_vouched(struct running_fake *self)
{
    vouch(self, PEER);
    for (int i = 0; i < STRANGERS_COUNT; i++)
        vouch(self, STRANGERS + i);
}

static void send_owned(struct running_fake *self)
{
    struct message_vrrp_status status = MESSAGE_OF(VRRP_STATUS, struct message_vrrp_status);
    struct message_vrrp_owned owned = MESSAGE_OF(VRRP_OWNED, struct message_vrrp_owned);
    status.family = 4;
    status.state = VRRP_ACTIVE;
    ip_address_parse("192.0.2.1", &owned.address);
    owned.owned = 1;
    owned.interface_index = 7;
    channel_send(self->channel, &status.header, NULL, 0);
    channel_send(self->channel, &owned.header, NULL, 0);
}

static void hang(struct running_fake *self)
{
    struct message_alive alive = MESSAGE_OF(ALIVE, struct message_alive);
    self->fake->journal->hanging = 0;
    channel_send(self->channel, &alive.header, NULL, 0);
    for (;;)
        pause();
}

static void watch(struct loop_timer *timer)
{
    struct running_fake *self = CONTAINER_OF(timer, struct running_fake, watch_timer);
    const struct journal *journal = self->fake->journal;
    if (journal->hanging == (int)self->fake->role)
        hang(self);
    if (journal->poison && self->fake->role == PROCESS_PROXY && self->generation > 0)
        say_running(self, self->generation);
    loop_timer_start(self->loop, timer, WATCH_MS, watch);
}

static void begin_fake(struct running_fake *self, int start)
{
    watch(&self->watch_timer);
    if (self->fake->role == PROCESS_VRRP)
        send_owned(self);
    if (self->fake->role == PROCESS_CONTROL && start == 1) {
        send_snapshot(self, GOOD, true);
        send_election(self);
        if (self->fake->journal->strangers)
            send_vouched(self);
    }
}

static unsigned sockets_held(const struct process_context *context)
{
    unsigned count = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(context->icmp.fds); i++)
        count += context->icmp.fds[i] > 0 && fcntl(context->icmp.fds[i], F_GETFD) == FD_CLOEXEC;
    return count;
}

int fake_main(const struct process_context *context, const void *argument)
{
    const struct fake *fake = argument;
    struct running_fake self = {.fake = fake, .loop = loop_new()};
    struct channel_handler handler = {fake_message, fake_closed, &self};
    if (fake->role == PROCESS_CONTROL && fake->journal->control_unusable)
        return EXIT_UNUSABLE;
    self.channel = channel_new(self.loop, context->channel_fd, &handler);
    int start = ++fake->journal->starts[fake->role];
    begin_fake(&self, start);
    fake->journal->pids[fake->role] = getpid();
    journal_note(fake->journal, fake->role, HELD, sockets_held(context));
    journal_note(fake->journal, fake->role, STARTED, (uint64_t)getpid());
    loop_run(self.loop);
    journal_note(fake->journal, fake->role, ENDED, (uint64_t)getpid());
    return 0;
}
