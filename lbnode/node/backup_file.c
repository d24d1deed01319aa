#include "lbnode/node/backup_file.h"

#include "lbnode/base/uuid.h"
#include "lbnode/base/wire.h"
#include "lbnode/crypto/crypto.h"
#include "lbnode/crypto/passphrase_box.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* ---- passphrase ------------------------------------------------------------------------- */

static bool read_line(FILE *file, char out[PASSPHRASE_SIZE])
{
    if (!fgets(out, PASSPHRASE_SIZE, file))
        return false;
    out[strcspn(out, "\r\n")] = '\0';
    return true;
}

static bool ask(FILE *terminal, const char *question, char out[PASSPHRASE_SIZE])
{
    struct termios before, silent;
    bool is_terminal = tcgetattr(fileno(terminal), &before) == 0;
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    fprintf(stderr, "%s: ", question);
    if (is_terminal)
        tcsetattr(fileno(terminal), TCSAFLUSH, &silent);
    bool got = read_line(terminal, out);
    if (is_terminal)
        tcsetattr(fileno(terminal), TCSAFLUSH, &before);
    fprintf(stderr, "\n");
    return got;
}

static bool ask_for_it(bool twice, char out[PASSPHRASE_SIZE], struct error *error)
{
    char again[PASSPHRASE_SIZE] = "";
    FILE *terminal = fopen("/dev/tty", "r+e");
    if (!terminal)
        return error_set(error, ERROR_USAGE,
                         "no terminal to ask for a passphrase: give --passphrase-file FILE");
    bool got = ask(terminal, "passphrase", out) && (!twice || ask(terminal, "again", again));
    fclose(terminal);
    bool same = !twice || strcmp(out, again) == 0;
    secret_wipe(again, sizeof(again));
    if (got && !same)
        return error_set(error, ERROR_USAGE, "the two passphrases differ");
    return got || error_set(error, ERROR_USAGE, "no passphrase was given");
}

bool backup_read_passphrase(const char *path,
                            bool twice,
                            char out[PASSPHRASE_SIZE],
                            struct error *error)
{
    if (path) {
        FILE *file = fopen(path, "re");
        bool got = file && read_line(file, out);
        if (!got)
            error_set(error, ERROR_USAGE, "the passphrase file %s cannot be read: %s", path,
                      file ? "it is empty" : strerror(errno));
        if (file)
            fclose(file);
        if (!got)
            return false;
    } else if (!ask_for_it(twice, out, error)) {
        return false;
    }
    return strlen(out) >= PASSPHRASE_MINIMUM ||
           error_set(error, ERROR_USAGE, "the passphrase should have at least %d characters",
                     PASSPHRASE_MINIMUM);
}

/* ---- file ------------------------------------------------------------------------------- */

static bool write_whole(int fd, struct bytes content)
{
    while (content.size > 0) {
        ssize_t written = write(fd, content.data, content.size);
        if (written <= 0)
            return false;
        content.data += written;
        content.size -= (size_t)written;
    }
    return fsync(fd) == 0;
}

static void sync_directory_of(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

bool backup_file_write(const char *path, struct bytes content, struct error *error)
{
    char temporary[PATH_MAX];
    snprintf(temporary, sizeof(temporary), "%s.new", path);
    unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool written = fd >= 0 && write_whole(fd, content) && rename(temporary, path) == 0;
    int number = errno;
    if (fd >= 0)
        close(fd);
    if (!written) {
        unlink(temporary);
        return error_set(error, ERROR_INVALID, "%s cannot be written: %s", path,
                         strerror(number));
    }
    sync_directory_of(path);
    return true;
}

bool backup_file_read(const char *path, size_t maximum, struct bytes *out, struct error *error)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0 || status.st_size < 0 ||
        (uint64_t)status.st_size > maximum) {
        error_set(error, ERROR_NOT_FOUND, "%s cannot be read: %s", path,
                  fd < 0 ? strerror(errno) : "it is too large");
        if (fd >= 0)
            close(fd);
        return false;
    }
    size_t size = (size_t)status.st_size, at = 0;
    uint8_t *bytes = malloc(size + 1);
    while (bytes && at < size) {
        ssize_t got = read(fd, bytes + at, size - at);
        if (got <= 0)
            break;
        at += (size_t)got;
    }
    close(fd);
    *out = (struct bytes){bytes, at};
    return bytes || error_set(error, ERROR_INTERNAL, "out of memory");
}

/* ---- fit -------------------------------------------------------------------------------- */

static bool is_in_roster(struct bytes content, const char *node_id)
{
    struct wire_reader reader = wire_reader_of(content);
    struct wire_field field;
    size_t size = strlen(node_id);
    while (wire_next(&reader, &field))
        if (field.number == BACKUP_ROSTER && field.bytes.size > size &&
            memcmp(field.bytes.data, node_id, size) == 0)
            return true;
    return false;
}

bool backup_fits_node(const struct client *client, struct bytes content, struct error *error)
{
    struct response response;
    bool good = client_request(client, "GET", "/v1/cluster", NULL, &response, error);
    const struct json_value *cluster = json_value_get(response.json, "cluster");
    const char *node_id = json_value_get_text(cluster, "node_id");
    if (good && !json_value_truth(json_value_get(cluster, "initialised")) &&
        (!node_id || !is_in_roster(content, node_id)))
        good = error_set(error, ERROR_REFUSED,
                         "this node is in no cluster, and the backup does not know it: put "
                         "back the node.key of a node that it knows, or restore on a member "
                         "of the cluster");
    response_free(&response);
    return good;
}
