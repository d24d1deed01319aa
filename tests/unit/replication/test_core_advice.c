/* What gossip tells the election, and that it never does more than hold a node back. */
#include "tests/unit/replication/evidence_net.h"

struct outlook {
    bool vouched[NODES];
    struct ip_address sources[NODES]; /* the first one */
    struct vrrp_advice advice;        /* for GROUP */
};

static void see_vouched(void *context, const struct vouched_node *node)
{
    struct outlook *outlook = context;
    unsigned index = node->node_id.bytes[0] - 1u;
    outlook->vouched[index] = true;
    if (node->source_count > 0)
        outlook->sources[index] = node->sources[0];
}

static void see_advice(void *context, const struct vrrp_advice *advice)
{
    struct outlook *outlook = context;
    outlook->advice = *advice;
}

static struct outlook outlook_of(const struct net *net, unsigned node)
{
    struct outlook outlook = {0};
    const struct outlook_visitor visitor = {see_vouched, see_advice, &outlook};
    core_take_outlook(net->cores[node], &visitor);
    return outlook;
}

static enum advice_kind advice_of(const struct net *net, unsigned node)
{
    return outlook_of(net, node).advice.kind;
}

static void cut(struct net *net, unsigned a, unsigned b, bool cut)
{
    net->cut[a][b] = net->cut[b][a] = cut;
}

static void a_session_vouches_for_the_sources_that_its_node_names(void **state)
{
    struct net *net = *state;
    const struct ip_address expected = {4, {192, 0, 2, 2}};
    claim(net, 1, VRRP_BACKUP, 100);
    run(net, 500);
    struct outlook outlook = outlook_of(net, 0);
    assert_true(outlook.vouched[1]);
    assert_true(ip_address_equal(&outlook.sources[1], &expected));
    net->elections[1].speaks = false; /* its vrrp starts again */
    tell(net, 1);
    run(net, 500);
    outlook = outlook_of(net, 0);
    assert_true(ip_address_equal(&outlook.sources[1], &expected));
}

static void who_is_heard_but_does_not_answer_is_not_vouched_for(void **state)
{
    struct net *net = *state;
    core_free(net->cores[0]);
    start(net, 0);
    net->cut[0][1] = true;
    claim(net, 1, VRRP_ACTIVE, 254);
    run(net, 3000);
    struct outlook outlook = outlook_of(net, 0);
    assert_false(outlook.vouched[1]);
    assert_true(outlook.vouched[2]);
    net->cut[0][1] = false;
    run(net, 1000);
    assert_true(outlook_of(net, 0).vouched[1]);
}

static void nobody_gives_way_to_an_election_that_hangs(void **state)
{
    struct net *net = *state;
    claim(net, 1, VRRP_ACTIVE, 200);
    claim(net, 0, VRRP_BACKUP, 100);
    run(net, 1500);
    net->elections[1].hangs = true;
    run(net, 100);
    claim(net, 0, VRRP_ACTIVE, 100); /* it took over */
    for (unsigned at = 0; at < 5000; at += 100) {
        run(net, 100);
        assert_int_equal(advice_of(net, 0), ADVICE_NONE);
    }
    net->elections[1].hangs = false; /* it wakes, and does not give up by itself */
    run(net, 2000);
    assert_int_equal(advice_of(net, 0), ADVICE_YIELD);
}

static void of_two_active_nodes_the_worse_one_gives_way(void **state)
{
    struct net *net = *state;
    claim(net, 0, VRRP_ACTIVE, 100);
    claim(net, 1, VRRP_ACTIVE, 200);
    run(net, 2000);
    assert_int_equal(advice_of(net, 0), ADVICE_YIELD);
    assert_string_equal(outlook_of(net, 0).advice.rival, "lb2");
    assert_int_equal(advice_of(net, 1), ADVICE_NONE);
}

