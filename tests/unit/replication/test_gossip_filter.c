/* On real sockets of the loopback device: 127.0.0.2 is a node, 127.0.0.3 a stranger. */
#include "replication/gossip_filter.h"

#include "replication/packet.h"
#include "replication/session_wire.h"
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

static const char node[] = "127.0.0.2", node6[] = "::1", stranger[] = "127.0.0.3";
static struct ip_address sources[GOSSIP_FILTER_SOURCES];

static struct gossip_filter_rules usual_rules(void)
{
    memset(sources, 0, sizeof(sources));
    ip_address_parse(node, &sources[0]);
    ip_address_parse("fd77::1234", &sources[1]);
    ip_address_parse(node6, &sources[2]);
    return (struct gossip_filter_rules){.cluster_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9}},
                                        .node_id = {{11, 12, 13, 14, 15, 16, 17, 18, 19}},
                                        .sources = sources,
                                        .source_count = 3};
}

static int open_at(const char *address, struct ip_endpoint *bound)
{
    struct sockaddr_storage storage;
    struct ip_endpoint endpoint;
    assert_true(ip_address_parse(address, &endpoint.address));
    endpoint.port = 0;
    socklen_t size = ip_endpoint_to_sockaddr(&endpoint, &storage);
    int fd = socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&storage, size), 0);
    size = sizeof(storage);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&storage, &size), 0);
    assert_true(ip_endpoint_from_sockaddr((struct sockaddr *)&storage, bound));
    return fd;
}

static bool passes_to(const char *listen,
                      const struct gossip_filter_rules *rules,
                      const char *source,
                      struct bytes datagram)
{
    struct ip_endpoint to, from;
    struct sockaddr_storage address;
    uint8_t room[2048];
    int receiver = open_at(listen, &to);
    int sender = open_at(source, &from);
    ip_address_parse(strchr(source, ':') ? "::1" : "127.0.0.1", &to.address);
    assert_int_equal(gossip_filter_attach(receiver, rules), 0);
    socklen_t size = ip_endpoint_to_sockaddr(&to, &address);
    assert_int_equal(
        sendto(sender, datagram.data, datagram.size, 0, (struct sockaddr *)&address, size),
        datagram.size);
    ssize_t got = recv(receiver, room, sizeof(room), MSG_DONTWAIT);
    close(receiver);
    close(sender);
    if (got >= 0) /* the whole of it */
        assert_int_equal(got, datagram.size);
    return got >= 0;
}

/* Does a datagram from SOURCE reach a socket under RULES, of its family and of both families?
 * What is sent over the loopback device is in the queue, or not, when sendto returns. */
static bool
passes(const struct gossip_filter_rules *rules, const char *source, struct bytes datagram)
{
    bool of_one = passes_to(strchr(source, ':') ? "::1" : "127.0.0.1", rules, source, datagram);
    assert_int_equal(passes_to("::", rules, source, datagram), of_one);
    return of_one;
}

static bool session_passes(const char *source, uint8_t type, uint8_t version, size_t size)
{
    const struct gossip_filter_rules rules = usual_rules();
    uint8_t datagram[2048] = {type, version};
    return passes(&rules, source, (struct bytes){datagram, size});
}

static void messages_of_sessions_pass_from_nodes_and_from_nobody_else(void **state)
{
    static const struct {
        uint8_t type;
        size_t size;
    } forms[] = {{SESSION_INIT, SESSION_INIT_SIZE},
                 {SESSION_RESPONSE, SESSION_RESPONSE_SIZE},
                 {SESSION_DATA, SESSION_DATA_OVERHEAD},
                 {SESSION_DATA, DATAGRAM_MAXIMUM}};
    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        assert_true(session_passes(node, forms[i].type, SESSION_VERSION, forms[i].size));
        assert_true(session_passes(node6, forms[i].type, SESSION_VERSION, forms[i].size));
        assert_false(session_passes(stranger, forms[i].type, SESSION_VERSION, forms[i].size));
    }
}

