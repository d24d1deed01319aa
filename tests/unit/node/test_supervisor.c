/* The supervisor with children that only write down what they are told. Each test runs a
 * supervisor in a process of its own; all write into one shared journal. */
#include "lbnode/node/supervisor.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"
#include "lbnode/model/hindrance.h"
#include "tests/support/test.h"
#include "tests/unit/node/fake_children.h"
#include "vrrp/vrrp.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DEADLINE_MS = 5000,
    WORKERS = 2,
    HANG_CHECK_TEST_MS = 20
};

struct fixture {
    struct journal *journal;
    pid_t supervisor;
};

static struct fixture fixture;

static int note_removed(const struct message_vrrp_owned *owned)
{
    journal_note(fixture.journal, PROCESS_SUPERVISOR, REMOVED, owned->interface_index);
    return 0;
}

static void note_spoken(const struct vrrp_last_words *words)
{
    journal_note(fixture.journal, PROCESS_SUPERVISOR, SPOKE, words->resign);
}

/* At an address of this process alone: a port found free there stays so, whatever other
 * programs bind or connect from meanwhile. */
static void find_free_endpoint(struct ip_endpoint *out)
{
    unsigned pid = (unsigned)getpid();
    struct sockaddr_storage address;
    *out = (struct ip_endpoint){
        .address = {4, {127, (uint8_t)(1 + (pid >> 16)), (uint8_t)(pid >> 8), (uint8_t)pid}}};
    socklen_t size = ip_endpoint_to_sockaddr(out, &address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    size = sizeof(address);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_true(ip_endpoint_from_sockaddr((struct sockaddr *)&address, out));
    close(fd);
}

static int set_up(void **state)
{
    fixture.journal = mmap(NULL, sizeof(*fixture.journal), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fixture.journal == MAP_FAILED)
        return -1;
    fixture.journal->settings =
        (struct supervisor_settings){.worker_count = WORKERS,
                                     .incarnation = 1,
                                     .keep_privileges = true,
                                     .drain_ms = 50,
                                     .proven_after_ms = NEVER_MS,
                                     .proxy_away_ms = NEVER_MS,
                                     .hang_check_ms = HANG_CHECK_TEST_MS,
                                     .remove_address = note_removed,
                                     .speak_for_dead = note_spoken};
    find_free_endpoint(&fixture.journal->endpoint);
    return 0;
}

static void start_node(void)
{
    fixture.supervisor = fork();
    if (fixture.supervisor != 0)
        return;
    close_range(STDERR_FILENO + 1, ~0u, 0);
    struct fake fakes[PROCESS_ROLE_COUNT];
    struct supervisor_settings *settings = &fixture.journal->settings;
    for (int role = PROCESS_VRRP; role < PROCESS_ROLE_COUNT; role++) {
        fakes[role] = (struct fake){fixture.journal, (enum process_role)role};
        settings->programs[role].run = fake_main;
        settings->programs[role].argument = &fakes[role];
    }
    for (size_t i = 0; i < ARRAY_LENGTH(settings->icmp.fds); i++)
        settings->icmp.fds[i] = eventfd(0, EFD_CLOEXEC); /* any descriptor will do */
    _exit(supervisor_run(settings));
}

static bool wait_for(enum process_role role, int type, uint64_t value, int times)
{
    uint64_t end = monotime_now_ms() + DEADLINE_MS;
    while (journal_count(fixture.journal, role, type, value) < times) {
        if (monotime_now_ms() > end)
            return false;
        usleep(1000);
    }
    return true;
}

static int tear_down(void **state)
{
    if (fixture.supervisor > 0) {
        int status;
        kill(fixture.supervisor, SIGTERM);
        waitpid(fixture.supervisor, &status, 0);
    }
    fixture.supervisor = 0;
    munmap(fixture.journal, sizeof(*fixture.journal));
    return 0;
}

static void start_and_serve(void)
{
    start_node();
    for (int role = PROCESS_VRRP; role < PROCESS_ROLE_COUNT; role++)
        assert_true(wait_for((enum process_role)role, STARTED, UINT64_MAX, 1));
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_RUNNING, UINT64_MAX, 1));
}

