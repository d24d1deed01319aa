/* What a worker does about members whose verdict becomes ERROR, and about the connections that
 * it has to them: kept ones are closed, and those in use are told what their pool's on_down
 * says. Whoever picks a member looks at its verdict anyway; this is for what goes on without a
 * pick, and costs nothing while verdicts stay. */
#ifndef PROXY_MEMBER_DOWN_H
#define PROXY_MEMBER_DOWN_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

enum {
    MEMBER_DOWN_LOOK_MS = 50,  /* the main thread looks so often whether verdicts changed */
    MEMBER_DOWN_PER_TURN = 256 /* connections closed before others have their turn */
};

/* After each wake-up from the main thread: cheap while no verdict changed. */
void member_down_look(struct worker *worker);
/* After a new configuration, or when the last look was cut short. */
void member_down_look_again(struct worker *worker);
/* The worker has seen the member in ERROR. */
bool member_down_is_known(const struct worker *worker, uint32_t slot, uint32_t incarnation);

#endif
