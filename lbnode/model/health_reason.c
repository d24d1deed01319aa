#include "lbnode/model/health_reason.h"

#include "lbnode/base/bytes.h"

#include <stdio.h>

const char *verdict_reason_text(enum verdict_reason reason)
{
#define TEXT(name, text) text,
    static const char *const texts[] = {VERDICT_REASONS(TEXT)};
#undef TEXT
    return (size_t)reason < ARRAY_LENGTH(texts) ? texts[reason] : "unknown reason";
}

/* How the words begin whose end is " after 5 s"; NULL: nothing was waited for in vain. */
static const char *late_text(enum verdict_reason reason)
{
    switch (reason) {
    case VERDICT_REASON_CONNECT_TIMEOUT: return "connect timeout";
    case VERDICT_REASON_TIMEOUT: return "timeout";
    case VERDICT_REASON_NO_ECHO: return "no echo reply";
    case VERDICT_REASON_REQUEST_NOT_READ: return "request not read";
    case VERDICT_REASON_ANSWER_SLOW: return "answer not complete";
    case VERDICT_REASON_TLS_SLOW: return "TLS handshake not complete";
    default: return NULL;
    }
}

static void status_text(char out[HEALTH_REASON_TEXT_SIZE],
                        uint16_t status,
                        const struct health_monitor *monitor)
{
    if (monitor && monitor->expected_codes)
        snprintf(out, HEALTH_REASON_TEXT_SIZE, "status %u, expected %s", status,
                 monitor->expected_codes);
    else
        snprintf(out, HEALTH_REASON_TEXT_SIZE, "status %u, not expected", status);
}

/* What the commonest alerts of a handshake mean (RFC 8446 6, B.2). */
static const char *alert_name(uint16_t alert)
{
    switch (alert) {
    case 40: return ", handshake failure";
    case 42: return ", bad certificate";
    case 47: return ", illegal parameter";
    case 70: return ", protocol version";
    case 71: return ", insufficient security";
    case 80: return ", internal error";
    case 112: return ", unrecognized name";
    case 116: return ", certificate required";
    default: return "";
    }
}

void health_reason_text(char out[HEALTH_REASON_TEXT_SIZE],
                        enum verdict_reason reason,
                        uint16_t status,
                        const struct health_monitor *monitor)
{
    const char *late = late_text(reason), *words = verdict_reason_text(reason);
    if (late && monitor)
        snprintf(out, HEALTH_REASON_TEXT_SIZE, "%s after %lld s", late,
                 (long long)monitor->timeout);
    else if (reason == VERDICT_REASON_STATUS && status)
        status_text(out, status, monitor);
    else if (reason == VERDICT_REASON_TLS_ALERT && status)
        snprintf(out, HEALTH_REASON_TEXT_SIZE, "%s (%u%s)", words, status, alert_name(status));
    else
        snprintf(out, HEALTH_REASON_TEXT_SIZE, "%s", words);
}