static void among_equals_the_higher_address_stays(void **state)
{
    struct net *net = *state;
    claim(net, 0, VRRP_ACTIVE, 100);
    claim(net, 1, VRRP_ACTIVE, 100);
    run(net, 2000);
    assert_int_equal(advice_of(net, 0), ADVICE_YIELD);
    assert_int_equal(advice_of(net, 1), ADVICE_NONE);
}

static void it_stays_away_while_the_other_is_active_and_no_longer(void **state)
{
    struct net *net = *state;
    claim(net, 0, VRRP_ACTIVE, 100);
    claim(net, 1, VRRP_ACTIVE, 200);
    run(net, 2000);
    claim(net, 0, VRRP_BACKUP, 100); /* as told; it does not hear the other's adverts */
    run(net, 3000);
    assert_int_equal(advice_of(net, 0), ADVICE_YIELD);
    cut(net, 0, 1, true); /* the other one may be dead */
    run(net, 800);
    assert_int_equal(advice_of(net, 0), ADVICE_NONE);
}

/* Freed for a moment, it would be active again before it is told once more. */
static void a_heartbeat_that_is_lost_does_not_bring_it_back(void **state)
{
    struct net *net = *state;
    claim(net, 0, VRRP_ACTIVE, 100);
    claim(net, 1, VRRP_ACTIVE, 200);
    run(net, 2000);
    claim(net, 0, VRRP_BACKUP, 100);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned at = 0; at < 1000; at += 20) {
            net->cut[1][0] = at < 160; /* one at most */
            run(net, 20);
            assert_int_equal(advice_of(net, 0), ADVICE_YIELD);
        }
    }
}

static void a_backup_is_told_nothing(void **state)
{
    struct net *net = *state;
    claim(net, 0, VRRP_BACKUP, 100);
    claim(net, 1, VRRP_ACTIVE, 200);
    run(net, 3000);
    assert_int_equal(advice_of(net, 0), ADVICE_NONE);
}

static void a_planned_switch_demotes_nobody(void **state)
{
    struct net *net = *state;
    claim(net, 1, VRRP_ACTIVE, 200);
    run(net, 1000);
    net->cut[1][0] = true; /* its next heartbeat is late */
    claim(net, 0, VRRP_ACTIVE, 100);
    claim(net, 1, VRRP_BACKUP, 200);
    for (unsigned at = 0; at < 360; at += 20) {
        run(net, 20);
        assert_int_equal(advice_of(net, 0), ADVICE_NONE);
    }
    net->cut[1][0] = false;
    run(net, 1000);
    assert_int_equal(advice_of(net, 0), ADVICE_NONE);
}

static void whom_nobody_hears_leaves_if_another_can_serve(void **state)
{
    struct net *net = *state;
    claim(net, 0, VRRP_ACTIVE, 200);
    claim(net, 1, VRRP_BACKUP, 100);
    net->cut[0][1] = net->cut[0][2] = true;
    run(net, 2500);
    assert_int_equal(advice_of(net, 0), ADVICE_UNHEARD);
    claim(net, 1, VRRP_FAULT, 100); /* then nobody else could */
    run(net, 500);
    assert_int_equal(advice_of(net, 0), ADVICE_NONE);
}

static void a_heartbeat_that_is_lost_does_not_bring_who_is_unheard_back(void **state)
{
    struct net *net = *state;
    claim(net, 0, VRRP_ACTIVE, 200);
    claim(net, 1, VRRP_BACKUP, 100);
    net->cut[0][1] = net->cut[0][2] = net->cut[2][0] = true;
    run(net, 3000);
    claim(net, 0, VRRP_FAULT, 200);
    claim(net, 1, VRRP_ACTIVE, 100);
    for (unsigned at = 0; at < 10000; at += 20) {
        net->cut[1][0] = at % 1000 < 160; /* one at most */
        run(net, 20);
        assert_int_equal(advice_of(net, 0), ADVICE_UNHEARD);
    }
    net->cut[0][1] = net->cut[1][0] = false; /* it is heard again */
    run(net, 600);
    assert_int_equal(advice_of(net, 0), ADVICE_NONE);
}

