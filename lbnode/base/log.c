#include "lbnode/base/log.h"

#include "lbnode/base/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static const char *process_name = "lbnode";
static enum log_level minimum_level = LOG_LEVEL_INFO;
static bool on_terminal;

void log_open(const char *process, enum log_level minimum)
{
    process_name = process;
    minimum_level = minimum;
    on_terminal = isatty(STDERR_FILENO);
}

void log_write(enum log_level level, const char *format, ...)
{
    /* The prefix is what journald reads as the priority (sd-daemon(3)). */
    static const char *const prefixes[] = {"<7>", "<6>", "<4>", "<3>"};
    char line[1024];
    va_list args;
    if (level < minimum_level)
        return;
    int used = snprintf(line, sizeof(line), "%s%s: ", prefixes[level], process_name);
    va_start(args, format);
    int size = vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, args);
    va_end(args);
    if (size < 0)
        return;
    size += used;
    if (size > (int)sizeof(line) - 2)
        size = (int)sizeof(line) - 2;
    line[size] = '\0';
    text_disarm(line + used);
    line[size++] = '\n';
    int skip = on_terminal ? 3 : 0;
    if (write(STDERR_FILENO, line + skip, (size_t)(size - skip)) < 0)
        return; /* nowhere left to report to */
}
