/* The health process: probes members as their monitors say, writes verdicts to the board. No
 * capability, no key; parses what members answer. */
#ifndef HEALTH_HEALTH_H
#define HEALTH_HEALTH_H

#include "lbnode/model/process.h"

int health_main(const struct process_context *context);

#endif
