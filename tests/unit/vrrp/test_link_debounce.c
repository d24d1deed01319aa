/* When a carrier counts: each test tells what the kernel says over time. */
#include "tests/support/test.h"
#include "vrrp/link_debounce.h"

static const uint64_t SECOND = 1000000;

struct host {
    struct link_debounce debounce;
    struct interface_table table;
    uint64_t due_us;
};

static void see(struct host *host, unsigned index, bool up, uint64_t now_us)
{
    struct interface interface = {.index = index, .up = up};
    host->table.interface_count = 0;
    assert_true(interface_table_add_interface(&host->table, &interface));
    host->due_us = link_debounce_apply(&host->debounce, &host->table, now_us);
}

static bool counts(const struct host *host)
{
    return host->table.interfaces[0].up;
}

static void end(struct host *host)
{
    interface_table_free(&host->table);
    link_debounce_free(&host->debounce);
}

static void a_link_that_is_seen_first_counts_as_it_is(void **state)
{
    struct host host = {0};
    see(&host, 2, true, SECOND);
    assert_true(counts(&host));
    assert_true(host.due_us == UINT64_MAX);
    see(&host, 3, false, SECOND);
    assert_false(counts(&host));
    end(&host);
}

static void a_lost_link_counts_at_once_and_a_returned_one_when_it_stays(void **state)
{
    struct host host = {0};
    see(&host, 2, true, SECOND);
    see(&host, 2, false, 2 * SECOND);
    assert_false(counts(&host));
    see(&host, 2, true, 3 * SECOND);
    assert_false(counts(&host));
    assert_true(host.table.interfaces[0].settling);
    assert_true(host.due_us == 3 * SECOND + LINK_HOLD_US);
    see(&host, 2, true, host.due_us);
    assert_true(counts(&host));
    assert_false(host.table.interfaces[0].settling);
    end(&host);
}

static void where_nobody_else_could_serve_it_counts_at_once(void **state)
{
    struct host host = {.debounce.is_off = true};
    see(&host, 2, true, SECOND);
    see(&host, 2, false, 2 * SECOND);
    assert_false(counts(&host));
    see(&host, 2, true, 3 * SECOND);
    assert_true(counts(&host));
    assert_false(host.table.interfaces[0].settling);
    assert_true(host.due_us == UINT64_MAX);
    end(&host);
}

static void a_flap_while_settling_starts_anew(void **state)
{
    struct host host = {0};
    see(&host, 2, true, 0);
    see(&host, 2, false, SECOND);
    see(&host, 2, true, SECOND + 1000);
    see(&host, 2, false, SECOND + 2000);
    see(&host, 2, true, SECOND + 3000);
    see(&host, 2, true, SECOND + 2000 + LINK_HOLD_US);
    assert_false(counts(&host));
    end(&host);
}

static void each_loss_of_late_doubles_the_wait_up_to_a_bound(void **state)
{
    struct host host = {0};
    uint64_t now_us = SECOND, last_us = 0;
    see(&host, 2, true, now_us);
    for (unsigned loss = 0; loss < 6; loss++) {
        see(&host, 2, false, now_us += SECOND);
        see(&host, 2, true, now_us += SECOND);
        uint64_t hold_us = host.due_us - now_us;
        assert_true(hold_us ==
                    (loss < 3 ? (uint64_t)LINK_HOLD_US << loss : LINK_HOLD_MAXIMUM_US));
        last_us = hold_us;
    }
    assert_true(last_us == LINK_HOLD_MAXIMUM_US);
    see(&host, 2, true, now_us += LINK_MEMORY_US);
    see(&host, 2, false, now_us += SECOND);
    see(&host, 2, true, now_us += SECOND);
    assert_true(host.due_us - now_us == LINK_HOLD_US);
    end(&host);
}

static void an_interface_that_was_made_anew_is_another_one(void **state)
{
    struct host host = {0};
    see(&host, 2, true, 0);
    see(&host, 2, false, SECOND);
    see(&host, 9, true, 2 * SECOND);
    assert_true(counts(&host));
    end(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_that_is_seen_first_counts_as_it_is),
        cmocka_unit_test(a_lost_link_counts_at_once_and_a_returned_one_when_it_stays),
        cmocka_unit_test(where_nobody_else_could_serve_it_counts_at_once),
        cmocka_unit_test(a_flap_while_settling_starts_anew),
        cmocka_unit_test(each_loss_of_late_doubles_the_wait_up_to_a_bound),
        cmocka_unit_test(an_interface_that_was_made_anew_is_another_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