/* An election as far as adverts go: they are lost where gossip is. */
struct small_election {
    struct net *net;
    uint8_t priorities[NODES];
    uint64_t quiet_us[NODES]; /* a backup: since it began to listen or heard an advert */
};

static bool hears_active(const struct small_election *all, unsigned node, bool better_only)
{
    for (unsigned from = 0; from < NODES; from++)
        if (from != node && !all->net->cut[from][node] &&
            all->net->elections[from].claim.state == VRRP_ACTIVE &&
            (!better_only || all->priorities[from] > all->priorities[node]))
            return true;
    return false;
}

static void elect(struct small_election *all, unsigned node)
{
    struct net *net = all->net;
    enum vrrp_state state = net->elections[node].claim.state, next = state;
    enum advice_kind advice = advice_of(net, node);
    if (state == VRRP_FAULT || hears_active(all, node, false) || advice == ADVICE_YIELD)
        all->quiet_us[node] = net->now_us;
    if (advice == ADVICE_UNHEARD)
        next = VRRP_FAULT;
    else if (state == VRRP_FAULT)
        next = VRRP_BACKUP;
    else if (state == VRRP_ACTIVE && (advice == ADVICE_YIELD || hears_active(all, node, true)))
        next = VRRP_BACKUP;
    else if (state == VRRP_BACKUP && net->now_us - all->quiet_us[node] > 1000000)
        next = VRRP_ACTIVE;
    if (next == state)
        return;
    claim(net, node, next, all->priorities[node]);
    net->elections[node].claim.hindrance =
        next == VRRP_FAULT ? HINDRANCE_IS_UNHEARD : HINDRANCE_IS_NONE;
    tell(net, node);
}

/* How often another number of nodes than one is active, looked at each 20 ms; after the time
 * that gossip needs to find out what is lost. */
static unsigned moments_without_one_owner(struct small_election *all, unsigned after_ms)
{
    unsigned found = 0;
    for (unsigned at = 0; at < after_ms + 10000; at += 20) {
        unsigned active = 0;
        run(all->net, 20);
        for (unsigned node = 0; node < NODES; node++) {
            elect(all, node);
            active += all->net->elections[node].claim.state == VRRP_ACTIVE;
        }
        found += at >= after_ms && active != 1;
    }
    return found;
}

/* All hear each other, and OWNER is active. */
static struct small_election elected(struct net *net, unsigned owner, unsigned preferred)
{
    struct small_election all = {.net = net, .priorities = {100, 101, 102}};
    all.priorities[preferred] = 200;
    memset(net->cut, 0, sizeof(net->cut));
    for (unsigned node = 0; node < NODES; node++) {
        all.quiet_us[node] = net->now_us;
        claim(net, node, node == owner ? VRRP_ACTIVE : VRRP_BACKUP, all.priorities[node]);
    }
    run(net, 3000);
    return all;
}

/* Each hears the next one only, in either direction. */
static void a_ring_of_one_way_links_ends_with_one_owner(void **state)
{
    struct net *net = *state;
    for (unsigned way = 1; way <= 2; way++)
        for (unsigned owner = 0; owner < NODES; owner++)
            for (unsigned preferred = 0; preferred < NODES; preferred++) {
                struct small_election all = elected(net, owner, preferred);
                for (unsigned node = 0; node < NODES; node++)
                    net->cut[node][(node + way) % NODES] = true;
                assert_int_equal(moments_without_one_owner(&all, 8000), 0);
            }
}

/* An owner that is not heard by one node, which hears the third one: that node becomes active,
 * and only the first one knows of both. */
