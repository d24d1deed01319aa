#include "lbnode/base/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct bytes in, char *out)
{
    for (size_t at = 0; at < in.size; at += 3) {
        size_t left = in.size - at < 3 ? in.size - at : 3;
        uint32_t group = 0;
        for (size_t i = 0; i < 3; i++)
            group = group << 8 | (i < left ? in.data[at + i] : 0u);
        for (size_t i = 0; i < 4; i++)
            *out++ = i <= left ? digits[group >> (18 - 6 * i) & 0x3f] : '=';
    }
    *out = '\0';
}

/* How many of the four characters count; 0: malformed. */
static size_t read_group(const uint8_t text[4], uint32_t *out)
{
    size_t count = 0;
    *out = 0;
    for (size_t i = 0; i < 4; i++) {
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (digit && count < i)
            return 0; /* behind padding */
        if (!digit && text[i] != '=')
            return 0;
        *out = *out << 6 | (digit ? (uint32_t)(digit - digits) : 0);
        count += digit != NULL;
    }
    uint32_t unused = count == 2 ? 0xffff : count == 3 ? 0xff : 0;
    return count < 2 || (*out & unused) ? 0 : count;
}

bool base64_decode(struct bytes text, uint8_t *out, size_t *out_size)
{
    *out_size = 0;
    if (text.size % 4 != 0)
        return false;
    for (size_t at = 0; at < text.size; at += 4) {
        uint32_t group;
        size_t count = read_group(text.data + at, &group);
        if (count == 0 || (count < 4 && at + 4 < text.size))
            return false;
        for (size_t i = 0; i + 1 < count; i++)
            out[(*out_size)++] = (uint8_t)(group >> (16 - 8 * i));
    }
    return true;
}
