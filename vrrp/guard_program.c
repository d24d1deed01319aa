#include "vrrp/guard_program.h"

#include "lbnode/base/bytes.h"

enum {
    ETHERNET = 14,
    TCP = 6,
    TCP_FLAGS = 13,
    FLAG_RESET = 0x04,
    WHOLE_FRAME = 0x40000,
};

struct builder {
    struct sock_filter *out;
    size_t count;
};

static void add(struct builder *builder, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
    builder->out[builder->count++] = (struct sock_filter){code, yes, no, k};
}

/* Ends with RESULT unless the accumulator is K. */
static void require_equal(struct builder *builder, uint32_t k, uint32_t result)
{
    add(builder, BPF_JMP | BPF_JEQ | BPF_K, k, 1, 0);
    add(builder, BPF_RET | BPF_K, result, 0, 0);
}

/* TCP without IPv6 extension headers, no later fragment; X becomes the offset of its header. */
static void require_tcp(struct builder *builder, uint8_t family, uint32_t otherwise)
{
    add(builder, BPF_LD | BPF_H | BPF_ABS, 12, 0, 0);
    require_equal(builder, family == 4 ? 0x0800 : 0x86dd, otherwise);
    add(builder, BPF_LD | BPF_B | BPF_ABS, ETHERNET + (family == 4 ? 9 : 6), 0, 0);
    require_equal(builder, TCP, otherwise);
    if (family == 6) {
        add(builder, BPF_LDX | BPF_W | BPF_IMM, 40, 0, 0);
        return;
    }
    add(builder, BPF_LD | BPF_H | BPF_ABS, ETHERNET + 6, 0, 0);
    add(builder, BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 0, 1);
    add(builder, BPF_RET | BPF_K, otherwise, 0, 0);
    add(builder, BPF_LDX | BPF_B | BPF_MSH, ETHERNET, 0, 0);
}

/* An ARP message for IPv4, or a neighbour advertisement. */
static void require_claim(struct builder *builder, uint8_t family)
{
    add(builder, BPF_LD | BPF_H | BPF_ABS, 12, 0, 0);
    require_equal(builder, family == 4 ? 0x0806 : 0x86dd, 0);
    add(builder, BPF_LD | BPF_H | BPF_ABS, family == 4 ? 16 : ETHERNET + 6, 0, 0);
    if (family == 4) {
        require_equal(builder, 0x0800, 0);
        return;
    }
    require_equal(builder, 0x3aff, 0); /* ICMPv6 that nobody has routed */
    add(builder, BPF_LD | BPF_B | BPF_ABS, ETHERNET + 40, 0, 0);
    require_equal(builder, 136, 0);
}

/* Ends with RESULT if the address at OFFSET is ADDRESS. */
static void match_address(struct builder *builder,
                          uint32_t offset,
                          const struct ip_address *address,
                          uint32_t result)
{
    uint32_t words = (uint32_t)ip_address_size(address) / 4;
    for (uint32_t i = 0; i < words; i++) {
        add(builder, BPF_LD | BPF_W | BPF_ABS, offset + 4 * i, 0, 0);
        add(builder, BPF_JMP | BPF_JEQ | BPF_K, load_be32(address->bytes + 4 * i), 0,
            (uint8_t)(2 * (words - 1 - i) + 1));
    }
    add(builder, BPF_RET | BPF_K, result, 0, 0);
}

size_t guard_program_build(enum guard_program_kind kind,
                           uint8_t family,
                           const struct ip_address *addresses,
                           size_t count,
                           struct sock_filter out[GUARD_PROGRAM_MAXIMUM])
{
    struct builder builder = {.out = out};
    bool resets = kind == GUARD_PROGRAM_RESETS;
    uint32_t otherwise = resets ? (uint32_t)GUARD_PROGRAM_PASS : 0;
    uint32_t result = resets ? GUARD_PROGRAM_DROP : WHOLE_FRAME;
    uint32_t source = ETHERNET + (family == 4 ? 12 : 8);
    uint32_t offset = resets ? source : source + (family == 4 ? 4 : 16);
    if (kind == GUARD_PROGRAM_CLAIMS) {
        offset = family == 4 ? ETHERNET + 14 : ETHERNET + 48;
        require_claim(&builder, family);
    } else {
        require_tcp(&builder, family, otherwise);
    }
    if (resets) {
        add(&builder, BPF_LD | BPF_B | BPF_IND, ETHERNET + TCP_FLAGS, 0, 0);
        add(&builder, BPF_JMP | BPF_JSET | BPF_K, FLAG_RESET, 1, 0);
        add(&builder, BPF_RET | BPF_K, otherwise, 0, 0);
    }
    for (size_t i = 0; i < count && i < GUARD_PROGRAM_MAXIMUM_ADDRESSES; i++)
        match_address(&builder, offset, &addresses[i], result);
    add(&builder, BPF_RET | BPF_K, otherwise, 0, 0);
    return builder.count;
}
