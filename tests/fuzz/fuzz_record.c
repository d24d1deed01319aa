#include "replication/record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record record;
    struct record_op op;
    struct dot dep;
    size_t ops = 0;
    if (!record_parse((struct bytes){data, size}, &record))
        return 0;
    while (record_next_dep(&record.deps, &dep))
        if (dep.stream == 0 || dep.seq == 0)
            abort();
    while (record_next_op(&record.ops, &op))
        ops++;
    if (ops != record.op_count) /* what was checked is what is applied */
        abort();
    return 0;
}
