#include "lbnode/node/settings.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/parse_number.h"
#include "lbnode/base/text.h"
#include "lbnode/base/yaml_value.h"
#include "lbnode/model/counter_board.h"
#include "lbnode/node/local_address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct setting {
    const char *name; /* the option without "--"; the YAML key has '_' instead of '-' */
    const char *value_name;
    const char *help;
    bool (*set)(struct node_settings *settings, const char *value);
    const char *expected; /* ends the sentence "... is not " */
    bool only_option;
};

static bool copy_text(char *out, size_t size, const char *value)
{
    size_t length = strlen(value);
    if (length == 0 || length >= size || !text_is_clean_utf8(value, length))
        return false;
    memcpy(out, value, length + 1);
    return true;
}

static bool set_config(struct node_settings *settings, const char *value)
{
    settings->config_required = true;
    return copy_text(settings->config_path, sizeof(settings->config_path), value);
}

static bool set_state_dir(struct node_settings *settings, const char *value)
{
    return copy_text(settings->state_dir, sizeof(settings->state_dir), value);
}

static bool set_run_dir(struct node_settings *settings, const char *value)
{
    return copy_text(settings->run_dir, sizeof(settings->run_dir), value);
}

static bool set_name(struct node_settings *settings, const char *value)
{
    return !strpbrk(value, " \t/") && copy_text(settings->name, sizeof(settings->name), value);
}

static bool is_unspecified(const struct ip_address *address)
{
    static const uint8_t zero[16];
    return memcmp(address->bytes, zero, sizeof(zero)) == 0;
}

static bool add_address(struct node_settings *settings, const char *text)
{
    struct ip_endpoint *endpoint = &settings->addresses[settings->address_count];
    if (settings->address_count == SETTINGS_MAXIMUM_ADDRESSES)
        return false;
    if (!ip_address_parse(text, &endpoint->address)) {
        if (!ip_endpoint_parse(text, SETTINGS_GOSSIP_PORT, endpoint))
            return false;
    } else {
        endpoint->port = SETTINGS_GOSSIP_PORT;
    }
    settings->address_count++;
    return !is_unspecified(&endpoint->address);
}

static bool set_address(struct node_settings *settings, const char *value)
{
    char text[SETTINGS_MAXIMUM_ADDRESSES * (IP_ENDPOINT_TEXT_SIZE + 1)];
    char *rest = text, *item;
    if (!copy_text(text, sizeof(text), value))
        return false;
    settings->address_count = 0;
    while ((item = strsep(&rest, ",")))
        if (!add_address(settings, item))
            return false;
    return true;
}

static bool parse_listen(const char *value, uint16_t default_port, struct ip_endpoint *out)
{
    out->port = default_port;
    return ip_address_parse(value, &out->address) ||
           ip_endpoint_parse(value, default_port, out);
}

static bool set_listen_gossip(struct node_settings *settings, const char *value)
{
    return parse_listen(value, SETTINGS_GOSSIP_PORT, &settings->gossip_listen);
}

static bool set_api_listen(struct node_settings *settings, const char *value)
{
    if (strcmp(value, "none") == 0) {
        memset(&settings->api_listen, 0, sizeof(settings->api_listen));
        return true;
    }
    return parse_listen(value, SETTINGS_API_PORT, &settings->api_listen);
}

static bool set_interface(struct node_settings *settings, const char *value)
{
    return !strpbrk(value, " \t/") &&
           copy_text(settings->interface, sizeof(settings->interface), value);
}

static bool set_workers(struct node_settings *settings, const char *value)
{
    int64_t number;
    if (!parse_integer(value, 1, WORKERS_MAXIMUM, &number))
        return false;
    settings->worker_count = (uint32_t)number;
    return true;
}

static bool set_buffer_memory(struct node_settings *settings, const char *value)
{
    int64_t number;
    if (!parse_integer(value, 16, 1 << 20, &number))
        return false;
    settings->buffer_memory_mib = (uint32_t)number;
    return true;
}

static bool set_user(struct node_settings *settings, const char *value)
{
    return copy_text(settings->user, sizeof(settings->user), value);
}

