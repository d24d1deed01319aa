#include "tests/unit/proxy/world.h"

#include "lbnode/base/monotime.h"
#include "proxy/proxy.h"
#include "tests/support/test.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void
on_message(void *context, const struct message *message, const int *fds, size_t count)
{
    struct world *world = context;
    const void *whole = message;
    if (message->type == MESSAGE_RUNNING)
        world->running_generation = ((const struct message_running *)whole)->generation;
    if (message->type == MESSAGE_SUSPICION) {
        world->suspicion = *(const struct message_suspicion *)whole;
        world->suspicions++;
    }
    if (message->type != MESSAGE_EVENT)
        return;
    uint32_t code = ((const struct message_event *)whole)->code;
    if (code < EVENT_CODE_COUNT)
        world->events[code]++;
    world->rejected += code == EVENT_SNAPSHOT_REJECTED;
}

static void on_closed(void *context)
{
    ((struct world *)context)->channel_closed = true;
}

static int listen_at(struct ip_endpoint *endpoint)
{
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(endpoint, &address);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 1024), 0);
    size = sizeof(address);
    getsockname(fd, (struct sockaddr *)&address, &size);
    assert_true(ip_endpoint_from_sockaddr((struct sockaddr *)&address, endpoint));
    return fd;
}

static void add_listener(struct world *world, struct ip_endpoint *endpoint)
{
    struct message_listener message = MESSAGE_OF(LISTENER, struct message_listener);
    int fds[WORLD_WORKERS];
    *endpoint = image_loopback(0);
    for (int i = 0; i < WORLD_WORKERS; i++)
        fds[i] = listen_at(endpoint);
    message.endpoint = *endpoint;
    assert_int_equal(channel_send(world->channel, &message.header, fds, WORLD_WORKERS), 0);
    for (int i = 0; i < WORLD_WORKERS; i++)
        close(fds[i]);
}

void world_start(struct world *world)
{
    world_start_limited(world, 0);
}

static void start(struct world *world, unsigned files, uint64_t buffer_memory)
{
    const struct rlimit limit = {files, files};
    int ends[2];
    const struct channel_handler handler = {on_message, on_closed, world};
    memset(world, 0, sizeof(*world));
    assert_int_equal(channel_pair(ends), 0);
    world->context = (struct process_context){
        .channel_fd = ends[1],
        .verdicts = verdict_board_create(),
        .counters = counter_board_create(),
        .worker_count = WORLD_WORKERS,
        .buffer_memory = buffer_memory,
    };
    world->pid = fork();
    assert_true(world->pid >= 0);
    if (world->pid == 0) {
        close(ends[0]);
        if (files > 0)
            setrlimit(RLIMIT_NOFILE, &limit);
        _exit(proxy_main(&world->context));
    }
    close(ends[1]);
    world->loop = loop_new();
    world->channel = channel_new(world->loop, ends[0], &handler);
    assert_non_null(world->channel);
    add_listener(world, &world->http);
    add_listener(world, &world->tcp);
    image_init(&world->image, 0, 2);
}

void world_start_limited(struct world *world, unsigned files)
{
    start(world, files, 0);
}

void world_start_narrow(struct world *world, uint64_t buffer_memory)
{
    start(world, 0, buffer_memory);
}

void world_send(struct world *world, const struct message *message, int fd)
{
    assert_int_equal(channel_send(world->channel, message, &fd, fd >= 0 ? 1 : 0), 0);
}

static void on_tick(struct loop_timer *timer)
{
    /* Only wakes the loop. */
}

void world_wait(struct world *world, const uint64_t *flag, uint64_t wanted)
{
    struct loop_timer tick = {0};
    uint64_t deadline_ms = monotime_now_ms() + WORLD_PATIENCE_MS;
    while (*flag < wanted && monotime_now_ms() < deadline_ms) {
        loop_timer_start(world->loop, &tick, 10, on_tick);
        loop_turn(world->loop, true);
    }
    loop_timer_stop(&tick);
    assert_true(*flag >= wanted);
}

void world_apply(struct world *world)
{
    struct message_snapshot message = MESSAGE_OF(SNAPSHOT, struct message_snapshot);
    struct snapshot_endpoint *endpoints = world->image.endpoints;
    bool http_first = world->http.port < world->tcp.port;
    endpoints[http_first ? 0 : 1] = (struct snapshot_endpoint){world->http, 0};
    endpoints[http_first ? 1 : 0] = (struct snapshot_endpoint){world->tcp, 1};
    message.generation = ++world->image.header.generation;
    int fd = image_seal(&world->image);
    world_send(world, &message.header, fd);
    close(fd);
    world_wait(world, &world->running_generation, message.generation);
}

int world_exit_status(struct world *world)
{
    uint64_t deadline_ms = monotime_now_ms() + WORLD_PATIENCE_MS;
    int status = 0;
    pid_t pid = 0;
    while (pid == 0 && monotime_now_ms() < deadline_ms) {
        pid = waitpid(world->pid, &status, WNOHANG);
        if (pid == 0 && !world->channel_closed)
            loop_turn(world->loop, false);
        usleep(1000);
    }
    assert_int_equal(pid, world->pid);
    world->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

void world_monitor(struct world *world)
{
    world->image.header.monitors.count = 1;
    world->image.pool.monitor = 0;
    world->image.monitor = (struct snapshot_monitor){.type = SNAPSHOT_MONITOR_TCP,
                                                     .enabled = 1,
                                                     .max_retries = 1,
                                                     .max_retries_down = 1,
                                                     .http_version = 11,
                                                     .delay_ms = 1000,
                                                     .timeout_ms = 1000};
    for (uint32_t i = 0; i < world->image.header.members.count; i++)
        world_judge(world, i, VERDICT_ONLINE);
}

void world_judge(struct world *world, uint32_t member, enum verdict_state state)
{
    struct verdict_board *board = world->context.verdicts;
    const struct snapshot_member *at = &world->image.members[member];
    atomic_store(&board->slots[at->slot].word, verdict_word_make(at->incarnation, state, 0));
    atomic_fetch_add(&board->changes, 1);
}

void world_stop(struct world *world)
{
    channel_free(world->channel);
    world->channel = NULL;
    world->channel_closed = true;
    if (world->pid > 0)
        assert_int_equal(world_exit_status(world), 0);
    loop_free(world->loop);
}

uint64_t world_listener_requests(const struct world *world)
{
    uint64_t sum = 0;
    for (int i = 0; i < WORLD_WORKERS; i++)
        sum += world->context.counters->workers[i].listeners[0].requests;
    return sum;
}
