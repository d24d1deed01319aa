/* A monitor set on a site of its own: one load balancer and pool, members that are small
 * servers on loopback, one monitor. The snapshot is a real one. */
#ifndef TESTS_UNIT_HEALTH_MONITOR_SITE_H
#define TESTS_UNIT_HEALTH_MONITOR_SITE_H

#include "health/monitor_set.h"
#include "lbnode/model/configuration.h"
#include "lbnode/model/slot_map.h"

enum {
    CLIENTS = 64
};

/* Answers every connection with one text. */
struct server {
    struct loop *loop;
    struct loop_io io;
    int fd;
    uint16_t port;
    const char *answer; /* "": accept and say nothing */
    int clients[CLIENTS];
    size_t client_count;
};

/* A configuration: one load balancer, one pool, members, one monitor. */
struct site {
    struct configuration_builder *builder;
    struct uuid load_balancer, pool, members[4];
    size_t member_count;
    uint64_t stamp;
};

struct fixture {
    struct loop *loop;
    struct loop_timer wake;
    struct slot_map *slots;
    struct verdict_board *board;
    struct icmp_sockets icmp;
    struct monitor_set *set;
};

void server_start(struct server *server, struct loop *loop, const char *answer);
void server_stop(struct server *server);

void site_start(struct site *site);
void site_member(struct site *site, uint16_t port);
/* Each second; one result decides. */
void site_monitor(struct site *site, const char *type);
/* Of type TCP, each 5 s; three results in a row decide, QUICK_MS apart (0: 5 s). */
void site_slow_monitor(struct site *site, unsigned quick_ms);
int site_image(struct site *site, struct slot_map *slots);
const struct snapshot *site_open(int image);
const struct snapshot *site_snapshot(struct site *site, struct slot_map *slots);

void fixture_start(struct fixture *fixture);
void fixture_stop(struct fixture *fixture);
const struct verdict_slot *fixture_slot(const struct fixture *fixture,
                                        const struct uuid *member,
                                        uint32_t *out_slot,
                                        uint32_t *out_incarnation);
enum verdict_state fixture_state(const struct fixture *fixture, const struct uuid *member);
enum verdict_reason fixture_reason(const struct fixture *fixture, const struct uuid *member);
/* Until the member's state on the board is STATE. */
void fixture_await(struct fixture *fixture,
                   const struct uuid *member,
                   enum verdict_state state);

#endif
