#include "vrrp/vrrp_report.h"

#include "lbnode/base/monotime.h"
#include "vrrp/vip_address.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void send_event(struct vrrp_report *report, enum event_code code, const char *text)
{
    struct message_event event = MESSAGE_OF(EVENT, struct message_event);
    event.code = code;
    event.role = PROCESS_VRRP;
    event.wall_ms = walltime_now_ms();
    snprintf(event.text, sizeof(event.text), "%s", text);
    if (report->channel)
        channel_send(report->channel, &event.header, NULL, 0);
}

void vrrp_report_event(struct vrrp_report *report,
                       enum event_code code,
                       const char *format,
                       ...)
{
    char text[sizeof(((struct message_event *)0)->text)];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    send_event(report, code, text);
}

void vrrp_report_event_limited(struct vrrp_report *report,
                               enum event_code code,
                               const char *format,
                               ...)
{
    char text[sizeof(((struct message_event *)0)->text)];
    uint64_t now_ms = monotime_now_ms();
    if (report->last_ms[code] && now_ms - report->last_ms[code] < VRRP_REPORT_GAP_MS) {
        report->suppressed[code]++;
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (report->suppressed[code]) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, " (%u more like it before)",
                 report->suppressed[code]);
    }
    report->last_ms[code] = now_ms;
    report->suppressed[code] = 0;
    send_event(report, code, text);
}

void vrrp_report_stranger(struct vrrp_report *report,
                          const char *interface,
                          const struct vrrp_envelope *envelope,
                          struct bytes message,
                          enum vrrp_verdict verdict)
{
    char text[STRANGER_TEXT_SIZE];
    bool other_protocol = verdict == VRRP_VERDICT_VERSION_2 || verdict == VRRP_VERDICT_CARP;
    const struct stranger *stranger = stranger_table_note(
        &report->strangers, &envelope->source, message.data[1], verdict, monotime_now_us());
    if (!stranger)
        return;
    stranger_describe(stranger, message, text);
    vrrp_report_event(report, other_protocol ? EVENT_VRRP_FOREIGN : EVENT_VRRP_BAD_PACKET,
                      "on %s: %s", interface, text);
}

void vrrp_report_owned(struct vrrp_report *report,
                       const struct ip_address *address,
                       unsigned interface_index,
                       bool owned)
{
    struct message_vrrp_owned message = MESSAGE_OF(VRRP_OWNED, struct message_vrrp_owned);
    message.address = *address;
    message.prefix_length = vip_prefix_length(address);
    message.owned = owned;
    message.interface_index = interface_index;
    if (report->channel)
        channel_send(report->channel, &message.header, NULL, 0);
}
