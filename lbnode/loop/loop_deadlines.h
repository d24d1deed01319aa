/* Many deadlines behind one timer of a loop: a deadline_wheel that turns by itself. To set and
 * clear one costs no system call and, whatever their number, next to no time. One expires at
 * most a tick of the wheel late. */
#ifndef LBNODE_LOOP_LOOP_DEADLINES_H
#define LBNODE_LOOP_LOOP_DEADLINES_H

#include "lbnode/base/deadline_wheel.h"
#include "lbnode/loop/loop.h"

struct loop_deadlines {
    struct loop *loop;
    struct loop_timer timer;
    uint64_t timer_ms; /* when it expires */
    void (*on_expired)(struct deadline *deadline);
    struct deadline_wheel wheel;
};

void loop_deadlines_init(struct loop_deadlines *deadlines,
                         struct loop *loop,
                         void (*on_expired)(struct deadline *));
/* Monotonic ms. One that is set already moves. */
void loop_deadlines_set(struct loop_deadlines *deadlines,
                        struct deadline *deadline,
                        uint64_t when_ms);
void loop_deadlines_clear(struct loop_deadlines *deadlines, struct deadline *deadline);
void loop_deadlines_stop(struct loop_deadlines *deadlines); /* before it is freed */

#endif