static bool set_history_days(struct node_settings *settings, const char *value)
{
    int64_t number;
    if (!parse_integer(value, 0, 36500, &number))
        return false;
    settings->history_days = (uint32_t)number;
    return true;
}

static bool set_history_mib(struct node_settings *settings, const char *value)
{
    int64_t number;
    if (!parse_integer(value, 0, 8192, &number))
        return false;
    settings->history_mib = (uint32_t)number;
    return true;
}

/* Without a shell: a path and words. */
static bool set_check_command(struct node_settings *settings, const char *value)
{
    return value[0] == '/' &&
           copy_text(settings->check_command, sizeof(settings->check_command), value);
}

static bool set_check_interval(struct node_settings *settings, const char *value)
{
    int64_t number;
    if (!parse_integer(value, 1, 3600, &number))
        return false;
    settings->check_interval_ms = (uint32_t)number * 1000;
    return true;
}

static bool set_log_level(struct node_settings *settings, const char *value)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(value, names[i]) == 0) {
            settings->log_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static const struct setting table[] = {
    {"config", "FILE", "settings of this host (default /etc/lbnode/node.yaml)", set_config,
     "a file name", true},
    {"state-dir", "DIR", "keys and configuration (default /var/lib/lbnode)", set_state_dir,
     "a directory name"},
    {"run-dir", "DIR", "sockets and process numbers (default /run/lbnode)", set_run_dir,
     "a directory name"},
    {"name", "NAME", "name of this node (default: the host name)", set_name,
     "a name of 1 to 63 characters without blanks and slashes"},
    {"address", "ADDR[:PORT]", "where the other nodes reach this one (up to 4, with commas)",
     set_address, "an address like 10.0.0.5 or 10.0.0.5:7850 or [fd00::5]:7850"},
    {"listen-gossip", "ADDR[:PORT]", "where to listen for other nodes (default: everywhere)",
     set_listen_gossip, "an address like 0.0.0.0:7850 or [::]:7850"},
    {"api-listen", "ADDR[:PORT]", "serve the API on TCP too, usual port 9876 (default: none)",
     set_api_listen, "an address like 127.0.0.1:9876, or none"},
    {"interface", "IF", "interface for VIPs whose group names none (default: by subnet)",
     set_interface, "an interface name"},
    {"workers", "N", "threads of the proxy (default: cores online)", set_workers,
     "a whole number from 1 to 64"},
    {"buffer-memory", "MIB",
     "most that the proxy's buffers take (default: a quarter of the memory)", set_buffer_memory,
     "a whole number of MiB from 16 to 1048576"},
    {"user", "USER", "account of the unprivileged processes (default lbnode if it exists)",
     set_user, "an account name"},
    {"history-days", "DAYS",
     "how long replaced and deleted values stay (default 90; 0: forever)", set_history_days,
     "a whole number from 0 to 36500"},
    {"history-mib", "MIB", "or until all changes take that much (default 256; 0: no limit)",
     set_history_mib, "a whole number from 0 to 8192"},
    {"check-command", "PATH [WORD...]",
     "program that says by status 0 that this node may be active (default: none)",
     set_check_command, "the absolute path of a program, with arguments after blanks"},
    {"check-interval", "SECONDS", "how often it runs, and how long it may take (default 2)",
     set_check_interval, "a whole number of seconds from 1 to 3600"},
    {"log-level", "LEVEL", "debug, info, warning or error (default info)", set_log_level,
     "one of debug, info, warning, error"},
};

/* NAME with '-'; a YAML key has its '_' replaced before. */
static const struct setting *find_setting(const char *name, size_t length)
{
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0)
            return &table[i];
    }
    return NULL;
}

static void join(char out[SETTINGS_PATH_SIZE], const char *directory, const char *rest)
{
    snprintf(out, SETTINGS_PATH_SIZE, "%s%s", directory, rest);
}