static void of_two_owners_the_one_that_hears_the_other_gives_way(void **state)
{
    struct net *net = *state;
    for (unsigned owner = 0; owner < NODES; owner++)
        for (unsigned preferred = 0; preferred < NODES; preferred++) {
            struct small_election all = elected(net, owner, preferred);
            net->cut[owner][(owner + 1) % NODES] = true;
            assert_int_equal(moments_without_one_owner(&all, 8000), 0);
        }
}

/* It sends and does not receive, so it takes over; clients cannot reach it. */
static void nobody_gives_way_to_a_node_that_hears_nobody(void **state)
{
    struct net *net = *state;
    struct small_election all = elected(net, 0, 0);
    net->cut[0][1] = net->cut[2][1] = true;
    moments_without_one_owner(&all, 8000);
    assert_int_equal(net->elections[0].claim.state, VRRP_ACTIVE);
    assert_int_equal(net->elections[1].claim.state, VRRP_ACTIVE);
}

/* A dead transmitter, whatever its rank and number. */
static void whom_nobody_hears_leaves_the_address_to_those_that_are_heard(void **state)
{
    struct net *net = *state;
    for (unsigned mute = 0; mute < NODES; mute++) {
        struct small_election all = elected(net, mute, mute);
        net->cut[mute][(mute + 1) % NODES] = net->cut[mute][(mute + 2) % NODES] = true;
        assert_int_equal(moments_without_one_owner(&all, 8000), 0);
        assert_int_equal(net->elections[mute].claim.state, VRRP_FAULT);
    }
}

static void an_owner_whose_peer_comes_back_announces_again_once(void **state)
{
    struct net *net = *state;
    claim(net, 0, VRRP_ACTIVE, 200);
    claim(net, 1, VRRP_BACKUP, 100);
    run(net, 1000);
    outlook_of(net, 0);
    run(net, 1000);
    assert_false(outlook_of(net, 0).advice.announce);
    cut(net, 0, 1, true);
    run(net, 1000);
    cut(net, 0, 1, false);
    run(net, 300);
    assert_true(outlook_of(net, 0).advice.announce);
    run(net, 1000);
    assert_false(outlook_of(net, 0).advice.announce);
}

/* A cut of adverts alone that was shorter than a heartbeat's interval. */
static void an_owner_whose_peer_changed_state_announces_again(void **state)
{
    struct net *net = *state;
    claim(net, 0, VRRP_ACTIVE, 200);
    claim(net, 1, VRRP_BACKUP, 100);
    run(net, 1000);
    outlook_of(net, 0);
    claim(net, 1, VRRP_ACTIVE, 100);
    claim(net, 1, VRRP_BACKUP, 100);
    run(net, 300);
    assert_true(outlook_of(net, 0).advice.announce);
}

int main(void)
{
    crypto_start();
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(a_session_vouches_for_the_sources_that_its_node_names),
        RULE(who_is_heard_but_does_not_answer_is_not_vouched_for),
        RULE(of_two_active_nodes_the_worse_one_gives_way),
        RULE(nobody_gives_way_to_an_election_that_hangs),
        RULE(among_equals_the_higher_address_stays),
        RULE(it_stays_away_while_the_other_is_active_and_no_longer),
        RULE(a_heartbeat_that_is_lost_does_not_bring_it_back),
        RULE(a_backup_is_told_nothing),
        RULE(a_planned_switch_demotes_nobody),
        RULE(whom_nobody_hears_leaves_if_another_can_serve),
        RULE(a_heartbeat_that_is_lost_does_not_bring_who_is_unheard_back),
        RULE(a_ring_of_one_way_links_ends_with_one_owner),
        RULE(of_two_owners_the_one_that_hears_the_other_gives_way),
        RULE(nobody_gives_way_to_a_node_that_hears_nobody),
        RULE(whom_nobody_hears_leaves_the_address_to_those_that_are_heard),
        RULE(an_owner_whose_peer_comes_back_announces_again_once),
        RULE(an_owner_whose_peer_changed_state_announces_again),
#undef RULE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
