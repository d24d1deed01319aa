/* One line per fact on stderr: LEVEL process: text. Called at the edges only, never by pure
 * cores. */
#ifndef LBNODE_BASE_LOG_H
#define LBNODE_BASE_LOG_H

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_ERROR
};

/* PROCESS names the writer ("supervisor", "vrrp", ...). Call once per process, with stderr
 * in place: a terminal gets no priorities. */
void log_open(const char *process, enum log_level minimum);
/* Text is escaped: a stranger's bytes never make a second line. */
void log_write(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
