/* Builds small snapshots by hand: what the tests of the proxy need and no more. */
#ifndef TESTS_UNIT_PROXY_IMAGE_H
#define TESTS_UNIT_PROXY_IMAGE_H

#include "lbnode/model/snapshot.h"

enum {
    IMAGE_MEMBERS = 8,
    IMAGE_SCHEDULE = 2048
};

/* One pool behind an HTTP and a TCP listener. Start from image_init and change what matters. */
struct image {
    struct snapshot header;
    _Alignas(8) struct snapshot_endpoint endpoints[2];
    _Alignas(8) struct snapshot_listener listeners[2]; /* HTTP, TCP */
    _Alignas(8) struct ip_prefix cidr;
    _Alignas(8) struct snapshot_pool pool;
    _Alignas(8) struct snapshot_monitor monitor;
    _Alignas(8) struct snapshot_member members[IMAGE_MEMBERS];
    _Alignas(8) uint16_t schedule[IMAGE_SCHEDULE];
    _Alignas(8) char strings[8];
};

/* MEMBERS enabled members of weight 1, no monitor, loopback endpoints with port 1. */
void image_init(struct image *image, uint64_t generation, uint32_t members);
/* Fills the schedules from the members' weights: in turns, not interleaved smoothly; with
 * tables where the algorithm wants them. */
void image_schedule(struct image *image);
/* A sealed memfd with the image. */
int image_seal(const struct image *image);
struct ip_endpoint image_loopback(uint16_t port);

#endif
