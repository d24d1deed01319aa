#include "tests/fuzz/fuzz_http_head.h"

#include <stdlib.h>

static void check_inside(const struct http_head *head, size_t size)
{
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->name + field->name_length > size ||
            field->value + field->value_length > size)
            abort();
    }
    if (head->size > size || head->target + head->target_length > size ||
        head->path + head->path_length > size || head->method + head->method_length > size)
        abort();
}

void fuzz_http_head(enum http_parse_result (*parse)(struct http_head *, const char *, size_t),
                    const uint8_t *data,
                    size_t size)
{
    static struct http_head whole, pieces;
    const char *text = (const char *)data;
    size_t step = size > 0 ? 1 + data[size - 1] % 64 : 1;
    http_head_init(&whole);
    http_head_init(&pieces);
    enum http_parse_result expected = parse(&whole, text, size);
    enum http_parse_result result = HTTP_NEED_MORE;
    for (size_t given = 0; result == HTTP_NEED_MORE && given < size;) {
        given = given + step < size ? given + step : size;
        result = parse(&pieces, text, given);
    }
    if (result != expected || whole.field_count != pieces.field_count ||
        (result == HTTP_COMPLETE && whole.size != pieces.size) ||
        (result == HTTP_BAD && whole.error_status != pieces.error_status))
        abort();
    if (result == HTTP_COMPLETE)
        check_inside(&whole, size);
}
