#include "lbnode/base/base64.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* There is one text for any bytes: what is accepted encodes to the same again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *decoded = malloc(size + 1);
    char *encoded = malloc(BASE64_SIZE(size) + 1);
    size_t decoded_size;
    if (!decoded || !encoded)
        abort();
    if (base64_decode((struct bytes){data, size}, decoded, &decoded_size)) {
        if (decoded_size > size / 4 * 3)
            abort();
        base64_encode((struct bytes){decoded, decoded_size}, encoded);
        if (strlen(encoded) != size || (size > 0 && memcmp(encoded, data, size) != 0))
            abort();
    }
    free(decoded);
    free(encoded);
    return 0;
}
