#include "tests/unit/proxy/script.h"

#include "lbnode/base/bytes.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/world.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum who {
    CLIENT,
    MEMBER,
    OTHER,
    PARTIES
};

static struct {
    struct world world;
    int listening[PARTIES]; /* members only */
    int fds[PARTIES];       /* who talks now; -1: nobody */
} stage;

static int listen_anywhere(struct ip_endpoint *out)
{
    struct sockaddr_storage address;
    struct ip_endpoint endpoint = image_loopback(0);
    socklen_t size = ip_endpoint_to_sockaddr(&endpoint, &address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 16), 0);
    size = sizeof(address);
    getsockname(fd, (struct sockaddr *)&address, &size);
    assert_true(ip_endpoint_from_sockaddr((struct sockaddr *)&address, out));
    return fd;
}

static bool names_other(const struct script_step *steps)
{
    for (; steps->act != SCRIPT_END; steps++) {
        if (steps->act == OTHER_ACCEPTS)
            return true;
    }
    return false;
}

int script_setup(void **state)
{
    world_start(&stage.world);
    for (enum who who = MEMBER; who <= OTHER; who++)
        stage.listening[who] =
            listen_anywhere(&stage.world.image.members[who - MEMBER].endpoint);
    if (!names_other(*state))
        stage.world.image.members[1].enabled = 0;
    world_apply(&stage.world);
    stage.fds[CLIENT] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    stage.fds[MEMBER] = stage.fds[OTHER] = -1;
    return 0;
}

int script_teardown(void **state)
{
    for (enum who who = CLIENT; who < PARTIES; who++) {
        if (stage.fds[who] >= 0)
            close(stage.fds[who]);
        if (who != CLIENT)
            close(stage.listening[who]);
    }
    world_stop(&stage.world);
    return 0;
}

static void await_input(int fd, const char *text)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    if (poll(&poll_fd, 1, WORLD_PATIENCE_MS) != 1)
        fail_msg("nothing comes: \"%s\"", text ? text : "the end");
}

static void no_delay(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* The client connects when it first speaks. */
static void say(enum who who, const char *text)
{
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(&stage.world.http, &address);
    size_t length = strlen(text);
    if (who == CLIENT && connect(stage.fds[CLIENT], (struct sockaddr *)&address, size) == 0)
        no_delay(stage.fds[CLIENT]);
    assert_int_equal(send(stage.fds[who], text, length, MSG_NOSIGNAL), length);
}

static void hear(enum who who, const char *text)
{
    char heard[4096] = "";
    size_t size = 0, wanted = strlen(text);
    while (size < wanted) {
        await_input(stage.fds[who], text);
        ssize_t got = recv(stage.fds[who], heard + size, wanted - size, 0);
        if (got <= 0)
            fail_msg("ends after \"%s\" instead of \"%s\"", heard, text);
        size += (size_t)got;
        if (memcmp(heard, text, size) != 0)
            fail_msg("says \"%s\" instead of \"%s\"", heard, text);
    }
}

/* True if it came by a reset. */
static bool meet_end(enum who who)
{
    char byte[2] = "";
    await_input(stage.fds[who], NULL);
    ssize_t got = recv(stage.fds[who], byte, 1, 0);
    if (got > 0)
        fail_msg("says \"%s\" instead of ending", byte);
    assert_true(got == 0 || errno == ECONNRESET);
    return got < 0;
}

static void leave(enum who who, bool by_reset)
{
    struct linger reset = {.l_onoff = by_reset, .l_linger = 0};
    setsockopt(stage.fds[who], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(stage.fds[who]);
    stage.fds[who] = -1;
}

static void accept_next(enum who who)
{
    await_input(stage.listening[who], "a connection");
    if (stage.fds[who] >= 0)
        close(stage.fds[who]);
    stage.fds[who] = accept4(stage.listening[who], NULL, NULL, SOCK_CLOEXEC);
    no_delay(stage.fds[who]);
}

static void assert_nothing_is_left(void)
{
    for (enum who who = CLIENT; who < PARTIES; who++) {
        char byte[2] = "";
        if (stage.fds[who] >= 0 && recv(stage.fds[who], byte, 1, MSG_DONTWAIT) > 0)
            fail_msg("%d got \"%s\" too", (int)who, byte);
        if (who != CLIENT)
            assert_int_equal(accept4(stage.listening[who], NULL, NULL, SOCK_NONBLOCK), -1);
    }
}

static void do_step(const struct script_step *step)
{
    switch (step->act) {
    case SCRIPT_END: break;
    case CLIENT_SAYS: say(CLIENT, step->text); break;
    case CLIENT_HEARS: hear(CLIENT, step->text); break;
    case CLIENT_ENDS: shutdown(stage.fds[CLIENT], SHUT_WR); break;
    case CLIENT_RESETS: leave(CLIENT, true); break;
    case CLIENT_MEETS_END: assert_false(meet_end(CLIENT)); break;
    case CLIENT_MEETS_RESET: assert_true(meet_end(CLIENT)); break;
    case MEMBER_ACCEPTS: accept_next(MEMBER); break;
    case MEMBER_SAYS: say(MEMBER, step->text); break;
    case MEMBER_HEARS: hear(MEMBER, step->text); break;
    case MEMBER_CLOSES: leave(MEMBER, false); break;
    case MEMBER_RESETS: leave(MEMBER, true); break;
    case MEMBER_MEETS_END: assert_false(meet_end(MEMBER)); break;
    case MEMBER_MEETS_RESET: assert_true(meet_end(MEMBER)); break;
    case MEMBER_IS_LEFT: meet_end(MEMBER); break;
    case OTHER_ACCEPTS: accept_next(OTHER); break;
    case OTHER_SAYS: say(OTHER, step->text); break;
    case OTHER_HEARS: hear(OTHER, step->text); break;
    }
}

void script_play(void **state)
{
    for (const struct script_step *step = *state; step->act != SCRIPT_END; step++)
        do_step(step);
    assert_nothing_is_left();
}