static void set_defaults(struct node_settings *out,
                         const struct settings_surroundings *surroundings)
{
    memset(out, 0, sizeof(*out));
    join(out->config_path, "/etc/lbnode/node.yaml", "");
    join(out->state_dir, "/var/lib/lbnode", "");
    join(out->run_dir, "/run/lbnode", "");
    if (!surroundings->is_root) {
        const char *home = surroundings->home ? surroundings->home : "/tmp";
        if (surroundings->xdg_state_home)
            join(out->state_dir, surroundings->xdg_state_home, "/lbnode");
        else
            join(out->state_dir, home, "/.local/state/lbnode");
        out->run_dir[0] = '\0'; /* below the state directory unless somebody says otherwise */
        if (surroundings->xdg_runtime_dir)
            join(out->run_dir, surroundings->xdg_runtime_dir, "/lbnode");
    }
    if (!set_name(out, surroundings->hostname))
        set_name(out, "node");
    out->worker_count = surroundings->online_cores;
    if (out->worker_count < 1)
        out->worker_count = 1;
    if (out->worker_count > WORKERS_MAXIMUM)
        out->worker_count = WORKERS_MAXIMUM;
    out->history_days = 90;
    out->history_mib = 256;
    out->check_interval_ms = 2000;
    out->log_level = LOG_LEVEL_INFO;
}

void settings_surroundings_read(struct settings_surroundings *out)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *out = (struct settings_surroundings){
        .is_root = geteuid() == 0,
        .home = getenv("HOME"),
        .xdg_state_home = getenv("XDG_STATE_HOME"),
        .xdg_runtime_dir = getenv("XDG_RUNTIME_DIR"),
        .online_cores = cores > 0 ? (uint32_t)cores : 1,
    };
    if (gethostname(out->hostname, sizeof(out->hostname) - 1) != 0)
        out->hostname[0] = '\0';
    out->hostname[strcspn(out->hostname, ".")] = '\0';
}

/* The value after an option, either --name=value or the next argument. */
static bool apply_option(struct node_settings *settings,
                         int argc,
                         const char *const *argv,
                         int *position,
                         bool only_config,
                         struct error *error)
{
    const char *option = argv[*position];
    const char *equals = strchr(option, '=');
    size_t length = equals ? (size_t)(equals - option) : strlen(option);
    const struct setting *setting =
        strncmp(option, "--", 2) == 0 ? find_setting(option + 2, length - 2) : NULL;
    if (!setting)
        return error_set(error, ERROR_USAGE,
                         "Unknown option '%s'; `lbnode run --help` lists them.", option);
    if (!equals && ++*position >= argc)
        return error_set(error, ERROR_USAGE, "Option --%s needs a value (%s).", setting->name,
                         setting->value_name);
    const char *value = equals ? equals + 1 : argv[*position];
    if (only_config != setting->only_option)
        return true;
    if (!setting->set(settings, value))
        return error_set(error, ERROR_USAGE, "Option --%s: '%s' is not %s.", setting->name,
                         value, setting->expected);
    return true;
}

static bool apply_options(struct node_settings *settings,
                          int argc,
                          const char *const *argv,
                          bool only_config,
                          struct error *error)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            settings->help = true;
        else if (!apply_option(settings, argc, argv, &i, only_config, error))
            return false;
    }
    return true;
}

/* Scalars as text; a list of scalars as text with commas. */
static bool yaml_text(const struct json_value *value, struct text *out)
{
    switch (json_value_kind(value)) {
    case JSON_KIND_STRING: text_append_string(out, json_value_text(value)); return true;
    case JSON_KIND_INTEGER:
        text_appendf(out, "%lld", (long long)json_value_number(value));
        return true;
    case JSON_KIND_ARRAY:
        for (size_t i = 0; i < json_value_count(value); i++) {
            const struct json_value *item = json_value_at(value, i);
            if (json_value_kind(item) != JSON_KIND_STRING)
                return false;
            text_appendf(out, "%s%s", i > 0 ? "," : "", json_value_text(item));
        }
        return true;
    default: return false;
    }
}

