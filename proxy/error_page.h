/* The answers that the proxy makes itself: static, without a byte of the request in them. All
 * close the connection. */
#ifndef PROXY_ERROR_PAGE_H
#define PROXY_ERROR_PAGE_H

#include "lbnode/model/counter_board.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    ERROR_PAGE_MAXIMUM = 512
};

/* Bytes written. A 503 says WHY; who found the queue full or too slow may come again in a
 * second. WITHOUT_BODY answers HEAD. */
size_t error_page_build(int status,
                        enum termination why,
                        bool without_body,
                        char out[ERROR_PAGE_MAXIMUM]);

#endif
