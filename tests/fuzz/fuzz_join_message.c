#include "replication/genesis.h"
#include "replication/join_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a stranger sends, and what whoever has a token can put inside. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct join_hello hello;
    struct join_facts facts;
    struct genesis genesis;
    struct bytes body, field;
    uint8_t type;
    if (!join_message_parse((struct bytes){data, size}, &type, &body))
        return 0;
    if (join_hello_parse(body, &hello) && join_facts_parse(hello.handshake, &facts))
        join_facts_free(&facts);
    if (join_facts_parse(body, &facts))
        join_facts_free(&facts);
    if (join_field(body, 1, &field))
        genesis_parse(field, &genesis);
    return 0;
}
