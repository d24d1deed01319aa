#include "health/prober.h"

#include <stdlib.h>

struct prober *prober_new(struct loop *loop)
{
    struct prober *prober = malloc(sizeof(*prober));
    if (prober)
        prober->loop = loop;
    return prober;
}

void prober_free(struct prober *prober)
{
    free(prober);
}
