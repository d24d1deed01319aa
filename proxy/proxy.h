/* The proxy process: client and member connections, one thread per core. No capability, no key.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include "lbnode/model/process.h"

int proxy_main(const struct process_context *context);

#endif
