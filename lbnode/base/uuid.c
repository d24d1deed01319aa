#include "lbnode/base/uuid.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/random.h"

#include <stdio.h>
#include <string.h>

static const uint8_t dashes_before[] = {4, 6, 8, 10};

static void set_version(struct uuid *id, uint8_t version)
{
    id->bytes[6] = (uint8_t)((id->bytes[6] & 0x0f) | version << 4);
    id->bytes[8] = (uint8_t)((id->bytes[8] & 0x3f) | 0x80);
}

struct uuid uuid_random(void)
{
    struct uuid id;
    random_bytes(id.bytes, sizeof(id.bytes));
    set_version(&id, 4);
    return id;
}

struct uuid uuid_derived(const struct uuid *name_space, const char *name)
{
    struct uuid id;
    uint64_t seed = bytes_hash(name_space->bytes, 16, 1);
    uint64_t high = bytes_hash(name, strlen(name), seed);
    store_be64(id.bytes, high);
    store_be64(id.bytes + 8, bytes_hash(name, strlen(name), ~high));
    set_version(&id, 8);
    return id;
}

static bool dash_before(size_t byte)
{
    return memchr(dashes_before, (int)byte, sizeof(dashes_before)) != NULL;
}

bool uuid_parse(const char *text, struct uuid *out)
{
    char digits[33];
    size_t used = 0;
    if (strnlen(text, UUID_TEXT_SIZE) != UUID_TEXT_SIZE - 1)
        return false;
    for (size_t byte = 0; byte < 16; byte++) {
        if (dash_before(byte) && *text++ != '-')
            return false;
        digits[used++] = *text++;
        digits[used++] = *text++;
    }
    digits[used] = '\0';
    struct uuid parsed;
    if (!bytes_from_hex(digits, parsed.bytes, 16))
        return false;
    *out = parsed;
    return true;
}

void uuid_format(const struct uuid *id, char out[UUID_TEXT_SIZE])
{
    for (size_t byte = 0; byte < 16; byte++) {
        if (dash_before(byte))
            *out++ = '-';
        bytes_to_hex((struct bytes){id->bytes + byte, 1}, out);
        out += 2;
    }
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, 16) == 0;
}

bool uuid_is_zero(const struct uuid *id)
{
    static const struct uuid zero;
    return uuid_equal(id, &zero);
}

int uuid_compare(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, 16);
}
