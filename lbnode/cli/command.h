/* A command and what it is run with. The table of all of them is command_table.c; help,
 * completion and the manual page are derived from it and from the field table. */
#ifndef LBNODE_CLI_COMMAND_H
#define LBNODE_CLI_COMMAND_H

#include "lbnode/cli/client.h"
#include "lbnode/cli/options.h"
#include "lbnode/cli/output.h"

enum attribute_options {
    ATTRIBUTES_NONE,
    ATTRIBUTES_CREATE, /* options of the class's attributes for a new object */
    ATTRIBUTES_SET,    /* those that can be changed */
};

struct context;

struct command {
    const char *noun;
    const char *verb;       /* NULL: the noun alone is the command */
    const char *positional; /* for the usage line: "POOL NAME" */
    size_t positional_minimum, positional_maximum;
    const char *summary;
    const char *details; /* further lines of help, or NULL */
    enum resource_type type;
    enum attribute_options attributes;
    const struct option *options; /* own options, ended by an empty name; or NULL */
    bool changes;                 /* takes --require-replica */
    bool (*run)(struct context *context, struct error *error);
};

struct context {
    const struct command *command;
    const struct resource_class *class; /* of command->type, or NULL */
    struct option_table options;
    struct arguments arguments;
    struct client client;
    enum output_format format;
    int exit_code; /* of a command that succeeded: status --check */
};

/* index 0.. until NULL */
const struct command *command_at(size_t index);
/* Exact match; short and plural nouns count too. VERB NULL: a command without verb. */
const struct command *command_find(const char *noun, const char *verb);
bool command_noun_matches(const struct command *command, const char *noun);
bool command_noun_exists(const char *noun);
/* ERROR_USAGE with the nearest noun or verb. Returns false. VERB may be NULL. */
bool command_unknown(const char *noun, const char *verb, struct error *error);
/* Its own options, those of its attributes, the global ones: what the parser accepts. */
void command_options(const struct command *command, struct option_table *out);
/* Only the global ones. */
void global_options(struct option_table *out);

/* ---- commands, by file ------------------------------------------------------------------- */

bool run_resource_create(struct context *context, struct error *error);
bool run_resource_list(struct context *context, struct error *error);
bool run_resource_show(struct context *context, struct error *error);
bool run_resource_stats(struct context *context, struct error *error);
bool run_resource_set(struct context *context, struct error *error);
bool run_resource_delete(struct context *context, struct error *error);
bool run_pool_create(struct context *context, struct error *error);
bool run_member_add(struct context *context, struct error *error);
bool run_monitor_test(struct context *context, struct error *error);
bool run_monitor_create(struct context *context, struct error *error);

bool run_secret_create(struct context *context, struct error *error);
bool run_secret_show(struct context *context, struct error *error);

bool run_status_show(struct context *context, struct error *error);
bool run_events_show(struct context *context, struct error *error);
bool run_conflicts_show(struct context *context, struct error *error);
bool run_conflict_resolve(struct context *context, struct error *error);
bool run_metrics_show(struct context *context, struct error *error);

bool run_cluster_init(struct context *context, struct error *error);
bool run_cluster_show(struct context *context, struct error *error);
bool run_keys_rotate(struct context *context, struct error *error);
bool run_token_create(struct context *context, struct error *error);
bool run_token_list(struct context *context, struct error *error);
bool run_token_delete(struct context *context, struct error *error);
bool run_cluster_join(struct context *context, struct error *error);
bool run_node_list(struct context *context, struct error *error);
bool run_node_show(struct context *context, struct error *error);
bool run_node_rekey(struct context *context, struct error *error);
bool run_node_remove(struct context *context, struct error *error);

bool run_drill_failover(struct context *context, struct error *error);
bool run_failover_start(struct context *context, struct error *error);
bool run_node_drain(struct context *context, struct error *error);
bool run_node_undrain(struct context *context, struct error *error);

bool run_document_apply(struct context *context, struct error *error);
bool run_document_export(struct context *context, struct error *error);

bool run_history_show(struct context *context, struct error *error);
bool run_change_show(struct context *context, struct error *error);
bool run_diff_show(struct context *context, struct error *error);
bool run_rollback_make(struct context *context, struct error *error);
bool run_change_confirm(struct context *context, struct error *error);
bool run_audit_verify(struct context *context, struct error *error);

bool run_schema_show(struct context *context, struct error *error);
bool run_completion_show(struct context *context, struct error *error);
bool run_version_show(struct context *context, struct error *error);
bool run_help_show(struct context *context, struct error *error);
bool run_elsewhere(struct context *context, struct error *error);

/* The help of one command; of a noun; of everything; as part of the manual page. */
void help_of_command(const struct command *command);
void help_of_noun(const char *noun);
void help_of_all(void);
void help_manual(void);

#endif
