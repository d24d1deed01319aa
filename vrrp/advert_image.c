#include "vrrp/advert_image.h"

#include <stdlib.h>
#include <string.h>

enum {
    ADDRESSES_MAXIMUM_IPV6 = 77,
};

static size_t address_size(const struct advert_image *image)
{
    return image->family == 4 ? 4 : 16;
}

void advert_image_forget(struct advert_image *image)
{
    free(image->message);
    *image = (struct advert_image){0};
}

bool advert_image_start(struct advert_image *image, uint8_t family, size_t maximum)
{
    size_t limit = family == 4 ? VRRP_MAXIMUM_ADDRESSES : ADDRESSES_MAXIMUM_IPV6;
    advert_image_forget(image);
    image->family = family;
    image->address_limit = (uint8_t)(maximum < limit ? maximum : limit);
    image->message = malloc(VRRP_HEADER_SIZE + image->address_limit * address_size(image));
    return image->message != NULL;
}

void advert_image_add(struct advert_image *image, const struct ip_address *address)
{
    size_t size = address_size(image);
    if (image->address_count == image->address_limit || address->family != image->family)
        return;
    memcpy(image->message + VRRP_HEADER_SIZE + image->address_count++ * size, address->bytes,
           size);
    image->addresses_sum = vrrp_checksum_add(image->addresses_sum, address->bytes, size);
}

struct bytes advert_image_message(struct advert_image *image,
                                  const struct vrrp_packet *packet,
                                  const struct vrrp_envelope *envelope)
{
    struct vrrp_packet whole = *packet;
    if (image->address_count == 0)
        return (struct bytes){0};
    whole.address_count = image->address_count;
    vrrp_packet_write_header(&whole, envelope, image->addresses_sum, image->message);
    return (struct bytes){image->message,
                          VRRP_HEADER_SIZE + image->address_count * address_size(image)};
}
