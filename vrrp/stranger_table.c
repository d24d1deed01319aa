#include "vrrp/stranger_table.h"

#include <inttypes.h>
#include <stdio.h>

static struct stranger *find_place(struct stranger_table *table,
                                   const struct ip_address *source,
                                   uint8_t vrid,
                                   enum vrrp_verdict verdict)
{
    struct stranger *oldest = &table->places[0];
    for (size_t i = 0; i < STRANGER_TABLE_SIZE; i++) {
        struct stranger *place = &table->places[i];
        if (place->vrid == vrid && place->verdict == verdict &&
            ip_address_equal(&place->source, source))
            return place;
        if (place->last_us < oldest->last_us)
            oldest = place;
    }
    *oldest = (struct stranger){.source = *source, .vrid = vrid, .verdict = verdict};
    return oldest;
}

/* A bucket of STRANGER_TABLE_BURST sentences that fills at one per STRANGER_TABLE_PACE_US. */
static bool may_tell(struct stranger_table *table, uint64_t now_us)
{
    const uint64_t full_us = STRANGER_TABLE_BURST * STRANGER_TABLE_PACE_US;
    uint64_t passed_us = table->started ? now_us - table->last_us : full_us;
    uint64_t credit_us = table->credit_us + (passed_us < full_us ? passed_us : full_us);
    table->started = true;
    table->last_us = now_us;
    table->credit_us = credit_us < full_us ? credit_us : full_us;
    if (table->credit_us < STRANGER_TABLE_PACE_US)
        return false;
    table->credit_us -= STRANGER_TABLE_PACE_US;
    return true;
}

const struct stranger *stranger_table_note(struct stranger_table *table,
                                           const struct ip_address *source,
                                           uint8_t vrid,
                                           enum vrrp_verdict verdict,
                                           uint64_t now_us)
{
    struct stranger *stranger = find_place(table, source, vrid, verdict);
    bool known = stranger->told && now_us - stranger->told_us < STRANGER_TABLE_AGAIN_US;
    stranger->count++;
    stranger->last_us = now_us;
    if (known || !may_tell(table, now_us))
        return NULL;
    stranger->told = true;
    stranger->told_us = now_us;
    return stranger;
}

/* The authentication type of a version 2 message (RFC 2338 5.3.6). */
static const char *authentication(struct bytes message)
{
    enum {
        TYPE_OFFSET = 4,
        TYPE_PASSWORD = 1
    };
    return message.size > TYPE_OFFSET && message.data[TYPE_OFFSET] == TYPE_PASSWORD
               ? " with a password in clear"
               : "";
}

void stranger_describe(const struct stranger *stranger,
                       struct bytes message,
                       char out[STRANGER_TEXT_SIZE])
{
    char from[IP_ADDRESS_TEXT_SIZE], more[48] = "";
    ip_address_format(&stranger->source, from);
    if (stranger->count > 1)
        snprintf(more, sizeof(more), " (%" PRIu64 " packets so far)", stranger->count);
    switch (stranger->verdict) {
    case VRRP_VERDICT_VERSION_2:
        snprintf(out, STRANGER_TEXT_SIZE,
                 "keepalived or another router speaking VRRPv2%s on VRID %u from %s; ignored, "
                 "nodes speak version 3%s",
                 authentication(message), stranger->vrid, from, more);
        break;
    case VRRP_VERDICT_CARP:
        snprintf(out, STRANGER_TEXT_SIZE,
                 "a BSD system speaking CARP on VHID %u, our VRID, from %s; ignored%s",
                 stranger->vrid, from, more);
        break;
    default:
        snprintf(out, STRANGER_TEXT_SIZE, "a VRRP packet on VRID %u from %s was dropped: %s%s",
                 stranger->vrid, from, vrrp_verdict_text(stranger->verdict), more);
        break;
    }
}