static bool apply_key(struct node_settings *settings,
                      const char *source,
                      const char *key,
                      const struct json_value *value,
                      struct error *error)
{
    char name[SETTINGS_NAME_SIZE];
    snprintf(name, sizeof(name), "%s", key);
    for (char *c = name; *c; c++)
        *c = *c == '_' ? '-' : *c;
    const struct setting *setting = find_setting(name, strlen(name));
    if (!setting || setting->only_option)
        return error_set(error, ERROR_USAGE,
                         "%s: unknown key '%s'; `lbnode run --help` lists the settings.",
                         source, key);
    struct text text = {.limit = 4096};
    bool known = yaml_text(value, &text) && !text.overflowed;
    bool good = known && setting->set(settings, text_string(&text));
    if (!good)
        error_set(error, ERROR_USAGE, "%s: %s: '%s' is not %s.", source, key,
                  text_string(&text), setting->expected);
    text_free(&text);
    return good;
}

bool settings_read_yaml(struct node_settings *settings,
                        const char *source,
                        const char *data,
                        size_t size,
                        struct error *error)
{
    struct error reason = {0};
    struct json_value *document = yaml_value_parse(data, size, &reason);
    if (!document)
        return error_set(error, ERROR_USAGE, "%s: %s", source, reason.text);
    bool good = json_value_kind(document) == JSON_KIND_OBJECT;
    if (!good)
        error_set(error, ERROR_USAGE, "%s: expected lines of the form `key: value`.", source);
    for (void *at = good ? json_value_first(document) : NULL; at && good;
         at = json_value_next(document, at))
        good = apply_key(settings, source, json_value_key(at), json_value_of(at), error);
    json_value_free(document);
    return good;
}

static bool read_config_file(struct node_settings *settings, struct error *error)
{
    char data[64 << 10];
    FILE *file = fopen(settings->config_path, "re");
    if (!file) {
        if (errno == ENOENT && !settings->config_required)
            return true;
        return error_set(error, ERROR_USAGE, "Cannot read %s: %s.", settings->config_path,
                         strerror(errno));
    }
    size_t size = fread(data, 1, sizeof(data), file);
    bool failed = ferror(file);
    fclose(file);
    if (failed)
        return error_set(error, ERROR_USAGE, "Cannot read %s.", settings->config_path);
    if (size == sizeof(data))
        return error_set(error, ERROR_USAGE, "%s is larger than 64 KiB.",
                         settings->config_path);
    return settings_read_yaml(settings, settings->config_path, data, size, error);
}

bool settings_load(struct node_settings *out,
                   const struct settings_surroundings *surroundings,
                   int argc,
                   const char *const *argv,
                   struct error *error)
{
    set_defaults(out, surroundings);
    if (!apply_options(out, argc, argv, true, error))
        return false;
    if (out->help)
        return true;
    if (!read_config_file(out, error) || !apply_options(out, argc, argv, false, error))
        return false;
    if (!out->run_dir[0])
        join(out->run_dir, out->state_dir, "/run");
    return true;
}

void settings_complete_addresses(struct node_settings *settings)
{
    if (settings->address_count == 0) {
        struct ip_address found[2];
        size_t count = local_address_find(settings->interface, found);
        for (size_t i = 0; i < count; i++)
            settings->addresses[i] = (struct ip_endpoint){found[i], SETTINGS_GOSSIP_PORT};
        settings->address_count = count;
    }
    if (settings->gossip_listen.address.family == 0) {
        settings->gossip_listen.address.family = 4;
        for (size_t i = 0; i < settings->address_count; i++)
            if (settings->addresses[i].address.family == 6)
                settings->gossip_listen.address.family = 6;
        settings->gossip_listen.port = settings->addresses[0].port;
    }
}

void settings_print_help(void)
{
    printf("Usage: lbnode run [OPTIONS]\n\n"
           "Runs a node in the foreground. As an ordinary user it is a plain load balancer;\n"
           "sharing addresses with other nodes needs root.\n\n");
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        char option[64];
        snprintf(option, sizeof(option), "--%s %s", table[i].name, table[i].value_name);
        printf("  %-28s %s\n", option, table[i].help);
    }
    printf("  %-28s %s\n", "--help", "this text");
    printf("\nThe same settings may stand in the configuration file, one `key: value` a line,\n"
           "with _ instead of - (state_dir: /srv/lbnode).\n");
}
