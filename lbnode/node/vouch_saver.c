#include "lbnode/node/vouch_saver.h"

#include "lbnode/base/log.h"

#include <string.h>

static int write_list(void *argument)
{
    const struct vouch_saver *saver = argument;
    return vouch_file_write(saver->state_dir, &saver->written);
}

static void written(void *argument, int result)
{
    struct vouch_saver *saver = argument;
    saver->writes = false;
    if (result != 0)
        log_warning("cannot write %s/vouched: %s", saver->state_dir, strerror(-result));
    vouch_saver_save(saver);
}

void vouch_saver_save(struct vouch_saver *saver)
{
    const struct errand errand = {write_list, written, saver};
    if (!saver->wanted || saver->writes)
        return;
    saver->written = *saver->list;
    saver->writes = saver->start(saver->context, &errand);
    saver->wanted = !saver->writes;
}
