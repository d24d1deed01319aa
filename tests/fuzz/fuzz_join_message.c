#include "replication/genesis.h"
#include "replication/join_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct join_hello hello;
    struct genesis genesis;
    struct bytes body, field;
    uint8_t type;
    if (!join_message_parse((struct bytes){data, size}, &type, &body))
        return 0;
    if (join_hello_parse(body, &hello))
        join_hello_free(&hello);
    if (join_field(body, 2, &field))
        genesis_parse(field, &genesis);
    return 0;
}
