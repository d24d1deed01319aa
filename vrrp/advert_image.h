/* The adverts of one virtual router as bytes, pure. Fifty a second say the same: the list of
 * addresses and its part of the checksum are made once, a header before each use. */
#ifndef VRRP_ADVERT_IMAGE_H
#define VRRP_ADVERT_IMAGE_H

#include "vrrp/vrrp_packet.h"

/* All zero: to be made. */
struct advert_image {
    uint8_t *message; /* owned; room for a header, then the addresses */
    uint8_t family, address_count, address_limit;
    uint32_t addresses_sum;
};

/* Begins a new list of at most MAXIMUM addresses. False when out of memory. */
bool advert_image_start(struct advert_image *image, uint8_t family, size_t maximum);
/* What does not fit into one advert (one packet of the smallest MTU for IPv6) is left out: the
 * list is for people. */
void advert_image_add(struct advert_image *image, const struct ip_address *address);
/* Its addresses have changed. Leaves it all zero. */
void advert_image_forget(struct advert_image *image);
/* The message with the header of PACKET, whose addresses do not count; valid until the image is
 * used again. Empty when there is no address. */
struct bytes advert_image_message(struct advert_image *image,
                                  const struct vrrp_packet *packet,
                                  const struct vrrp_envelope *envelope);

#endif
