/* What the proxy process may ask of the kernel: its sockets, memory, time, and no more. */
#ifndef PROXY_SANDBOX_H
#define PROXY_SANDBOX_H

#include <stdbool.h>

/* Confines all threads of the process for good. Opening a file, starting a program or a
 * process, and looking at another process end the process; anything else that is not on the
 * list fails with EPERM. True also in a build with a sanitizer, which needs more than that: it
 * is not confined then. False with errno when the kernel refuses; the process is as it was. */
bool sandbox_enter(void);
/* Whether this build confines at all. */
bool sandbox_is_built(void);

#endif
