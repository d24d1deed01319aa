/* What the proxy runs short of. Workers note it where they meet it, as often as they like; the
 * main thread learns of the beginning and the end of each shortage, once. */
#ifndef PROXY_STRAIN_H
#define PROXY_STRAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* name, what there is too little of, what to do about it */
#define STRAINS(ROW)                                                                           \
    ROW(DESCRIPTORS, "file descriptors", "raise LimitNOFILE")                                  \
    ROW(PLACES, "places for clients", "raise LimitNOFILE; half of it is for clients")          \
    ROW(MEMORY, "memory of the host", "see what takes it")                                     \
    ROW(BUFFERS, "buffer memory", "raise buffer_memory, or see who reads slowly")

enum strain_kind {
#define STRAIN_NAME(name, what, remedy) STRAIN_##name,
    STRAINS(STRAIN_NAME)
#undef STRAIN_NAME
    STRAIN_COUNT
};

enum {
    STRAIN_QUIET_MS = 5000 /* without a word of it, a shortage is over */
};

enum strain_news {
    STRAIN_NO_NEWS,
    STRAIN_BEGAN,
    STRAIN_OVER
};

/* Zero at first. */
struct strain {
    _Atomic uint64_t last_ms;
    _Atomic bool is_known; /* the main thread has been, or is being, told */
    bool is_told;          /* main thread only, as is what follows */
    uint64_t began_ms;
};

/* From any thread. True when the main thread is to be woken. */
bool strain_note(struct strain *strain, uint64_t now_ms);
/* Main thread: what is new. While `is_told`, it has to ask again now and then. */
enum strain_news strain_look(struct strain *strain, uint64_t now_ms);
const char *strain_what(enum strain_kind kind);
const char *strain_remedy(enum strain_kind kind);

#endif
