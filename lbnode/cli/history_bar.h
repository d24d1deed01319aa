/* The results of a member's last probes as one line for people. */
#ifndef LBNODE_CLI_HISTORY_BAR_H
#define LBNODE_CLI_HISTORY_BAR_H

#include "lbnode/base/text.h"

#include <stdbool.h>

/* HISTORY as the API tells it: '1' for a success, '0' for a failure, the oldest first; anything
 * else is left out. */
void history_bar_write(const char *history, bool unicode, struct text *out);
/* What its two marks mean. */
const char *history_bar_legend(bool unicode);
/* May standard output get more than ASCII: a terminal of a UTF-8 locale? */
bool history_bar_may_be_unicode(void);

#endif
