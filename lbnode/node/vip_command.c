#include "lbnode/node/vip_command.h"

#include "lbnode/base/error.h"
#include "lbnode/base/json_value.h"
#include "vrrp/vrrp.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct result {
    struct json_value *released;
    bool print; /* a line for each, as it goes */
    int first_error;
    char first_address[IP_ADDRESS_TEXT_SIZE];
};

static void
note(void *context, const struct ip_address *address, unsigned interface_index, int result)
{
    struct result *all = context;
    char text[IP_ADDRESS_TEXT_SIZE], name[IF_NAMESIZE] = "?";
    ip_address_format(address, text);
    if_indextoname(interface_index, name);
    if (result != 0) {
        if (all->first_error == 0)
            memcpy(all->first_address, text, sizeof(text));
        all->first_error = all->first_error ? all->first_error : result;
        return;
    }
    if (all->print)
        printf("%s removed from %s\n", text, name);
    struct json_value *entry = json_value_object();
    json_value_set_text(entry, "address", text);
    json_value_set_text(entry, "interface", name);
    json_value_append(all->released, entry);
}

static int fail(const char *what, const char *address, int result)
{
    const char *remedy = result == -EPERM ? "; run this as root" : "";
    fprintf(stderr, "lbnode: %s%s: %s%s\n", what, address, strerror(-result), remedy);
    return error_exit_code(result == -EPERM ? ERROR_REFUSED : ERROR_INTERNAL);
}

static int release(bool as_json)
{
    struct result all = {.released = json_value_array(), .print = !as_json};
    int rv = vip_release(note, &all);
    if (as_json) {
        struct json_value *root = json_value_object();
        json_value_set(root, "released", all.released);
        char *text = json_value_print(root, 2);
        printf("%s\n", text ? text : "");
        free(text);
        json_value_free(root);
    } else {
        json_value_free(all.released);
    }
    if (rv != 0)
        return fail("the addresses cannot be read", "", rv);
    return all.first_error ? fail("cannot remove ", all.first_address, all.first_error) : 0;
}

int vip_command(int argc, char **argv)
{
    bool as_json = argc == 3 && strcmp(argv[1], "-o") == 0 && strcmp(argv[2], "json") == 0;
    bool plain = argc == 1;
    if (argc == 0 || strcmp(argv[0], "release") != 0 || (!plain && !as_json)) {
        fprintf(stderr, "usage: lbnode vip release [-o json]\n");
        return 2;
    }
    return release(as_json);
}
