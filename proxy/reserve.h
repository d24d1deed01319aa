/* A descriptor that is kept for nothing but to be given up when there is none left: with it a
 * client can be accepted and told that there is no room, instead of waiting for nobody. */
#ifndef PROXY_RESERVE_H
#define PROXY_RESERVE_H

/* Takes a further descriptor of the file of FD into *RESERVE, unless it has one already. */
void reserve_refill(int *reserve, int fd);
void reserve_release(int *reserve); /* idempotent; *RESERVE is -1 afterwards */

#endif
