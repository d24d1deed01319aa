#include "lbnode/tls/tls_library.h"

#include "lbnode/base/bytes.h"

#include <openssl/core_dispatch.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <string.h>
#include <threads.h>

enum {
    MAXIMUM_DECODERS = 16
};

/* What the provider "default" offers is passed on, but for most decoders. */
struct narrow_provider {
    OSSL_PROVIDER *whole;
    OSSL_ALGORITHM decoders[MAXIMUM_DECODERS + 1]; /* ends with an empty one */
};

/* The key of a server's certificate (RFC 8446 4.2.3, and RFC 5246's RSA and ECDSA). */
static bool reads_server_key(const OSSL_ALGORITHM *decoder)
{
    static const char *const keys[] = {"RSA", "RSA-PSS", "EC", "ED25519", "ED448"};
    if (!strstr(decoder->property_definition, "input=der") ||
        !strstr(decoder->property_definition, "structure=SubjectPublicKeyInfo"))
        return false;
    size_t length = strcspn(decoder->algorithm_names, ":"); /* the first of its names */
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        if (length == strlen(keys[i]) && memcmp(decoder->algorithm_names, keys[i], length) == 0)
            return true;
    }
    return false;
}

/* ---- what OpenSSL asks a provider ----------------------------------------------------------
 * It hands over one context only, and that is the one which the passed-on functions need. So
 * the narrow provider is found by name: filled once, before its first use, and never changed.
 */

static struct narrow_provider narrow;
static once_flag narrow_is_filled = ONCE_FLAG_INIT;

static void fill_narrow(void)
{
    int no_cache;
    size_t count = 0;
    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    narrow.whole = OSSL_PROVIDER_load(NULL, "default");
    if (!narrow.whole)
        return;
    const OSSL_ALGORITHM *all =
        OSSL_PROVIDER_query_operation(narrow.whole, OSSL_OP_DECODER, &no_cache);
    for (; all && all->algorithm_names && count < MAXIMUM_DECODERS; all++) {
        if (reads_server_key(all))
            narrow.decoders[count++] = *all;
    }
}

static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache)
{
    *no_cache = 0;
    switch (operation) {
    case OSSL_OP_DECODER: return narrow.decoders;
    case OSSL_OP_ENCODER:
    case OSSL_OP_STORE: return NULL;
    default: return OSSL_PROVIDER_query_operation(narrow.whole, operation, no_cache);
    }
}

static int
capabilities(void *context, const char *name, OSSL_CALLBACK *callback, void *argument)
{
    return OSSL_PROVIDER_get_capabilities(narrow.whole, name, callback, argument);
}

static int initialise(const OSSL_CORE_HANDLE *handle,
                      const OSSL_DISPATCH *in,
                      const OSSL_DISPATCH **out,
                      void **out_context)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
        {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities},
        {0, NULL},
    };
    *out = functions;
    *out_context = OSSL_PROVIDER_get0_provider_ctx(narrow.whole);
    return 1;
}

bool tls_library_open(struct tls_library *library)
{
    static const char name[] = "lbnode-tls";
    *library = (struct tls_library){NULL, NULL};
    call_once(&narrow_is_filled, fill_narrow);
    library->context = narrow.whole ? OSSL_LIB_CTX_new() : NULL;
    if (library->context && OSSL_PROVIDER_add_builtin(library->context, name, initialise))
        library->provider = OSSL_PROVIDER_load(library->context, name);
    return library->provider != NULL;
}

void tls_library_close(struct tls_library *library)
{
    if (library->provider)
        OSSL_PROVIDER_unload(library->provider);
    OSSL_LIB_CTX_free(library->context);
}
