/* What this build is, as other nodes see it. */
#ifndef LBNODE_BASE_RELEASE_H
#define LBNODE_BASE_RELEASE_H

/* The newest replication protocol that it speaks (docs/protocol.md): the build option
 * `protocol`. With 1 it behaves as the version before sessions did. */
unsigned release_protocol(void);
const char *release_version(void); /* "0.1.0" */

#endif
