/* What the guard of a switch drops and hands on: its packet filters, run by the kernel on a
 * socket pair, and its memory of flows. */
#include "tests/support/test.h"
#include "vrrp/claim_watch.h"
#include "vrrp/flow_set.h"
#include "vrrp/guard_program.h"
#include "vrrp/ndisc.h"
#include "vrrp/slow_close.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FRAME_SIZE = 14 + 40 + 20,
    SYN = 0x02,
    RESET = 0x04,
    ACK = 0x10,
};

static const struct ip_address vip = {4, {192, 0, 2, 100}};
static const struct ip_address client = {4, {192, 0, 2, 50}};
static const struct ip_address vip6 = {6, {0x20, 0x01, 0x0d, 0xb8, [15] = 100}};
static const struct ip_address client6 = {6, {0x20, 0x01, 0x0d, 0xb8, [15] = 50}};

/* TCP from SOURCE, port PORT, with FLAGS. */
static struct bytes tcp(const struct ip_address *source,
                        const struct ip_address *destination,
                        uint16_t port,
                        uint8_t flags)
{
    static uint8_t frame[FRAME_SIZE];
    bool sixth = source->family == 6;
    uint8_t *ip = frame + 14, *header = ip + (sixth ? 40 : 20);
    memset(frame, 0, sizeof(frame));
    store_be16(frame + 12, sixth ? 0x86dd : 0x0800);
    ip[0] = sixth ? 0x60 : 0x45;
    ip[sixth ? 6 : 9] = 6;
    memcpy(ip + (sixth ? 8 : 12), source->bytes, ip_address_size(source));
    memcpy(ip + (sixth ? 24 : 16), destination->bytes, ip_address_size(source));
    store_be16(header, port);
    header[13] = flags;
    return (struct bytes){frame, (size_t)(header + 20 - frame)};
}

/* Does the kernel let FRAME through the filter of KIND for ADDRESSES? */
static bool takes_kind(enum guard_program_kind kind,
                       const struct ip_address *addresses,
                       size_t count,
                       struct bytes frame)
{
    struct sock_filter program[GUARD_PROGRAM_MAXIMUM];
    struct sock_fprog filter = {.filter = program};
    uint8_t buffer[256];
    int fds[2];
    filter.len = (unsigned short)guard_program_build(kind, addresses[0].family, addresses,
                                                     count, program);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)),
                     0);
    send(fds[0], frame.data, frame.size, 0);
    ssize_t size = recv(fds[1], buffer, sizeof(buffer), 0);
    close(fds[0]);
    close(fds[1]);
    return size == (ssize_t)frame.size;
}

static bool takes(const struct ip_address *addresses, size_t count, struct bytes frame)
{
    return takes_kind(GUARD_PROGRAM_SEGMENTS, addresses, count, frame);
}

static void a_claim_is_arp_from_or_an_advertisement_for_an_address(void **state)
{
    static const uint8_t mac[MAC_SIZE] = {2, 0, 0, 0, 0, 9};
    uint8_t arp[ARP_FRAME_SIZE], advertisement[NDISC_FRAME_SIZE], found[MAC_SIZE];
    struct bytes arp_bytes = {arp, sizeof(arp)},
                 nd_bytes = {advertisement, sizeof(advertisement)};
    struct ip_address address;
    arp_build_gratuitous(mac, &vip, arp);
    ndisc_build_advertisement(mac, &vip6, advertisement);
    assert_true(takes_kind(GUARD_PROGRAM_CLAIMS, &vip, 1, arp_bytes));
    assert_true(takes_kind(GUARD_PROGRAM_CLAIMS, &vip6, 1, nd_bytes));
    assert_false(takes_kind(GUARD_PROGRAM_CLAIMS, &client, 1, arp_bytes));
    assert_false(takes_kind(GUARD_PROGRAM_CLAIMS, &client6, 1, nd_bytes));
    assert_true(claim_read(arp_bytes, &address, found));
    assert_true(ip_address_equal(&address, &vip));
    assert_memory_equal(found, mac, MAC_SIZE);
    assert_true(claim_read(nd_bytes, &address, found));
    assert_true(ip_address_equal(&address, &vip6));
    assert_memory_equal(found, mac, MAC_SIZE);
    for (arp_bytes.size = 0; arp_bytes.size < 42; arp_bytes.size++)
        assert_false(claim_read(arp_bytes, &address, found));
}

static void asking_for_an_address_is_no_claim(void **state)
{
    static const uint8_t mac[MAC_SIZE] = {2, 0, 0, 0, 0, 9};
    uint8_t arp[ARP_FRAME_SIZE];
    arp_build_request(mac, &client, &vip, arp);
    assert_false(takes_kind(GUARD_PROGRAM_CLAIMS, &vip, 1, (struct bytes){arp, sizeof(arp)}));
}

