#include "replication/node_key.h"

#include "lbnode/base/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two lines: "node_id UUID" and "sign_seed HEX". */
enum {
    FILE_MAXIMUM = 256
};

static void directory_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    snprintf(out, PATH_MAX, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
}

static bool sync_directory_of(const char *path)
{
    char directory[PATH_MAX];
    directory_of(path, directory);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return synced;
}

static bool write_file(const char *path, const char *text)
{
    char temporary[PATH_MAX];
    if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
        return false;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    size_t size = strlen(text);
    bool written =
        fchmod(fd, 0600) == 0 && write(fd, text, size) == (ssize_t)size && fsync(fd) == 0;
    close(fd);
    return written && rename(temporary, path) == 0 && sync_directory_of(path);
}

static bool write_key(const char *path, const struct uuid *node_id, const struct sign_key *key)
{
    uint8_t seed[SIGN_SEED_SIZE];
    char id[UUID_TEXT_SIZE], hex[2 * SIGN_SEED_SIZE + 1], text[FILE_MAXIMUM];
    uuid_format(node_id, id);
    sign_key_seed(key, seed);
    bytes_to_hex((struct bytes){seed, sizeof(seed)}, hex);
    snprintf(text, sizeof(text), "node_id %s\nsign_seed %s\n", id, hex);
    bool written = write_file(path, text);
    secret_wipe(seed, sizeof(seed));
    secret_wipe(hex, sizeof(hex));
    secret_wipe(text, sizeof(text));
    return written;
}

static struct sign_key *make(const char *path, struct uuid *out_node_id, struct error *error)
{
    struct sign_key *key = sign_key_generate();
    *out_node_id = uuid_random();
    if (write_key(path, out_node_id, key))
        return key;
    error_set(error, ERROR_REFUSED, "%s cannot be written: %s", path, strerror(errno));
    sign_key_free(key);
    return NULL;
}

static struct sign_key *parse(const char *text, struct uuid *out_node_id)
{
    char id[UUID_TEXT_SIZE], hex[2 * SIGN_SEED_SIZE + 1];
    uint8_t seed[SIGN_SEED_SIZE];
    struct sign_key *key = NULL;
    if (sscanf(text, "node_id %36s sign_seed %64s", id, hex) == 2 &&
        uuid_parse(id, out_node_id) && bytes_from_hex(hex, seed, sizeof(seed)))
        key = sign_key_from_seed(seed);
    secret_wipe(seed, sizeof(seed));
    secret_wipe(hex, sizeof(hex));
    return key;
}

static struct sign_key *
read_key(int fd, const char *name, struct uuid *out_node_id, struct error *error)
{
    char text[FILE_MAXIMUM] = {0};
    ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
    struct sign_key *key = size > 0 ? parse(text, out_node_id) : NULL;
    secret_wipe(text, sizeof(text));
    if (!key)
        error_set(error, ERROR_REFUSED,
                  "%s is damaged; put it back from a backup, or move the state directory away "
                  "and join as a new node",
                  name);
    return key;
}

struct sign_key *node_key_read(int fd, struct uuid *out_node_id, struct error *error)
{
    return read_key(fd, "the credential node.key", out_node_id, error);
}

/* A file that somebody else could have put there is not this node's. */
static bool check_owner(const char *path, const struct stat *status, struct error *error)
{
    char directory[PATH_MAX];
    struct stat above;
    directory_of(path, directory);
    if (!S_ISREG(status->st_mode))
        return error_set(error, ERROR_REFUSED, "%s is no regular file", path);
    if (stat(directory, &above) != 0)
        return error_set(error, ERROR_REFUSED, "%s cannot be read: %s", directory,
                         strerror(errno));
    if (status->st_uid != above.st_uid)
        return error_set(error, ERROR_REFUSED,
                         "%s belongs to account %u, its directory to %u; if it is this node's, "
                         "run chown --reference=%s %s",
                         path, (unsigned)status->st_uid, (unsigned)above.st_uid, directory,
                         path);
    return (status->st_mode & 077) == 0 ||
           error_set(error, ERROR_REFUSED, "%s may be read by others; run chmod 600 %s", path,
                     path);
}

struct sign_key *node_key_open(const char *path, struct uuid *out_node_id, struct error *error)
{
    struct stat status;
    struct sign_key *key = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return make(path, out_node_id, error);
    if (fd < 0 || fstat(fd, &status) != 0)
        error_set(error, ERROR_REFUSED, "%s cannot be opened: %s", path, strerror(errno));
    else if (check_owner(path, &status, error))
        key = read_key(fd, path, out_node_id, error);
    if (fd >= 0)
        close(fd);
    return key;
}

/* ---- the key that follows --------------------------------------------------------------- */

static void next_of(const char *path, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s.new", path);
}

bool node_key_write_next(const char *path,
                         const struct uuid *node_id,
                         const struct sign_key *key,
                         struct error *error)
{
    char next[PATH_MAX];
    next_of(path, next);
    return write_key(next, node_id, key) ||
           error_set(error, ERROR_REFUSED, "%s cannot be written: %s", next, strerror(errno));
}

static struct sign_key *read_next(const char *path, struct uuid *out_node_id)
{
    char next[PATH_MAX];
    struct error ignored;
    next_of(path, next);
    return access(next, F_OK) == 0 ? node_key_open(next, out_node_id, &ignored) : NULL;
}

struct sign_key *node_key_read_next(const char *path, const struct uuid *node_id)
{
    struct uuid found;
    struct sign_key *key = read_next(path, &found);
    if (key && uuid_equal(&found, node_id))
        return key;
    sign_key_free(key);
    return NULL;
}

bool node_key_next_is_of(const char *path, struct uuid *out_node_id)
{
    struct sign_key *key = read_next(path, out_node_id);
    bool found = key != NULL;
    sign_key_free(key);
    return found;
}

struct sign_key *
node_key_find(const char *state_dir, struct uuid *out_node_id, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/node.key", state_dir);
    int credential = credential_open("node.key");
    if (credential < 0) {
        error_set(error, ERROR_REFUSED, "the credential node.key cannot be opened: %s",
                  strerror(-credential));
        return NULL;
    }
    if (credential == 0 && access(path, F_OK) != 0) {
        error_set(error, ERROR_NOT_FOUND,
                  "there is no node in %s; name its directory with --state-dir", state_dir);
        return NULL;
    }
    if (credential == 0)
        return node_key_open(path, out_node_id, error);
    struct sign_key *key = node_key_read(credential, out_node_id, error);
    close(credential);
    return key;
}

bool node_key_take_next(const char *path)
{
    char next[PATH_MAX];
    next_of(path, next);
    return rename(next, path) == 0 && sync_directory_of(path);
}

void node_key_drop_next(const char *path)
{
    char next[PATH_MAX];
    next_of(path, next);
    if (unlink(next) == 0)
        sync_directory_of(path);
}