static void what_is_too_short_too_long_or_of_another_kind_does_not_pass(void **state)
{
    assert_false(session_passes(node, SESSION_INIT, SESSION_VERSION, SESSION_INIT_SIZE - 1));
    assert_false(session_passes(node, SESSION_INIT, SESSION_VERSION, SESSION_INIT_MAXIMUM + 1));
    assert_false(
        session_passes(node, SESSION_RESPONSE, SESSION_VERSION, SESSION_RESPONSE_SIZE - 1));
    assert_false(
        session_passes(node, SESSION_RESPONSE, SESSION_VERSION, SESSION_RESPONSE_MAXIMUM + 1));
    assert_false(
        session_passes(node, SESSION_DATA, SESSION_VERSION, SESSION_DATA_OVERHEAD - 1));
    assert_false(session_passes(node, SESSION_DATA, SESSION_VERSION, DATAGRAM_MAXIMUM + 1));
    assert_false(session_passes(node, SESSION_DATA, SESSION_VERSION + 1, 100));
    for (unsigned type = 0; type < 256; type++)
        if (type != SESSION_INIT && type != SESSION_RESPONSE && type != SESSION_DATA)
            assert_false(session_passes(node, (uint8_t)type, SESSION_VERSION, 120));
    assert_false(session_passes(node, SESSION_DATA, SESSION_VERSION, 1));
    assert_false(session_passes(node, SESSION_DATA, SESSION_VERSION, 0));
}

static bool signed_passes(const struct gossip_filter_rules *rules,
                          const char *source,
                          size_t wrong_byte,
                          size_t size)
{
    uint8_t datagram[2048] = {'L', 'B', PACKET_VERSION, PACKET_DATAGRAM};
    memcpy(datagram + 4, rules->cluster_id.bytes, 8);
    memcpy(datagram + 20, rules->node_id.bytes, 8);
    datagram[wrong_byte] ^= 0x80;
    return passes(rules, source, (struct bytes){datagram, size});
}

enum {
    NOT_LOOKED_AT = 12 /* of a signed packet: its sender */
};

static void signed_packets_pass_when_they_are_of_this_cluster_and_to_this_node(void **state)
{
    const struct gossip_filter_rules rules = usual_rules();
    assert_true(signed_passes(&rules, node, NOT_LOOKED_AT, PACKET_OVERHEAD));
    assert_true(signed_passes(&rules, node6, NOT_LOOKED_AT, DATAGRAM_MAXIMUM));
    assert_false(signed_passes(&rules, node, NOT_LOOKED_AT, PACKET_OVERHEAD - 1));
    assert_false(signed_passes(&rules, node, NOT_LOOKED_AT, DATAGRAM_MAXIMUM + 1));
    static const size_t wrong[] = {0, 2, 4, 7, 8, 11, 20, 23, 24, 27};
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        assert_false(signed_passes(&rules, node, wrong[i], 300));
}

static void strangers_sign_only_where_nodes_without_sessions_are(void **state)
{
    struct gossip_filter_rules rules = usual_rules();
    uint8_t data[300] = {SESSION_DATA, SESSION_VERSION};
    assert_false(signed_passes(&rules, stranger, NOT_LOOKED_AT, 300));
    rules.strangers_sign = true;
    assert_true(signed_passes(&rules, stranger, NOT_LOOKED_AT, 300));
    assert_false(signed_passes(&rules, stranger, 4, 300));
    assert_false(passes(&rules, stranger, (struct bytes){data, sizeof(data)}));
}

static void as_many_addresses_as_a_cluster_can_have_are_told_apart(void **state)
{
    struct gossip_filter_rules rules = usual_rules();
    uint8_t data[100] = {SESSION_DATA, SESSION_VERSION};
    for (size_t i = 0; i < GOSSIP_FILTER_SOURCES; i++) {
        sources[i] = (struct ip_address){.family = i % 2 ? 4 : 6, .bytes = {10, (uint8_t)i}};
        sources[i].bytes[i % 2 ? 3 : 15] = 9;
    }
    ip_address_parse(node, &sources[GOSSIP_FILTER_SOURCES - 1]);
    ip_address_parse(node6, &sources[GOSSIP_FILTER_SOURCES - 2]);
    rules.source_count = GOSSIP_FILTER_SOURCES;
    assert_true(passes(&rules, node, (struct bytes){data, sizeof(data)}));
    assert_true(passes(&rules, node6, (struct bytes){data, sizeof(data)}));
    /* Within the kernel's bound or not, no node is kept out. With more of them all may speak.
     */
    rules.source_count++;
    assert_true(passes(&rules, stranger, (struct bytes){data, sizeof(data)}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_sessions_pass_from_nodes_and_from_nobody_else),
        cmocka_unit_test(what_is_too_short_too_long_or_of_another_kind_does_not_pass),
        cmocka_unit_test(signed_packets_pass_when_they_are_of_this_cluster_and_to_this_node),
        cmocka_unit_test(strangers_sign_only_where_nodes_without_sessions_are),
        cmocka_unit_test(as_many_addresses_as_a_cluster_can_have_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
