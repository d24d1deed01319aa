#include "replication/gossip_filter.h"

#include "replication/packet.h"
#include "replication/session_wire.h"

#include <errno.h>
#include <sys/socket.h>

/* Offsets as the filter of a UDP socket counts: from the UDP header on. */
enum {
    UDP_HEADER = 8,
    AT_TYPE = UDP_HEADER,
    AT_VERSION = UDP_HEADER + 1,
    AT_PACKET_VERSION = UDP_HEADER + 2,
    AT_CLUSTER = UDP_HEADER + 4,
    AT_RECEIVER = UDP_HEADER + 20,
    IPV4_SOURCE = 12,
    IPV6_SOURCE = 8,
    IPV6_WORDS = 4,
    EVERYTHING = -1
};

static const struct session_form {
    uint8_t type;
    uint16_t minimum, maximum;
} session_forms[] = {
    {SESSION_INIT, SESSION_INIT_SIZE, SESSION_INIT_MAXIMUM},
    {SESSION_RESPONSE, SESSION_RESPONSE_SIZE, SESSION_RESPONSE_MAXIMUM},
    {SESSION_DATA, SESSION_DATA_OVERHEAD, DATAGRAM_MAXIMUM},
};

/* ---- building blocks --------------------------------------------------------------------- */

static struct sock_filter *
emit(struct gossip_filter *out, uint16_t code, uint8_t yes, uint8_t no, uint32_t value)
{
    struct sock_filter *step = &out->code[out->size++];
    *step = (struct sock_filter){code, yes, no, value};
    return step;
}

static void end(struct gossip_filter *out, bool accept)
{
    emit(out, BPF_RET | BPF_K, 0, 0, accept ? (uint32_t)EVERYTHING : 0);
}

static void load_byte(struct gossip_filter *out, uint32_t offset)
{
    emit(out, BPF_LD | BPF_B | BPF_ABS, 0, 0, offset);
}

