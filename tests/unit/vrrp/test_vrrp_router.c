/* What a router tells the supervisor, without sockets. */
#include "lbnode/base/monotime.h"
#include "tests/unit/vrrp/table.h"
#include "vrrp/vrrp_router.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct node {
    struct loop *loop;
    struct vrrp_host host;
    struct vrrp_router *router;
    int supervisor_fd;
};

static void on_message(void *context, const struct message *message, const int *fds, size_t n)
{}

static void on_closed(void *context)
{}

static int set_up(void **state)
{
    static struct node node;
    static const struct channel_handler handler = {on_message, on_closed, NULL};
    struct message_vrrp_group group = MESSAGE_OF(VRRP_GROUP, struct message_vrrp_group);
    struct message_vrrp_address vip = MESSAGE_OF(VRRP_ADDRESS, struct message_vrrp_address);
    int fds[2];
    node = (struct node){.loop = loop_new(), .host = {.frame_fd = -1, .table = host_table()}};
    assert_int_equal(channel_pair(fds), 0);
    node.host.loop = node.loop;
    node.host.report.channel = channel_new(node.loop, fds[0], &handler);
    node.supervisor_fd = fds[1];
    group.group_id.bytes[0] = vip.group_id.bytes[0] = 9;
    group.priority = 100;
    group.vrid = 7;
    group.advert_interval_ms = 20;
    vip.address = address_of("192.0.2.100");
    vrrp_config_add(&node.host.config, &vip.header);
    node.router = vrrp_router_new(&group, 4);
    assert_true(vrrp_router_configure(node.router, &node.host, &group, monotime_now_us()));
    *state = &node;
    return 0;
}

static int tear_down(void **state)
{
    struct node *node = *state;
    vrrp_router_free(node->router);
    channel_free(node->host.report.channel);
    interface_table_free(&node->host.table);
    vrrp_config_free(&node->host.config);
    loop_free(node->loop);
    close(node->supervisor_fd);
    return 0;
}

/* The last status that was sent; false when there was none. */
static bool last_status(const struct node *node, struct message_vrrp_status *out)
{
    union message_buffer message;
    bool found = false;
    while (recv(node->supervisor_fd, &message, sizeof(message), MSG_DONTWAIT) > 0) {
        if (message.header.type != MESSAGE_VRRP_STATUS)
            continue;
        memcpy(out, &message, sizeof(*out));
        found = true;
    }
    return found;
}

static void another_address_of_its_own_is_told_at_once(void **state)
{
    struct node *node = *state;
    struct message_vrrp_status status;
    struct ip_address moved = address_of("192.0.2.77");
    last_status(node, &status);
    interface_table_free(&node->host.table);
    node->host.table = host_table();
    for (size_t i = 0; i < node->host.table.address_count; i++) {
        struct interface_address *own = &node->host.table.addresses[i];
        if (own->index == ETH0 && own->address.family == 4)
            own->address = moved;
    }
    vrrp_router_evaluate(node->router, &node->host, monotime_now_us());
    assert_true(last_status(node, &status));
    assert_true(ip_address_equal(&status.own_address, &moved));
}

static void what_has_not_changed_is_not_told(void **state)
{
    struct node *node = *state;
    struct message_vrrp_status status;
    vrrp_router_evaluate(node->router, &node->host, monotime_now_us());
    assert_true(last_status(node, &status));
    vrrp_router_evaluate(node->router, &node->host, monotime_now_us());
    assert_false(last_status(node, &status));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(another_address_of_its_own_is_told_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_has_not_changed_is_not_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
