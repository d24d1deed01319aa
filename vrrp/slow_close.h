/* Closing what the kernel takes long to close: a packet socket waits until no processor looks
 * at it any more, 10 to 16 ms, in which no advert would be sent. */
#ifndef VRRP_SLOW_CLOSE_H
#define VRRP_SLOW_CLOSE_H

/* Takes FD over; it is closed soon, by a thread of its own that ends with it, or at once where
 * there can be none. */
void slow_close(int fd);

#endif
