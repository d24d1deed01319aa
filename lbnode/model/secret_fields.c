#include "lbnode/model/field_rows.h"

/* In the order of enum secret_type; Barbican's words. */
static const char *const types[] = {"opaque", "passphrase", "certificate", "private",
                                    "public", "symmetric",  NULL};

/* clang-format off */
static const struct field fields[] = {
    COMMON_ROWS(0),
    {.name = "secret_type", .type = FIELD_ENUM, FIELD_AT(secret, secret_type),
     .facet = FACET_CREATION, .tag = 3, .flags = FIELD_CREATE_ONLY, .choices = types,
     .default_text = "opaque", .help = "what the payload is"},
    {.name = "payload_content_type", .type = FIELD_TEXT, FIELD_AT(secret, payload_content_type),
     .facet = 10, .tag = 1, .minimum = 1, .maximum = TEXT_ITEM_MAXIMUM,
     .default_text = "text/plain", .check = check_media_type, .help = "media type of the payload"},
    {.name = "payload", .type = FIELD_SEALED, FIELD_AT(secret, payload),
     .facet = 10, .tag = 2, .flags = FIELD_NULLABLE, .minimum = 1, .maximum = SEALED_MAXIMUM_SIZE,
     .help = "what is to be kept secret; it is taken, and never shown"},
};
/* clang-format on */

const struct resource_class secret_class = {
    .type = RESOURCE_SECRET,
    .noun = "secret",
    .plural = "secrets",
    .path = "/secrets",
    .title = "Secret",
    .size = sizeof(struct secret),
    .fields = fields,
    .field_count = ARRAY_LENGTH(fields),
    .is_bare = true,
};
