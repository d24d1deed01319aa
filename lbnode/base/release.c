#include "lbnode/base/release.h"

unsigned release_protocol(void)
{
    return LBNODE_PROTOCOL;
}

const char *release_version(void)
{
    return LBNODE_VERSION;
}
