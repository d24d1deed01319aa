#include "lbnode/base/yaml_value.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A document that is accepted must print as YAML that is accepted. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error;
    struct json_value *value = yaml_value_parse((const char *)data, size, &error);
    if (value) {
        char *text = yaml_value_print(value);
        struct json_value *again = text ? yaml_value_parse(text, strlen(text), &error) : NULL;
        if (!again)
            abort();
        json_value_free(again);
        free(text);
    }
    json_value_free(value);
    return 0;
}