static void load_word(struct gossip_filter *out, uint32_t offset)
{
    emit(out, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

static void load_size(struct gossip_filter *out)
{
    emit(out, BPF_LD | BPF_W | BPF_LEN, 0, 0, 0);
}

/* Drops the datagram unless what is loaded is VALUE. */
static void need(struct gossip_filter *out, uint32_t value)
{
    emit(out, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, value);
    end(out, false);
}

static void need_size(struct gossip_filter *out, uint32_t minimum, uint32_t maximum)
{
    load_size(out);
    emit(out, BPF_JMP | BPF_JGE | BPF_K, 1, 0, minimum + UDP_HEADER);
    end(out, false);
    emit(out, BPF_JMP | BPF_JGT | BPF_K, 0, 1, maximum + UDP_HEADER);
    end(out, false);
}

static void need_bytes(struct gossip_filter *out, uint32_t offset, const uint8_t bytes[8])
{
    for (uint32_t i = 0; i < 8; i += 4) {
        load_word(out, offset + i);
        need(out, load_be32(bytes + i));
    }
}

/* Goes on with what follows when VALUE is loaded, else where skip_ends says. */
static struct sock_filter *skip_unless(struct gossip_filter *out, uint32_t value)
{
    emit(out, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, value);
    return emit(out, BPF_JMP | BPF_JA, 0, 0, 0);
}

static void skip_ends(const struct gossip_filter *out, struct sock_filter *skip)
{
    skip->k = (uint32_t)(out->code + out->size - skip - 1);
}

/* ---- the parts --------------------------------------------------------------------------- */

/* Drops it, lets it pass, or goes on where the result says. */
static struct sock_filter *signed_packet(const struct gossip_filter_rules *rules,
                                         struct gossip_filter *out)
{
    load_byte(out, AT_TYPE);
    struct sock_filter *skip = skip_unless(out, 'L');
    load_byte(out, AT_PACKET_VERSION);
    need(out, PACKET_VERSION);
    need_size(out, PACKET_OVERHEAD, DATAGRAM_MAXIMUM);
    need_bytes(out, AT_CLUSTER, rules->cluster_id.bytes);
    need_bytes(out, AT_RECEIVER, rules->node_id.bytes);
    if (rules->strangers_sign)
        end(out, true);
    struct sock_filter *done = emit(out, BPF_JMP | BPF_JA, 0, 0, 0);
    skip_ends(out, skip);
    return done;
}

/* Ends with the datagram dropped, or goes on. */
static void session_message(struct gossip_filter *out)
{
    struct sock_filter *done[ARRAY_LENGTH(session_forms)];
    load_byte(out, AT_VERSION);
    need(out, SESSION_VERSION);
    for (size_t i = 0; i < ARRAY_LENGTH(session_forms); i++) {
        load_byte(out, AT_TYPE);
        struct sock_filter *skip = skip_unless(out, session_forms[i].type);
        need_size(out, session_forms[i].minimum, session_forms[i].maximum);
        done[i] = emit(out, BPF_JMP | BPF_JA, 0, 0, 0);
        skip_ends(out, skip);
    }
    end(out, false);
    for (size_t i = 0; i < ARRAY_LENGTH(session_forms); i++)
        skip_ends(out, done[i]);
}

static void source_ipv4(const struct ip_address *address, struct gossip_filter *out)
{
    emit(out, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, load_be32(address->bytes));
    end(out, true);
}

static void source_ipv6(const struct ip_address *address, struct gossip_filter *out)
{
    for (uint32_t i = 0; i < IPV6_WORDS; i++) {
        load_word(out, (uint32_t)SKF_NET_OFF + IPV6_SOURCE + 4 * i);
        uint8_t to_next = (uint8_t)(2 * (IPV6_WORDS - i) - 1);
        emit(out, BPF_JMP | BPF_JEQ | BPF_K, 0, to_next, load_be32(address->bytes + 4 * i));
    }
    end(out, true);
}

static void known_sources(const struct gossip_filter_rules *rules, struct gossip_filter *out)
{
    load_byte(out, (uint32_t)SKF_NET_OFF);
    emit(out, BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xf0);
    struct sock_filter *skip = skip_unless(out, 0x40);
    load_word(out, (uint32_t)SKF_NET_OFF + IPV4_SOURCE);
    for (size_t i = 0; i < rules->source_count; i++)
        if (rules->sources[i].family == 4)
            source_ipv4(&rules->sources[i], out);
    end(out, false);
    skip_ends(out, skip);
    for (size_t i = 0; i < rules->source_count; i++)
        if (rules->sources[i].family == 6)
            source_ipv6(&rules->sources[i], out);
    end(out, false);
}

void gossip_filter_build(const struct gossip_filter_rules *rules, struct gossip_filter *out)
{
    out->size = 0;
    struct sock_filter *is_signed = signed_packet(rules, out);
    session_message(out);
    skip_ends(out, is_signed);
    if (rules->source_count <= GOSSIP_FILTER_SOURCES)
        known_sources(rules, out);
    else
        end(out, true);
}

static int attach(int fd, const struct gossip_filter_rules *rules)
{
    struct gossip_filter filter;
    gossip_filter_build(rules, &filter);
    const struct sock_fprog program = {filter.size, filter.code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0
               ? 0
               : -errno;
}

int gossip_filter_attach(int fd, const struct gossip_filter_rules *rules)
{
    struct gossip_filter_rules form_only = *rules;
    const int unused = 0;
    int result = attach(fd, rules);
    if (result == 0)
        return 0;
    /* The kernel bounds what a socket's filters may take (net.core.optmem_max), the old one
     * and the new one together. */
    setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused));
    if (attach(fd, rules) == 0)
        return 0;
    form_only.source_count = GOSSIP_FILTER_SOURCES + 1;
    return attach(fd, &form_only);
}