static void kill_and_wait(enum process_role role)
{
    int starts = fixture.journal->starts[role];
    pid_t pid = fixture.journal->pids[role];
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_true(wait_for(role, STARTED, UINT64_MAX, starts + 1));
}

static bool connects(void)
{
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(&fixture.journal->endpoint, &address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = connect(fd, (struct sockaddr *)&address, size) == 0;
    return close(fd) == 0 && good;
}

static void a_snapshot_reaches_proxy_and_health_after_its_sockets(void **state)
{
    start_and_serve();
    assert_true(wait_for(PROCESS_HEALTH, MESSAGE_SNAPSHOT, 7, 1));
    assert_int_equal(journal_count(fixture.journal, PROCESS_PROXY, MESSAGE_LISTENER, WORKERS),
                     1);
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_BIND_RESULT, 0, 1));
    assert_true(wait_for(PROCESS_VRRP, MESSAGE_ELIGIBLE, 1, 1));
    for (size_t i = 0, sockets = 0; i < fixture.journal->count; i++) {
        const struct entry *entry = &fixture.journal->entries[i];
        sockets += entry->type == MESSAGE_LISTENER;
        if (entry->role == PROCESS_PROXY && entry->type == MESSAGE_SNAPSHOT)
            assert_int_equal(sockets, 1);
    }
}

static void a_dead_proxy_refuses_no_connection_and_gets_everything_back(void **state)
{
    start_and_serve();
    assert_true(connects());
    kill(fixture.journal->pids[PROCESS_PROXY], SIGKILL);
    for (int i = 0; i < 50; i++)
        assert_true(connects());
    assert_true(wait_for(PROCESS_PROXY, MESSAGE_LISTENER, WORKERS, 2));
    assert_true(wait_for(PROCESS_PROXY, MESSAGE_SNAPSHOT, 7, 2));
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_EVENT, EVENT_PROCESS_DIED, 1));
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_EVENT, EVENT_PROCESS_RESTARTED, 1));
    assert_int_equal(journal_count(fixture.journal, PROCESS_VRRP, MESSAGE_ELIGIBLE, 0), 0);
}

static void health_alone_holds_the_icmp_sockets_and_again_when_restarted(void **state)
{
    start_and_serve();
    kill_and_wait(PROCESS_HEALTH);
    assert_int_equal(journal_count(fixture.journal, PROCESS_HEALTH, HELD, 2), 2);
    for (int role = PROCESS_VRRP; role < PROCESS_ROLE_COUNT; role++)
        if (role != PROCESS_HEALTH)
            assert_int_equal(journal_count(fixture.journal, (enum process_role)role, HELD, 0),
                             1);
}

static void a_proxy_that_stays_away_makes_the_node_ineligible(void **state)
{
    start_and_serve();
    fixture.journal->settings.proxy_away_ms = 50;
    fixture.journal->no_running = true;
    kill_and_wait(PROCESS_PROXY);
    assert_true(wait_for(PROCESS_VRRP, MESSAGE_ELIGIBLE, 0, 1));
}

static void a_proxy_that_dies_again_before_it_serves_makes_the_node_ineligible(void **state)
{
    start_and_serve();
    fixture.journal->no_running = true;
    kill_and_wait(PROCESS_PROXY);
    kill(fixture.journal->pids[PROCESS_PROXY], SIGKILL);
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_EVENT, EVENT_PROCESS_DIED, 2));
    assert_true(wait_for(PROCESS_VRRP, MESSAGE_ELIGIBLE, 0, 1));
}

