/* Bytes as an ICMP socket delivers them; the first says which kind of socket. What is accepted
 * comes out the same when it is written again as the request that it answers, but for the type
 * and the checksum. */
#include "health/icmp_echo.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct icmp_echo echo;
    uint8_t again[ICMP_ECHO_SIZE];
    if (size == 0)
        return 0;
    enum icmp_framing framing = data[0] % (ICMP_V6_MESSAGE + 1);
    if (!icmp_echo_read((struct bytes){data + 1, size - 1}, framing, &echo))
        return 0;
    icmp_echo_write(&echo, framing, again);
    if (size < 1 + ICMP_ECHO_SIZE ||
        memcmp(again + 4, data + size - ICMP_ECHO_SIZE + 4, ICMP_ECHO_SIZE - 4) != 0)
        abort();
    return 0;
}
