#include "lbnode/node/vouch_file.h"

#include "lbnode/base/log.h"
#include "lbnode/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    PATH_SIZE = 512,
    /* Each line: an id and addresses, each with a separator. */
    FILE_MAXIMUM =
        VOUCH_FILE_NODES * (UUID_TEXT_SIZE + VRRP_SOURCES_MAXIMUM * IP_ADDRESS_TEXT_SIZE)
};

static bool parse_line(char *line, struct message_vrrp_vouched *out)
{
    char *word = strsep(&line, " ");
    *out = MESSAGE_OF(VRRP_VOUCHED, struct message_vrrp_vouched);
    if (!uuid_parse(word, &out->node_id))
        return false;
    while ((word = strsep(&line, " "))) {
        if (out->count == VRRP_SOURCES_MAXIMUM ||
            !ip_address_parse(word, &out->addresses[out->count++]))
            return false;
    }
    return true;
}

bool vouch_file_parse(char *text, struct vouch_list *list)
{
    list->count = 0;
    for (char *end; (end = strchr(text, '\n')); text = end + 1) {
        *end = '\0';
        if (list->count == VOUCH_FILE_NODES || !parse_line(text, &list->nodes[list->count++])) {
            list->count = 0;
            return false;
        }
    }
    if (*text)
        list->count = 0; /* a line without its end was cut off */
    return !*text;
}

void vouch_file_read(const char *state_dir, struct vouch_list *list)
{
    char path[PATH_SIZE], text[FILE_MAXIMUM + 1];
    list->count = 0;
    snprintf(path, sizeof(path), "%s/vouched", state_dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    ssize_t size = read(fd, text, sizeof(text));
    close(fd);
    bool fits = size >= 0 && size <= FILE_MAXIMUM;
    text[fits ? size : 0] = '\0';
    if (!fits || strlen(text) != (size_t)size || !vouch_file_parse(text, list))
        log_warning("%s is damaged; adverts of other nodes count when they answer by gossip",
                    path);
}

static void print(const struct vouch_list *list, struct text *out)
{
    char id[UUID_TEXT_SIZE], address[IP_ADDRESS_TEXT_SIZE];
    for (size_t i = 0; i < list->count; i++) {
        uuid_format(&list->nodes[i].node_id, id);
        text_append_string(out, id);
        for (uint32_t k = 0; k < list->nodes[i].count; k++) {
            ip_address_format(&list->nodes[i].addresses[k], address);
            text_appendf(out, " %s", address);
        }
        text_append_string(out, "\n");
    }
}

int vouch_file_write(const char *state_dir, const struct vouch_list *list)
{
    char path[PATH_SIZE], temporary[PATH_SIZE + 8];
    struct text text = {.limit = FILE_MAXIMUM};
    print(list, &text);
    snprintf(path, sizeof(path), "%s/vouched", state_dir);
    snprintf(temporary, sizeof(temporary), "%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    ssize_t written = fd >= 0 ? write(fd, text_string(&text), text.length) : -1;
    int rv = written == (ssize_t)text.length ? 0 : fd < 0 || written < 0 ? -errno : -ENOSPC;
    if (rv == 0 && fsync(fd) != 0) /* or a crash may leave the new name without its content */
        rv = -errno;
    if (fd >= 0)
        close(fd);
    if (rv == 0 && rename(temporary, path) != 0)
        rv = -errno;
    text_free(&text);
    return rv;
}
