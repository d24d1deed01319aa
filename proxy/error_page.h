/* The answers that the proxy makes itself: static, without a byte of the request in them. All
 * close the connection. */
#ifndef PROXY_ERROR_PAGE_H
#define PROXY_ERROR_PAGE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    ERROR_PAGE_MAXIMUM = 512
};

/* Bytes written. WITHOUT_BODY answers HEAD. */
size_t error_page_build(int status, bool without_body, char out[ERROR_PAGE_MAXIMUM]);

#endif
