/* Is a whole change set that was not made of API requests as good as if it had been? */
#ifndef LBNODE_MODEL_UNDO_CHECK_H
#define LBNODE_MODEL_UNDO_CHECK_H

#include "lbnode/model/configuration.h"

/* Tries CHANGES on a copy of CONFIGURATION, with the checks of a local write: deletions first,
 * the others in whatever order works. False with the first ERROR that is left. */
bool configuration_check_changes(const struct configuration *configuration,
                                 const struct change_set *changes,
                                 struct error *error);

#endif