static void a_restarted_control_gets_the_snapshot_and_all_states_back(void **state)
{
    start_and_serve();
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_VRRP_STATUS, UINT64_MAX, 1));
    int snapshots = journal_count(fixture.journal, PROCESS_PROXY, MESSAGE_SNAPSHOT, 7);
    kill_and_wait(PROCESS_CONTROL);
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_SNAPSHOT, 7, 1));
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_BIND_RESULT, 0, 2));
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_VRRP_STATUS, UINT64_MAX, 2));
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_EVENT, EVENT_PROCESS_DIED, 1));
    assert_int_equal(journal_count(fixture.journal, PROCESS_PROXY, MESSAGE_SNAPSHOT, 7),
                     snapshots);
    assert_int_equal(fixture.journal->starts[PROCESS_PROXY], 1);
}

static void a_restarted_health_gets_the_snapshot(void **state)
{
    start_and_serve();
    assert_true(wait_for(PROCESS_HEALTH, MESSAGE_SNAPSHOT, 7, 1));
    kill_and_wait(PROCESS_HEALTH);
    assert_true(wait_for(PROCESS_HEALTH, MESSAGE_SNAPSHOT, 7, 2));
}

static void only_whole_election_sets_reach_vrrp(void **state)
{
    start_and_serve();
    assert_true(wait_for(PROCESS_VRRP, MESSAGE_VRRP_COMMIT, UINT64_MAX, 1));
    assert_int_equal(
        journal_count(fixture.journal, PROCESS_VRRP, MESSAGE_VRRP_BEGIN, UINT64_MAX), 1);
}

static void the_first_death_of_vrrp_is_healed_in_place(void **state)
{
    start_and_serve();
    assert_true(wait_for(PROCESS_VRRP, MESSAGE_VRRP_COMMIT, UINT64_MAX, 1));
    kill_and_wait(PROCESS_VRRP);
    assert_true(wait_for(PROCESS_VRRP, MESSAGE_VRRP_STATUS, UINT64_MAX, 1));
    assert_true(wait_for(PROCESS_VRRP, MESSAGE_VRRP_COMMIT, UINT64_MAX, 2));
    assert_int_equal(journal_count(fixture.journal, PROCESS_SUPERVISOR, REMOVED, UINT64_MAX),
                     0);
    assert_int_equal(journal_count(fixture.journal, PROCESS_SUPERVISOR, SPOKE, 0), 1);
    assert_int_equal(journal_count(fixture.journal, PROCESS_SUPERVISOR, SPOKE, 1), 0);
}

static void the_second_death_of_vrrp_gives_its_addresses_up(void **state)
{
    start_and_serve();
    kill_and_wait(PROCESS_VRRP);
    kill(fixture.journal->pids[PROCESS_VRRP], SIGKILL);
    assert_true(wait_for(PROCESS_SUPERVISOR, REMOVED, 7, 1));
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_EVENT, EVENT_VRRP_RESIGNED, 1));
    assert_int_equal(fixture.journal->starts[PROCESS_VRRP], 2);
    assert_int_equal(journal_count(fixture.journal, PROCESS_SUPERVISOR, SPOKE, 1), 1);
}

static void who_left_the_cluster_makes_room_for_who_is_vouched_for(void **state)
{
    const int last = STRANGERS + STRANGERS_COUNT - 1;
    fixture.journal->peers = fixture.journal->strangers = true;
    start_and_serve();
    assert_true(wait_for(PROCESS_VRRP, MESSAGE_VRRP_VOUCHED, (uint64_t)last, 1));
    kill_and_wait(PROCESS_VRRP);
    assert_true(wait_for(PROCESS_VRRP, MESSAGE_VRRP_VOUCHED, (uint64_t)last, 2));
    assert_int_equal(journal_count(fixture.journal, PROCESS_VRRP, MESSAGE_VRRP_VOUCHED, PEER),
                     2);
    assert_int_equal(
        journal_count(fixture.journal, PROCESS_VRRP, MESSAGE_VRRP_VOUCHED, STRANGERS), 1);
}

