#include "replication/clone_watch.h"

static const uint64_t second_us = 1000000;

static void take_turn(struct clone_watch *watch, enum clone_rank rank, uint64_t now_us)
{
    if (watch->turns > 0 && watch->last == rank)
        return;
    if (watch->turns == 0 || now_us - watch->last_turn_us > CLONE_QUIET_S * second_us) {
        watch->turns = 0;
        watch->first_turn_us = now_us;
    }
    watch->turns++;
    watch->last = rank;
    watch->last_turn_us = now_us;
}

static enum clone_rank rank_of(struct clone_watch *watch, uint64_t incarnation)
{
    uint64_t newest = watch->windows[CLONE_NEWER].incarnation;
    if (incarnation > newest) {
        watch->windows[CLONE_OLDER] = watch->windows[CLONE_NEWER];
        watch->places[CLONE_OLDER] = watch->places[CLONE_NEWER];
        watch->turns = 0;
    }
    return incarnation < newest ? CLONE_OLDER : CLONE_NEWER;
}

void clone_watch_hear(struct clone_watch *watch,
                      uint64_t incarnation,
                      uint64_t counter,
                      const struct ip_address *source,
                      uint64_t now_us)
{
    enum clone_rank rank = rank_of(watch, incarnation);
    if (!replay_accept(&watch->windows[rank], incarnation, counter))
        return;
    watch->places[rank] = *source;
    take_turn(watch, rank, now_us);
}

void clone_watch_hear_fresh(struct clone_watch *watch,
                            uint64_t incarnation,
                            const struct ip_address *source,
                            uint64_t now_us)
{
    enum clone_rank rank = rank_of(watch, incarnation);
    struct replay_window *window = &watch->windows[rank];
    if (window->incarnation != incarnation)
        *window = (struct replay_window){.incarnation = incarnation};
    watch->places[rank] = *source;
    take_turn(watch, rank, now_us);
}

bool clone_watch_is_cloned(const struct clone_watch *watch, uint64_t now_us)
{
    return watch->turns >= CLONE_TURNS &&
           watch->last_turn_us - watch->first_turn_us >= CLONE_SPAN_S * second_us &&
           now_us - watch->last_turn_us <= CLONE_QUIET_S * second_us;
}
