#include "lbnode/node/recover_command.h"

#include "lbnode/crypto/crypto.h"
#include "lbnode/node/db_command.h"
#include "replication/recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum {
    CODE_SIZE = 256, /* a line; the code and its dashes need less */
    ATTEMPTS = 3     /* on a terminal; a program has one */
};

static int fail(const struct error *error)
{
    fprintf(stderr, "lbnode: %s\n", error->text);
    return error_exit_code(error->kind);
}

/* ---- the code --------------------------------------------------------------------------- */

/* Byte by byte, so that nothing of it stays in a buffer elsewhere. */
static bool read_line(int fd, char out[CODE_SIZE])
{
    size_t size = 0;
    ssize_t got = 0;
    while (size < CODE_SIZE - 1) {
        got = read(fd, out + size, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || out[size] == '\n')
            break;
        size += out[size] != '\r' && out[size] != ' ';
    }
    out[size] = '\0';
    return size > 0;
}

static bool ask(int terminal, char out[CODE_SIZE])
{
    struct termios before, silent;
    bool is_known = tcgetattr(terminal, &before) == 0;
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    fprintf(stderr, "recovery code: ");
    if (is_known)
        tcsetattr(terminal, TCSAFLUSH, &silent);
    bool got = read_line(terminal, out);
    if (is_known)
        tcsetattr(terminal, TCSAFLUSH, &before);
    fprintf(stderr, "\n");
    return got;
}

static struct sign_key *
take_code(const struct recovery *recovery, char code[CODE_SIZE], struct error *error)
{
    if (!isatty(STDIN_FILENO)) {
        if (read_line(STDIN_FILENO, code))
            return recovery_read_code(recovery, code, error);
        error_set(error, ERROR_USAGE, "no recovery code was given");
        return NULL;
    }
    for (int left = ATTEMPTS; left > 0; left--) {
        if (!ask(STDIN_FILENO, code)) {
            error_set(error, ERROR_USAGE, "no recovery code was given");
            return NULL;
        }
        struct sign_key *root = recovery_read_code(recovery, code, error);
        if (root || left == 1)
            return root;
        fprintf(stderr, "lbnode: %s\n", error->text);
    }
    return NULL;
}

static struct sign_key *read_root(const struct recovery *recovery, struct error *error)
{
    char *code = secret_allocate(CODE_SIZE);
    struct sign_key *root = take_code(recovery, code, error);
    secret_free(code);
    return root;
}

/* ---- the command ------------------------------------------------------------------------ */

static void tell(const struct recovery_report *report, const char *state_dir)
{
    printf("this is now the new node %s of cluster %s, and the only one; %zu node%s out, its "
           "old self among them\n",
           report->node_name, report->cluster_name, report->removed,
           report->removed == 1 ? " went" : "s went");
    if (!report->has_keys)
        printf("the key that secrets are sealed with did not open: give their payloads again, "
               "lbnode secret set\n");
    if (report->was_credential)
        printf("its key is in %s/node.key now; make a new credential of it before the start, "
               "the old one opens nothing any more\n",
               state_dir);
    printf("start it; then, for each other node: stop it, move its state directory away, start "
           "it, lbnode token create here, lbnode join TOKEN there\n");
}

static int recover(const char *state_dir, bool force)
{
    struct error error = {0};
    struct recovery_report report;
    struct recovery *recovery = recovery_open(state_dir, force, &error);
    if (!recovery)
        return fail(&error);
    struct sign_key *root = read_root(recovery, &error);
    bool done = root && recovery_make(recovery, root, &report, &error);
    sign_key_free(root);
    recovery_close(recovery);
    if (!done)
        return fail(&error);
    tell(&report, state_dir);
    return 0;
}

int recover_command(int argc, char **argv)
{
    struct node_settings settings;
    struct error error = {0};
    bool force = false;
    int kept = 0;
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--force") == 0)
            force = true;
        else
            argv[kept++] = argv[i];
    crypto_start();
    int lock = db_lock_stopped_node(&settings, kept, argv, &error);
    if (lock < 0)
        return fail(&error);
    int status = recover(settings.state_dir, force);
    close(lock);
    return status;
}