static void segments_to_the_addresses_are_taken(void **state)
{
    assert_true(takes(&vip, 1, tcp(&client, &vip, 1000, ACK)));
    assert_true(takes(&vip, 1, tcp(&client, &vip, 1000, SYN)));
    assert_true(takes(&vip6, 1, tcp(&client6, &vip6, 1000, ACK)));
}

static void all_else_is_not(void **state)
{
    assert_false(takes(&vip, 1, tcp(&vip, &client, 1000, ACK)));
    assert_false(takes(&vip, 1, tcp(&client6, &vip6, 1000, ACK)));
    assert_false(takes(&vip6, 1, tcp(&client6, &client6, 1000, ACK)));
    struct bytes udp = tcp(&client, &vip, 1000, ACK);
    ((uint8_t *)(uintptr_t)udp.data)[14 + 9] = 17;
    assert_false(takes(&vip, 1, udp));
    struct bytes fragment = tcp(&client, &vip, 1000, ACK);
    ((uint8_t *)(uintptr_t)fragment.data)[14 + 7] = 8;
    assert_false(takes(&vip, 1, fragment));
}

static void each_of_many_addresses_counts(void **state)
{
    struct ip_address addresses[GUARD_PROGRAM_MAXIMUM_ADDRESSES];
    for (size_t i = 0; i < GUARD_PROGRAM_MAXIMUM_ADDRESSES; i++) {
        addresses[i] = vip6;
        addresses[i].bytes[14] = (uint8_t)i;
    }
    size_t last = GUARD_PROGRAM_MAXIMUM_ADDRESSES - 1;
    assert_true(takes(addresses, last + 1, tcp(&client6, &addresses[last], 1, ACK)));
    assert_false(takes(addresses, last, tcp(&client6, &addresses[last], 1, ACK)));
}

/* The verdict of the filter for resets, of which a socket shows only "nothing" or "something":
 * both of its results are something, so the instructions' last word is looked at instead. */
static void resets_have_their_own_results(void **state)
{
    struct sock_filter program[GUARD_PROGRAM_MAXIMUM];
    size_t length = guard_program_build(GUARD_PROGRAM_RESETS, 4, &vip, 1, program);
    assert_int_equal(program[length - 1].code, BPF_RET | BPF_K);
    assert_int_equal((int)program[length - 1].k, GUARD_PROGRAM_PASS);
    assert_int_equal(program[length - 2].k, GUARD_PROGRAM_DROP);
}

static void a_flow_that_began_here_is_ours(void **state)
{
    static struct flow_set set;
    memset(&set, 0, sizeof(set));
    assert_int_equal(flow_set_judge(&set, tcp(&client, &vip, 1000, SYN)), FLOW_OURS);
    assert_int_equal(flow_set_judge(&set, tcp(&client, &vip, 1000, ACK)), FLOW_OURS);
    assert_int_equal(flow_set_judge(&set, tcp(&client, &vip, 1001, ACK)), FLOW_FOREIGN);
    assert_int_equal(flow_set_judge(&set, tcp(&client6, &vip6, 1000, ACK)), FLOW_FOREIGN);
}

static void a_full_set_leaves_all_to_the_kernel(void **state)
{
    static struct flow_set set;
    memset(&set, 0, sizeof(set));
    for (unsigned i = 0; i < FLOW_SET_MAXIMUM; i++)
        flow_set_judge(&set, tcp(&client, &vip, (uint16_t)i, SYN));
    assert_int_equal(set.count, FLOW_SET_MAXIMUM);
    assert_int_equal(flow_set_judge(&set, tcp(&client, &vip, 60000, ACK)), FLOW_OURS);
}

static void a_short_frame_is_nobodys(void **state)
{
    static struct flow_set set;
    struct bytes frame = tcp(&client, &vip, 1000, ACK);
    for (frame.size = 0; frame.size < 14 + 40; frame.size++)
        assert_int_equal(flow_set_judge(&set, frame), FLOW_OURS);
}

/* By another thread, so that no advert waits for it. */
static void a_socket_that_is_let_go_of_is_closed_soon(void **state)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    slow_close(fds[0]);
    struct pollfd other_end = {.fd = fds[1], .events = POLLIN};
    assert_int_equal(poll(&other_end, 1, 5000), 1);
    assert_true(other_end.revents & POLLHUP);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_that_is_let_go_of_is_closed_soon),
        cmocka_unit_test(segments_to_the_addresses_are_taken),
        cmocka_unit_test(all_else_is_not),
        cmocka_unit_test(a_claim_is_arp_from_or_an_advertisement_for_an_address),
        cmocka_unit_test(asking_for_an_address_is_no_claim),
        cmocka_unit_test(each_of_many_addresses_counts),
        cmocka_unit_test(resets_have_their_own_results),
        cmocka_unit_test(a_flow_that_began_here_is_ours),
        cmocka_unit_test(a_full_set_leaves_all_to_the_kernel),
        cmocka_unit_test(a_short_frame_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
