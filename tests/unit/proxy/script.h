/* A conversation over a running proxy, byte by byte: one client and two members that do what a
 * script says. Nobody here parses HTTP: what arrives is compared with what the script expects.
 */
#ifndef TESTS_UNIT_PROXY_SCRIPT_H
#define TESTS_UNIT_PROXY_SCRIPT_H

#include <stdbool.h>

enum script_act {
    SCRIPT_END, /* of the script: nothing is left unread anywhere */
    CLIENT_SAYS,
    CLIENT_HEARS,
    CLIENT_ENDS,   /* closes its own direction */
    CLIENT_RESETS, /* goes away */
    CLIENT_MEETS_END,
    CLIENT_MEETS_RESET,
    MEMBER_ACCEPTS, /* the next connection; what follows is about it */
    MEMBER_SAYS,
    MEMBER_HEARS,
    MEMBER_CLOSES,
    MEMBER_RESETS,
    MEMBER_MEETS_END,
    MEMBER_MEETS_RESET,
    MEMBER_IS_LEFT, /* by the one or the other */
    OTHER_ACCEPTS,  /* the second member, which is not there unless a script names it */
    OTHER_SAYS,
    OTHER_HEARS,
};

struct script_step {
    enum script_act act;
    const char *text;
};

/* Steps of a script as a cmocka test; setup and teardown included. */
#define SCRIPT_TEST(steps)                                                                     \
    {                                                                                          \
#        steps, script_play, script_setup, script_teardown, (void *)(uintptr_t)(steps)         \
    }

int script_setup(void **state);
void script_play(void **state);
int script_teardown(void **state);

#endif