/* Makes ROLE hang; true when it was killed for that and runs again. */
static bool is_replaced_when_hanging(enum process_role role)
{
    int starts = fixture.journal->starts[role];
    fixture.journal->hanging = (int)role;
    return wait_for(PROCESS_CONTROL, MESSAGE_EVENT, EVENT_PROCESS_HUNG, 1) &&
           wait_for(role, STARTED, UINT64_MAX, starts + 1);
}

static void a_process_that_hangs_is_killed_and_started_again(void **state)
{
    start_and_serve();
    assert_true(is_replaced_when_hanging(PROCESS_PROXY));
}

static void an_election_that_hung_comes_back_as_a_newcomer(void **state)
{
    fixture.journal->peers = true;
    start_and_serve();
    assert_true(wait_for(PROCESS_VRRP, MESSAGE_VRRP_COMMIT, UINT64_MAX, 1));
    assert_true(is_replaced_when_hanging(PROCESS_VRRP));
    assert_int_equal(journal_count(fixture.journal, PROCESS_SUPERVISOR, SPOKE, 1), 1);
    assert_int_equal(journal_count(fixture.journal, PROCESS_SUPERVISOR, REMOVED, 7), 1);
    assert_true(wait_for(PROCESS_VRRP, MESSAGE_VRRP_COMMIT, UINT64_MAX, 2));
    assert_int_equal(
        journal_count(fixture.journal, PROCESS_VRRP, MESSAGE_VRRP_STATUS, UINT64_MAX), 0);
}

static void a_lone_election_that_hung_goes_on_where_it_was(void **state)
{
    start_and_serve();
    assert_true(is_replaced_when_hanging(PROCESS_VRRP));
    assert_int_equal(journal_count(fixture.journal, PROCESS_SUPERVISOR, REMOVED, UINT64_MAX),
                     0);
    assert_true(wait_for(PROCESS_VRRP, MESSAGE_VRRP_STATUS, UINT64_MAX, 1));
}

static void the_end_has_an_order(void **state)
{
    static const enum process_role order[] = {PROCESS_VRRP, PROCESS_PROXY, PROCESS_HEALTH,
                                              PROCESS_CONTROL};
    int status = -1;
    size_t next = 0;
    start_and_serve();
    kill(fixture.supervisor, SIGTERM);
    assert_int_equal(waitpid(fixture.supervisor, &status, 0), fixture.supervisor);
    fixture.supervisor = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    for (size_t i = 0; i < fixture.journal->count; i++) {
        const struct entry *entry = &fixture.journal->entries[i];
        if (entry->type == MESSAGE_STOP)
            assert_int_equal(entry->role, order[next]);
        if (entry->type == ENDED)
            assert_int_equal(entry->role, order[next++]);
    }
    assert_int_equal(next, ARRAY_LENGTH(order));
    assert_false(connects());
}

static void children_notice_the_death_of_the_supervisor(void **state)
{
    start_and_serve();
    kill(fixture.supervisor, SIGKILL);
    waitpid(fixture.supervisor, NULL, 0);
    fixture.supervisor = 0;
    for (int role = PROCESS_VRRP; role < PROCESS_ROLE_COUNT; role++)
        assert_true(wait_for((enum process_role)role, ENDED, UINT64_MAX, 1));
}

static int take_port(void)
{
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(&fixture.journal->endpoint, &address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 1) == 0);
    return fd;
}

static void a_taken_port_is_reported_and_tried_again(void **state)
{
    int other = take_port();
    start_and_serve();
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_BIND_RESULT, EADDRINUSE, 1));
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_EVENT, EVENT_BIND_FAILED, 1));
    close(other);
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_BIND_RESULT, 0, 1));
    assert_true(wait_for(PROCESS_PROXY, MESSAGE_LISTENER, WORKERS, 1));
}

