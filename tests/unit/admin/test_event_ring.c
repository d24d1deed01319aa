#include "lbnode/admin/event_ring.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

static void add(struct event_ring *ring, const char *text)
{
    event_ring_add(ring, EVENT_VIP_ACTIVE, PROCESS_VRRP, 1000, text);
}

static void numbers_grow_from_one_without_gaps(void **state)
{
    struct event_ring *ring = event_ring_new();
    assert_int_equal(event_ring_last_number(ring), 0);
    assert_null(event_ring_after(ring, 0));
    add(ring, "first");
    add(ring, "second");
    assert_int_equal(event_ring_last_number(ring), 2);
    const struct event_record *record = event_ring_after(ring, 0);
    assert_int_equal(record->number, 1);
    assert_string_equal(record->text, "first");
    assert_int_equal(event_ring_after(ring, 1)->number, 2);
    assert_null(event_ring_after(ring, 2));
    event_ring_free(ring);
}

static void a_full_ring_forgets_the_oldest(void **state)
{
    struct event_ring *ring = event_ring_new();
    char text[32];
    for (int i = 1; i <= EVENT_RING_SIZE + 10; i++) {
        snprintf(text, sizeof(text), "event %d", i);
        add(ring, text);
    }
    const struct event_record *record = event_ring_after(ring, 0);
    assert_int_equal(record->number, 11);
    assert_string_equal(record->text, "event 11");
    assert_int_equal(event_ring_after(ring, EVENT_RING_SIZE + 9)->number, EVENT_RING_SIZE + 10);
    assert_int_equal(event_ring_count_of(ring, EVENT_VIP_ACTIVE), EVENT_RING_SIZE + 10);
    assert_int_equal(event_ring_count_of(ring, EVENT_VIP_BACKUP), 0);
    event_ring_free(ring);
}

static void a_long_text_is_cut(void **state)
{
    struct event_ring *ring = event_ring_new();
    char text[2 * EVENT_TEXT_SIZE];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    add(ring, text);
    assert_int_equal(strlen(event_ring_after(ring, 0)->text), EVENT_TEXT_SIZE - 1);
    event_ring_free(ring);
}

static void count_call(void *context)
{
    (*(int *)context)++;
}

static void the_listener_hears_of_each_event(void **state)
{
    struct event_ring *ring = event_ring_new();
    int calls = 0;
    event_ring_listen(ring, count_call, &calls);
    add(ring, "one");
    add(ring, "two");
    assert_int_equal(calls, 2);
    event_ring_listen(ring, NULL, NULL);
    add(ring, "three");
    assert_int_equal(calls, 2);
    event_ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_grow_from_one_without_gaps),
        cmocka_unit_test(a_full_ring_forgets_the_oldest),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(the_listener_hears_of_each_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
