/* Settings of this host: defaults, then /etc/lbnode/node.yaml, then the options of `lbnode
 * run`. One table in settings.c gives the options, the YAML keys and the help. Everything that
 * the nodes share is not here but in the replicated configuration. */
#ifndef LBNODE_NODE_SETTINGS_H
#define LBNODE_NODE_SETTINGS_H

#include "lbnode/base/error.h"
#include "lbnode/base/ip_address.h"
#include "lbnode/base/log.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SETTINGS_PATH_SIZE = 256,
    SETTINGS_NAME_SIZE = 64,
    SETTINGS_MAXIMUM_ADDRESSES = 4,
    SETTINGS_GOSSIP_PORT = 7850,
    SETTINGS_API_PORT = 9876,
    SETTINGS_CHECK_SIZE = 256,
};

struct node_settings {
    char config_path[SETTINGS_PATH_SIZE];
    bool config_required; /* named by the user: it must exist */
    char state_dir[SETTINGS_PATH_SIZE];
    char run_dir[SETTINGS_PATH_SIZE];
    char name[SETTINGS_NAME_SIZE];
    struct ip_endpoint addresses[SETTINGS_MAXIMUM_ADDRESSES]; /* peers reach us there */
    size_t address_count;
    struct ip_endpoint gossip_listen;
    struct ip_endpoint api_listen; /* family 0: none */
    char interface[IFNAMSIZ];      /* for groups that name none; "" = by subnet */
    uint32_t worker_count;
    char user[SETTINGS_NAME_SIZE];           /* "" = the account lbnode if it exists */
    uint32_t buffer_memory_mib;              /* 0: a quarter of the host's memory */
    uint32_t history_days, history_mib;      /* 0: no limit */
    char check_command[SETTINGS_CHECK_SIZE]; /* "" = none */
    uint32_t check_interval_ms;
    enum log_level log_level;
    bool help; /* --help was given: nothing else counts */
};

/* What the defaults depend on, so that tests can say it. */
struct settings_surroundings {
    bool is_root;
    const char *home, *xdg_state_home, *xdg_runtime_dir; /* NULL: not set */
    char hostname[SETTINGS_NAME_SIZE];
    uint32_t online_cores;
};

void settings_surroundings_read(struct settings_surroundings *out);

/* Arguments after `run`. ERROR_USAGE with one sentence when something is wrong; OUT is not to
 * be used then. */
bool settings_load(struct node_settings *out,
                   const struct settings_surroundings *surroundings,
                   int argc,
                   const char *const *argv,
                   struct error *error);
/* Keys of one YAML document; SOURCE names it in sentences. */
bool settings_read_yaml(struct node_settings *settings,
                        const char *source,
                        const char *data,
                        size_t size,
                        struct error *error);
/* Addresses and listen endpoint where none was given: looks at the interfaces of this host. */
void settings_complete_addresses(struct node_settings *settings);
/* The text of `lbnode run --help` on stdout. */
void settings_print_help(void);

#endif
