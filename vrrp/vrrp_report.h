/* What the vrrp process tells the supervisor: events (rate limited where a stranger can cause
 * them) and owned addresses. */
#ifndef VRRP_VRRP_REPORT_H
#define VRRP_VRRP_REPORT_H

#include "lbnode/loop/channel.h"
#include "vrrp/stranger_table.h"

struct vrrp_report {
    struct channel *channel; /* not owned; may be NULL */
    uint64_t last_ms[EVENT_CODE_COUNT];
    uint32_t suppressed[EVENT_CODE_COUNT];
    struct stranger_table strangers;
};

enum {
    VRRP_REPORT_GAP_MS = 10000
};

void vrrp_report_event(struct vrrp_report *report,
                       enum event_code code,
                       const char *format,
                       ...) __attribute__((format(printf, 3, 4)));
/* At most one of a CODE in VRRP_REPORT_GAP_MS; the next one counts what was left out. */
void vrrp_report_event_limited(struct vrrp_report *report,
                               enum event_code code,
                               const char *format,
                               ...) __attribute__((format(printf, 3, 4)));
/* A packet on one of our VRIDs was dropped because of VERDICT: its sender is named, as
 * stranger_table.h says how often. MESSAGE has two bytes at least. */
void vrrp_report_stranger(struct vrrp_report *report,
                          const char *interface,
                          const struct vrrp_envelope *envelope,
                          struct bytes message,
                          enum vrrp_verdict verdict);
void vrrp_report_owned(struct vrrp_report *report,
                       const struct ip_address *address,
                       unsigned interface_index,
                       bool owned);

#endif
