/* The health process: probes members as their monitors say, writes verdicts to the board. No
 * capability, no key; parses what members answer. The sockets that it cannot open itself are
 * opened by the supervisor with icmp_sockets_open. */
#ifndef HEALTH_HEALTH_H
#define HEALTH_HEALTH_H

#include "health/icmp_sockets.h"
#include "lbnode/model/process.h"

int health_main(const struct process_context *context);

#endif
