#include "lbnode/base/release.h"

unsigned release_protocol(void)
{
    return LBNODE_PROTOCOL;
}
