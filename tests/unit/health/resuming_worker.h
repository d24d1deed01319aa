/* A worker over TLS that says by its status how the handshake went: 200 in full, 202 resumed.
 */
#ifndef TESTS_UNIT_HEALTH_RESUMING_WORKER_H
#define TESTS_UNIT_HEALTH_RESUMING_WORKER_H

#include <stdbool.h>
#include <sys/types.h>

struct resuming_worker {
    int version;       /* the newest that it speaks, as on the wire: 0x0303 is TLS 1.2 */
    bool loses_keys;   /* after each connection */
    bool moves_to_1_3; /* after the first connection, and speaks nothing older any more */
};

/* Serves one connection of LISTENER after another; ends by worker_stop. */
pid_t resuming_worker_start(int listener, const struct resuming_worker *worker);

#endif