static void a_taken_port_hinders_its_group_until_it_is_free(void **state)
{
    int other = take_port();
    start_and_serve();
    assert_true(wait_for(PROCESS_VRRP, MESSAGE_HINDRANCE, 1000 + HINDRANCE_IS_BIND, 1));
    kill_and_wait(PROCESS_VRRP);
    assert_true(wait_for(PROCESS_VRRP, MESSAGE_HINDRANCE, 1000 + HINDRANCE_IS_BIND, 2));
    close(other);
    assert_true(wait_for(PROCESS_VRRP, MESSAGE_HINDRANCE, HINDRANCE_IS_BIND, 1));
}

static void a_node_whose_control_cannot_start_ends(void **state)
{
    int status = -1;
    fixture.journal->control_unusable = true;
    start_node();
    assert_int_equal(waitpid(fixture.supervisor, &status, 0), fixture.supervisor);
    fixture.supervisor = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

static void a_snapshot_that_kills_the_proxy_twice_gives_way_to_the_proven_one(void **state)
{
    fixture.journal->poison = true;
    fixture.journal->settings.proven_after_ms = 1;
    start_and_serve();
    assert_true(wait_for(PROCESS_PROXY, MESSAGE_SNAPSHOT, POISON, 2));
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_EVENT, EVENT_POISON_CONFIG, 1));
    assert_true(wait_for(PROCESS_PROXY, MESSAGE_SNAPSHOT, 7, 2));
    assert_true(connects());
}

static void after_a_fall_back_the_next_snapshot_gets_one_try(void **state)
{
    fixture.journal->poison = true;
    fixture.journal->settings.proven_after_ms = 1;
    start_and_serve();
    assert_true(wait_for(PROCESS_PROXY, MESSAGE_SNAPSHOT, POISON + 1, 1));
    assert_true(wait_for(PROCESS_CONTROL, MESSAGE_EVENT, EVENT_POISON_CONFIG, 2));
    assert_true(wait_for(PROCESS_PROXY, MESSAGE_SNAPSHOT, 7, 3));
    assert_int_equal(
        journal_count(fixture.journal, PROCESS_PROXY, MESSAGE_SNAPSHOT, POISON + 1), 1);
    assert_true(connects());
}

int main(void)
{
#define WITH_NODE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_NODE(a_snapshot_reaches_proxy_and_health_after_its_sockets),
        WITH_NODE(health_alone_holds_the_icmp_sockets_and_again_when_restarted),
        WITH_NODE(a_dead_proxy_refuses_no_connection_and_gets_everything_back),
        WITH_NODE(a_proxy_that_stays_away_makes_the_node_ineligible),
        WITH_NODE(a_proxy_that_dies_again_before_it_serves_makes_the_node_ineligible),
        WITH_NODE(a_restarted_control_gets_the_snapshot_and_all_states_back),
        WITH_NODE(a_restarted_health_gets_the_snapshot),
        WITH_NODE(only_whole_election_sets_reach_vrrp),
        WITH_NODE(the_first_death_of_vrrp_is_healed_in_place),
        WITH_NODE(the_second_death_of_vrrp_gives_its_addresses_up),
        WITH_NODE(who_left_the_cluster_makes_room_for_who_is_vouched_for),
        WITH_NODE(a_process_that_hangs_is_killed_and_started_again),
        WITH_NODE(an_election_that_hung_comes_back_as_a_newcomer),
        WITH_NODE(a_lone_election_that_hung_goes_on_where_it_was),
        WITH_NODE(the_end_has_an_order),
        WITH_NODE(children_notice_the_death_of_the_supervisor),
        WITH_NODE(a_taken_port_is_reported_and_tried_again),
        WITH_NODE(a_taken_port_hinders_its_group_until_it_is_free),
        WITH_NODE(a_snapshot_that_kills_the_proxy_twice_gives_way_to_the_proven_one),
        WITH_NODE(after_a_fall_back_the_next_snapshot_gets_one_try),
        WITH_NODE(a_node_whose_control_cannot_start_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
