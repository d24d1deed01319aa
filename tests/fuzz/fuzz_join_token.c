#include "replication/token.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[1024], again[TOKEN_TEXT_SIZE];
    struct join_token token, back;
    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    if (!token_parse(text, &token))
        return 0;
    if (!token_format(&token, again) || !token_parse(again, &back) ||
        memcmp(token.secret, back.secret, sizeof(token.secret)) != 0)
        abort();
    return 0;
}
