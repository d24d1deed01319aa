#include "lbnode/base/suggestion.h"
#include "lbnode/cli/command.h"

#include <stdio.h>
#include <string.h>

/* ---- options ----------------------------------------------------------------------------- */

static const struct option global_rows[] = {
    {.name = "output",
     .letter = 'o',
     .value_name = "table|json|yaml|name",
     .help = "how to print the answer"},
    {.name = "socket",
     .value_name = "PATH",
     .help = "socket of the daemon (LBNODE_SOCKET, else /run/lbnode/lbnode.sock)"},
    {.name = "run-dir", .value_name = "DIR", .help = "the same as --socket DIR/lbnode.sock"},
    {.name = "help", .letter = 'h', .help = "show help"},
};

static const struct option change_rows[] = {
    {.name = "require-replica",
     .help = "fail unless another node has the change too (exit code 6)"},
    {.name = "wait",
     .help = "accepted for OpenStack's sake: changes are made when the answer "
             "comes"},
    {.name = ""},
};

#define REVISION_ROW                                                                           \
    {                                                                                          \
        .name = "if-rev", .value_name = "REVISION",                                            \
        .help =                                                                                \
            "only if nobody changed it since show printed this revision (else exit code 4)"    \
    }

static const struct option delete_options[] = {
    REVISION_ROW,
    {.name = ""},
};

static const struct option cascade_options[] = {
    REVISION_ROW,
    {.name = "cascade", .help = "also its listeners, pools, members and monitors"},
    {.name = ""},
};

static const struct option set_options[] = {
    REVISION_ROW,
    {.name = "no-tag", .help = "drop the tags it has"},
    {.name = ""},
};

static const struct option filter_options[] = {
    {.name = "loadbalancer", .value_name = "NAME", .help = "only those of this load balancer"},
    {.name = ""},
};

static const struct option pool_options[] = {
    {.name = "listener",
     .value_name = "NAME",
     .help = "listener whose default pool it becomes; also gives the protocol"},
    {.name = ""},
};

static const struct option add_options[] = {
    {.name = "weight", .value_name = "N", .help = "share of new requests, 0 to 256"},
    {.name = ""},
};

static const struct option status_options[] = {
    {.name = "check", .help = "exit code 0 when healthy, 10 degraded, 11 error"},
    {.name = ""},
};

static const struct option event_options[] = {
    {.name = "follow",
     .letter = 'f',
     .help = "go on with new events as they come, also when the daemon restarts"},
    {.name = "since",
     .value_name = "WHEN",
     .help = "only events after a number, a time or an age such as 10m"},
    {.name = "object", .value_name = "NAME", .help = "only events that name this object"},
    {.name = "code", .value_name = "CODE", .help = "only events of this code"},
    {.name = ""},
};

static const struct option backup_options[] = {
    {.name = "passphrase-file",
     .value_name = "FILE",
     .help = "its first line is the passphrase; else it is asked for"},
    {.name = ""},
};

static const struct option restore_options[] = {
    {.name = "passphrase-file",
     .value_name = "FILE",
     .help = "its first line is the passphrase; else it is asked for"},
    {.name = "new-cluster",
     .help = "start a new cluster with the backup's objects, on a node that is in none"},
    {.name = "name",
     .value_name = "CLUSTER",
     .help = "name of the new cluster (the old one's)"},
    {.name = ""},
};

static const char restore_details[] =
    "A restore merges: what the cluster lost returns, what was changed since stays changed, "
    "and\n"
    "nothing is rolled back. With --new-cluster nothing of the old cluster but its objects is\n"
    "kept: the node becomes the first of a cluster with another id, another recovery code and\n"
    "no other nodes, and those of the old one cannot mix in.\n";

static const struct option db_options[] = {
    {.name = "state-dir", .value_name = "DIR", .help = "the node's state (/var/lib/lbnode)"},
    {.name = "config", .value_name = "FILE", .help = "the node's settings file"},
    {.name = ""},
};

static const char db_details[] =
    "The node must not be running: stop it first. verify checks every checksum, signature and\n"
    "chain of hashes, and that the log gives the stored state; it changes nothing. rebuild "
    "also\n"
    "sets a damaged store aside and saves what can be read of it.\n";

static const struct option recover_options[] = {
    {.name = "force", .help = "although this node knows others that are members"},
    {.name = "state-dir", .value_name = "DIR", .help = "the node's state (/var/lib/lbnode)"},
    {.name = "config", .value_name = "FILE", .help = "the node's settings file"},
    {.name = ""},
};

static const char recover_details[] =
    "The way back when the nodes removed each other, or all were removed: on one of them, "
    "which\n"
    "must be stopped. It asks for the recovery code that init printed, on the terminal "
    "without\n"
    "echo, or reads it from standard input. The node becomes a new one, the first of its\n"
    "cluster, with configuration and history as they were here; the others join it by tokens,\n"
    "with empty state directories. Refused (exit code 4) on a node that was not removed, and\n"
    "when another one is still a member, which could make a token. Run it on one node only.\n";

static const char vip_details[] =
    "For a node whose processes are gone: after an orderly end there is nothing to remove, "
    "and\n"
    "after a crash the kernel drops the addresses within two seconds. It needs root and no\n"
    "daemon. A node that runs puts its addresses back: stop it first.\n";

static const char test_details[] =
    "The monitor's own probe, out of turn; its result counts towards the verdict like any "
    "other.\n"
    "It takes the monitor's timeout and 2 s at most. Exit code 0 when all members answered "
    "all\n"
    "nodes, 10 when some did not, 11 when none did; a node that tells nothing counts as not\n"
    "answered. At most once a second.\n";

static const char monitor_details[] =
    "Without options it probes each 5 s and waits 3 s (no longer than the delay); 3 successes\n"
    "or 3 failures in a row change a state. The type is that of the pool: HTTP, TCP, or\n"
    "UDP-CONNECT for UDP.\n";

static const char member_details[] =
    "And what each node's monitor thinks of it: since when, why, the last 64 results of this\n"
    "node, and how often traffic cast doubt on it.\n";

static const struct option init_options[] = {
    {.name = "name", .value_name = "CLUSTER", .help = "name of the cluster (lbnode)"},
    {.name = ""},
};

static const struct option rotate_options[] = {
    {.name = "purpose",
     .value_name = "secret|data",
     .help = "only the key that nodes speak with, or that secrets are sealed with (both)"},
    {.name = ""},
};

static const char rotate_details[] =
    "A new key is used once all nodes have it on their disks; then the old ones go, and what "
    "was\n"
    "sealed with them is sealed anew. It happens by itself each 90 days and after a node was\n"
    "removed; at most three keys of a purpose are there at a time. lbnode cluster show tells\n"
    "which node a new one waits for.\n";

static const struct option token_options[] = {
    {.name = "ttl",
     .value_name = "DURATION",
     .help = "how long it is valid (15m; at most 24h)"},
    {.name = ""},
};

static const char secret_details[] =
    "The payload is taken from a file as it is, line ends included: an argument could be read "
    "in\n"
    "the list of processes. It is stored and sent sealed, and no command but show --payload\n"
    "shows it. --payload-file '' removes it.\n";

static const struct option secret_show_options[] = {
    {.name = "payload", .help = "print the payload, and nothing else; for root on this host"},
    {.name = ""},
};

static const struct option failover_options[] = {
    {.name = "to", .value_name = "NODE", .help = "who takes over (whoever is best)"},
    {.name = "group", .value_name = "NAME", .help = "only this VRRP group (all)"},
    {.name = ""},
};

static const struct option drill_options[] = {
    {.name = "count", .value_name = "N", .help = "how often, there and back (1)"},
    {.name = "group",
     .value_name = "NAME",
     .help = "the VRRP group, if several have addresses"},
    {.name = "to",
     .value_name = "NODE",
     .help = "the node to switch to (the first eligible one)"},
    {.name = "probe",
     .value_name = "ADDR:PORT",
     .help = "what to connect to (the first listener of the group)"},
    {.name = ""},
};

static const struct option remove_options[] = {
    {.name = "dead", .help = "it will not come back: do not wait for it"},
    {.name = "compromised",
     .help = "somebody else has its key or its disk: shut it out, replace the cluster's keys"},
    {.name = ""},
};

static const struct option apply_options[] = {
    {.name = "file",
     .letter = 'f',
     .value_name = "FILE",
     .help = "YAML or JSON; - is standard input"},
    {.name = "dry-run", .help = "only show what would change"},
    {.name = "prune", .help = "delete what the document does not name"},
    {.name = "confirm",
     .value_name = "DURATION",
     .help = "undo it after so long (60s) unless lbnode confirm follows, whatever becomes of "
             "this session"},
    {.name = ""},
};

static const struct option resolve_options[] = {
    {.name = "take",
     .value_name = "NUMBER",
     .help = "the value to keep, as conflicts numbers them"},
    REVISION_ROW,
    {.name = ""},
};

static const struct option history_options[] = {
    {.name = "since",
     .value_name = "TIME",
     .help = "only changes since then: 2026-01-31T12:34:56Z, or an age such as 10m"},
    {.name = "limit", .value_name = "N", .help = "so many at most, the newest (50)"},
    {.name = ""},
};

static const struct option rollback_options[] = {
    {.name = "to",
     .value_name = "TIME",
     .help = "take back all that came after: 2026-01-31T12:34:56Z, an age such as 10m, or the "
             "id of the last change to keep"},
    {.name = "object", .value_name = "NAME", .help = "with --to: only this object (all)"},
    {.name = "force", .help = "also what others have changed again since"},
    {.name = "dry-run", .help = "only show what would change"},
    {.name = ""},
};

static const struct option help_options[] = {
    {.name = "man", .help = "all commands in the form of the manual page"},
    {.name = ""},
};

/* ---- commands ---------------------------------------------------------------------------- */

/* noun, type, words for help, positional of create (and how many), create function, its
 * details, options of create, of list, details of show, options of delete */
#define RESOURCE_ROWS(noun_, type_, word, create_args, create_count, create_run,               \
                      create_details, create_rows, list_args, list_count, list_rows,           \
                      show_details, target_args, target_count, delete_rows)                    \
    {.noun = noun_,                                                                            \
     .verb = "create",                                                                         \
     .positional = create_args,                                                                \
     .positional_minimum = create_count,                                                       \
     .positional_maximum = create_count,                                                       \
     .summary = "make a new " word,                                                            \
     .details = create_details,                                                                \
     .type = type_,                                                                            \
     .attributes = ATTRIBUTES_CREATE,                                                          \
     .options = create_rows,                                                                   \
     .changes = true,                                                                          \
     .run = create_run},                                                                       \
        {.noun = noun_,                                                                        \
         .verb = "list",                                                                       \
         .positional = list_args,                                                              \
         .positional_minimum = list_count,                                                     \
         .positional_maximum = list_count,                                                     \
         .summary = "list them",                                                               \
         .type = type_,                                                                        \
         .options = list_rows,                                                                 \
         .run = run_resource_list},                                                            \
        {.noun = noun_,                                                                        \
         .verb = "show",                                                                       \
         .positional = target_args,                                                            \
         .positional_minimum = target_count,                                                   \
         .positional_maximum = target_count,                                                   \
         .summary = "show all attributes of one",                                              \
         .details = show_details,                                                              \
         .type = type_,                                                                        \
         .run = run_resource_show},                                                            \
        {.noun = noun_,                                                                        \
         .verb = "set",                                                                        \
         .positional = target_args,                                                            \
         .positional_minimum = target_count,                                                   \
         .positional_maximum = target_count,                                                   \
         .summary = "change attributes of one",                                                \
         .type = type_,                                                                        \
         .attributes = ATTRIBUTES_SET,                                                         \
         .details =                                                                            \
             "An empty value (--weight '') resets an attribute; --tag adds to the tags.\n",    \
         .options = set_options,                                                               \
         .changes = true,                                                                      \
         .run = run_resource_set},                                                             \
    {                                                                                          \
        .noun = noun_, .verb = "delete", .positional = target_args,                            \
        .positional_minimum = target_count, .positional_maximum = target_count,                \
        .summary = "delete one", .type = type_, .options = delete_rows, .changes = true,       \
        .run = run_resource_delete                                                             \
    }

#define STATS_ROW(noun_, type_, target_args, target_count)                                     \
    {                                                                                          \
        .noun = noun_, .verb = "stats", .positional = target_args,                             \
        .positional_minimum = target_count, .positional_maximum = target_count,                \
        .summary = "what the proxy of this node counted, with times in milliseconds",          \
        .details = "Percentiles are the upper bounds of coarse ranges; - is above 30 s.\n",    \
        .type = type_, .run = run_resource_stats                                               \
    }

/* clang-format off */
static const struct command commands[] = {
    {.noun = "status", .summary = "overview: nodes, addresses, load balancers, problems",
     .options = status_options, .run = run_status_show},

    RESOURCE_ROWS("loadbalancer", RESOURCE_LOAD_BALANCER, "load balancer",
                  "", 0, run_resource_create, NULL, NULL, "", 0, NULL, NULL, "NAME", 1, cascade_options),
    RESOURCE_ROWS("listener", RESOURCE_LISTENER, "listener",
                  "LOADBALANCER", 1, run_resource_create, NULL, NULL, "", 0, filter_options,
                  NULL, "NAME", 1, delete_options),
    RESOURCE_ROWS("pool", RESOURCE_POOL, "pool of members",
                  "", 0, run_pool_create, NULL, pool_options, "", 0, filter_options, NULL, "NAME", 1,
                  delete_options),
    RESOURCE_ROWS("member", RESOURCE_MEMBER, "member of a pool",
                  "POOL", 1, run_resource_create, NULL, NULL, "POOL", 1, NULL, member_details, "POOL NAME", 2,
                  delete_options),
    {.noun = "member", .verb = "add", .positional = "POOL ADDRESS:PORT...",
     .positional_minimum = 2, .positional_maximum = POSITIONAL_MAXIMUM,
     .summary = "add several members at once, named after address and port",
     .type = RESOURCE_MEMBER, .options = add_options, .changes = true, .run = run_member_add},
    STATS_ROW("listener", RESOURCE_LISTENER, "NAME", 1),
    STATS_ROW("pool", RESOURCE_POOL, "NAME", 1),
    STATS_ROW("member", RESOURCE_MEMBER, "POOL NAME", 2),
    RESOURCE_ROWS("healthmonitor", RESOURCE_HEALTH_MONITOR, "health monitor",
                  "POOL", 1, run_monitor_create, monitor_details, NULL, "", 0, NULL, NULL, "NAME|POOL", 1,
                  delete_options),
    {.noun = "healthmonitor", .verb = "test", .positional = "POOL", .positional_minimum = 1,
     .positional_maximum = 1, .summary = "probe all members of a pool now, from every node",
     .details = test_details, .type = RESOURCE_HEALTH_MONITOR, .run = run_monitor_test},
    RESOURCE_ROWS("vrrpgroup", RESOURCE_VRRP_GROUP, "VRRP group",
                  "", 0, run_resource_create, NULL, NULL, "", 0, NULL, NULL, "NAME", 1, delete_options),

    {.noun = "secret", .verb = "create", .positional = "NAME", .positional_minimum = 1,
     .positional_maximum = 1, .summary = "keep a key, a certificate or a passphrase",
     .details = secret_details, .type = RESOURCE_SECRET, .attributes = ATTRIBUTES_CREATE,
     .changes = true, .run = run_secret_create},
    {.noun = "secret", .verb = "list", .positional = "", .summary = "list them, without payloads",
     .type = RESOURCE_SECRET, .run = run_resource_list},
    {.noun = "secret", .verb = "show", .positional = "NAME", .positional_minimum = 1,
     .positional_maximum = 1, .summary = "show all attributes of one, without its payload",
     .type = RESOURCE_SECRET, .options = secret_show_options, .run = run_secret_show},
    {.noun = "secret", .verb = "set", .positional = "NAME", .positional_minimum = 1,
     .positional_maximum = 1, .summary = "change attributes of one, or its payload",
     .details = secret_details, .type = RESOURCE_SECRET, .attributes = ATTRIBUTES_SET,
     .options = set_options, .changes = true, .run = run_resource_set},
    {.noun = "secret", .verb = "delete", .positional = "NAME", .positional_minimum = 1,
     .positional_maximum = 1, .summary = "delete one", .type = RESOURCE_SECRET,
     .options = delete_options, .changes = true, .run = run_resource_delete},

    {.noun = "node", .verb = "list", .positional = "", .summary = "list the nodes of the cluster",
     .type = RESOURCE_NODE, .run = run_node_list},
    {.noun = "node", .verb = "show", .positional = "NAME", .positional_minimum = 1,
     .positional_maximum = 1, .summary = "show all that is known of a node",
     .type = RESOURCE_NODE, .run = run_node_show},
    {.noun = "node", .verb = "drain", .positional = "NAME", .positional_minimum = 1,
     .positional_maximum = 1, .summary = "give its addresses to other nodes, and take none",
     .details = "It serves again only while no other node can.\n",
     .type = RESOURCE_NODE, .changes = true, .run = run_node_drain},
    {.noun = "node", .verb = "undrain", .positional = "NAME", .positional_minimum = 1,
     .positional_maximum = 1, .summary = "let it have addresses again",
     .type = RESOURCE_NODE, .changes = true, .run = run_node_undrain},
    {.noun = "node", .verb = "rekey", .positional = "[NAME]", .positional_maximum = 1,
     .summary = "give this node a new key; the old one becomes void",
     .details = "On the node itself, while all others answer and can write. A node whose key is lost is removed, and joins anew.\n",
     .type = RESOURCE_NODE, .run = run_node_rekey},
    {.noun = "node", .verb = "remove", .positional = "NAME", .positional_minimum = 1,
     .positional_maximum = 1, .summary = "take a node out of the cluster for good",
     .details = "A node that answers gives its addresses away first and passes everything on: nothing is lost.\n"
                "Interrupted in between, run it again, or keep the node with lbnode node undrain NAME. A removed\n"
                "node does not come back: it joins as a new one, with an empty state directory and a new token.\n",
     .type = RESOURCE_NODE, .options = remove_options, .changes = true, .run = run_node_remove},

    {.noun = "failover", .summary = "move addresses to another node",
     .details = "Without options what is active here, else what is active elsewhere. Requests that have\n"
                "begun are answered; no connection attempt fails. It may be asked of any node.\n",
     .options = failover_options, .run = run_failover_start},

    {.noun = "drill", .verb = "failover", .positional = "",
     .summary = "switch to another node and back, and measure what clients notice",
     .details = "Connects to the address every 10 ms meanwhile. Nothing is switched unless a second node is\n"
                "eligible. An interrupt (ctrl-c) brings the addresses back first.\n",
     .options = drill_options, .run = run_drill_failover},

    {.noun = "init", .summary = "start a cluster with this node as its first",
     .options = init_options, .run = run_cluster_init},
    {.noun = "cluster", .verb = "show", .positional = "",
     .summary = "the cluster's name, and its secret keys: ages and states, never the keys",
     .run = run_cluster_show},
    {.noun = "cluster", .verb = "rotate-keys", .positional = "",
     .summary = "make new secret keys for all nodes", .details = rotate_details,
     .options = rotate_options, .changes = true, .run = run_keys_rotate},
    {.noun = "cluster", .verb = "recover", .positional = "",
     .summary = "start anew from a node that was removed, with the recovery code",
     .details = recover_details, .options = recover_options, .run = run_elsewhere},
    {.noun = "token", .verb = "create", .positional = "",
     .summary = "make a token that lets one node join", .options = token_options,
     .details = "The node that joins, and node show NAME here, print the same six words.\n",
     .run = run_token_create},
    {.noun = "token", .verb = "list", .positional = "",
     .summary = "the tokens that this node made, and who used them", .run = run_token_list},
    {.noun = "token", .verb = "delete", .positional = "ID", .positional_minimum = 1,
     .positional_maximum = 1, .summary = "take a token back", .run = run_token_delete},
    {.noun = "join", .positional = "TOKEN", .positional_minimum = 1, .positional_maximum = 1,
     .summary = "make this node a member of the cluster that TOKEN is from",
     .details = "With - the token is read from standard input.\n",
     .run = run_cluster_join},

    {.noun = "apply", .summary = "make the configuration as a document says, all or nothing",
     .options = apply_options, .changes = true, .run = run_document_apply},
    {.noun = "confirm", .positional = "[CHANGE]", .positional_maximum = 1,
     .summary = "keep what apply --confirm made; else it undoes itself",
     .details = "On the node where it was applied. CHANGE is needed when several wait.\n",
     .run = run_change_confirm},
    {.noun = "export", .summary = "print the configuration as a document for apply",
     .run = run_document_export},
    {.noun = "events", .summary = "what happened on this node",
     .options = event_options, .run = run_events_show},
    {.noun = "conflicts", .summary = "what two nodes changed at once, and which value is in force",
     .run = run_conflicts_show},
    {.noun = "resolve", .positional = "OBJECT [ATTRIBUTE]", .positional_minimum = 1,
     .positional_maximum = 2, .summary = "close a conflict by keeping one of its values",
     .options = resolve_options, .changes = true, .run = run_conflict_resolve},
    {.noun = "history", .positional = "[OBJECT]", .positional_maximum = 1,
     .summary = "who changed what, and when, the newest first",
     .details = "OBJECT is a name or an id, also of what was deleted.\n",
     .options = history_options, .run = run_history_show},
    {.noun = "show", .positional = "CHANGE", .positional_minimum = 1, .positional_maximum = 1,
     .summary = "all that one change did", .run = run_change_show},
    {.noun = "diff", .positional = "A [B]", .positional_minimum = 1, .positional_maximum = 2,
     .summary = "what differs between two points of the past",
     .details = "A and B are times (2026-01-31T12:34:56Z), ages (10m) or ids of changes: the point right\n"
                "after that change. Without B: now.\n",
     .run = run_diff_show},
    {.noun = "rollback", .positional = "[CHANGE]", .positional_maximum = 1,
     .summary = "take back one change, or all since a time",
     .details = "Attribute by attribute: what it changed becomes what it was before. Refused (exit code 4) when\n"
                "somebody else has changed one of these attributes again, or when what was before is no longer\n"
                "kept; others are you on another node, too. It is a change like any other and can be rolled back\n"
                "itself. Nodes are not rolled back.\n",
     .options = rollback_options, .changes = true, .run = run_rollback_make},
    {.noun = "audit", .verb = "verify", .positional = "",
     .summary = "check every signature and chain of changes on this node",
     .details = "Exit code 1 when a change is missing or does not verify. What was removed because it was old\n"
                "(history_days) is counted and no fault.\n",
     .run = run_audit_verify},
    {.noun = "metrics", .summary = "counters and gauges in Prometheus' format",
     .run = run_metrics_show},
    {.noun = "schema", .summary = "every resource and attribute, for programs",
     .run = run_schema_show},

    {.noun = "run", .summary = "run the daemon in the foreground; see lbnode run --help",
     .run = run_elsewhere},
    {.noun = "backup", .positional = "FILE", .positional_minimum = 1, .positional_maximum = 1,
     .summary = "put all changes of the cluster into one encrypted file",
     .options = backup_options, .run = run_elsewhere},
    {.noun = "restore", .positional = "FILE", .positional_minimum = 1, .positional_maximum = 1,
     .summary = "merge the changes of a backup; nothing is rolled back",
     .details = restore_details, .options = restore_options, .run = run_elsewhere},
    {.noun = "db", .verb = "verify", .options = db_options,
     .summary = "check the store of a node that is not running", .details = db_details,
     .run = run_elsewhere},
    {.noun = "db", .verb = "rebuild", .options = db_options,
     .summary = "derive everything in the store from its log again", .details = db_details,
     .run = run_elsewhere},
    {.noun = "vip", .verb = "release",
     .summary = "remove the virtual addresses that lbnode left on this host",
     .details = vip_details, .run = run_elsewhere},
    {.noun = "completion", .positional = "bash", .positional_minimum = 1, .positional_maximum = 1,
     .summary = "print a completion script: source <(lbnode completion bash)",
     .run = run_completion_show},
    {.noun = "version", .summary = "print the version", .run = run_version_show},
    {.noun = "help", .positional = "[COMMAND]", .positional_maximum = 3,
     .summary = "explain a command", .options = help_options, .run = run_help_show},
};
/* clang-format on */

const struct command *command_at(size_t index)
{
    return index < ARRAY_LENGTH(commands) ? &commands[index] : NULL;
}

bool command_noun_matches(const struct command *command, const char *noun)
{
    const struct resource_class *class = resource_class_by_noun(noun);
    return strcmp(command->noun, noun) == 0 || (class && class->type == command->type);
}

const struct command *command_find(const char *noun, const char *verb)
{
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        const struct command *command = &commands[i];
        if (!command_noun_matches(command, noun) || !command->verb != !verb)
            continue;
        if (!verb || strcmp(command->verb, verb) == 0)
            return command;
    }
    return NULL;
}

bool command_noun_exists(const char *noun)
{
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        if (command_noun_matches(&commands[i], noun))
            return true;
    }
    return false;
}

bool command_unknown(const char *noun, const char *verb, struct error *error)
{
    struct suggestion suggestion;
    bool known = command_noun_exists(noun);
    if (known && !verb)
        return error_set(error, ERROR_USAGE, "%s needs a verb; lbnode %s --help lists them",
                         noun, noun);
    suggestion_init(&suggestion, known ? verb : noun);
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        const struct command *command = &commands[i];
        if (!known)
            suggestion_offer(&suggestion, command->noun);
        else if (command->verb && command_noun_matches(command, noun))
            suggestion_offer(&suggestion, command->verb);
    }
    const char *before = known ? noun : "", *gap = known ? " " : "";
    const char *word = known ? verb : noun;
    if (suggestion.nearest)
        return error_set(error, ERROR_USAGE, "unknown command %s%s%s; did you mean %s%s%s?",
                         before, gap, word, before, gap, suggestion.nearest);
    return error_set(error, ERROR_USAGE, "unknown command %s%s%s; lbnode help lists them all",
                     before, gap, word);
}

static void add_rows(struct option_table *table, const struct option *rows)
{
    for (; rows && rows->name[0]; rows++)
        option_table_add(table, rows);
}

void global_options(struct option_table *out)
{
    for (size_t i = 0; i < ARRAY_LENGTH(global_rows); i++)
        option_table_add(out, &global_rows[i]);
}

void command_options(const struct command *command, struct option_table *out)
{
    const struct resource_class *class = resource_class_of(command->type);
    out->count = 0;
    if (command->attributes != ATTRIBUTES_NONE)
        option_table_add_fields(out, class, command->attributes == ATTRIBUTES_CREATE);
    add_rows(out, command->options);
    if (command->changes)
        add_rows(out, change_rows);
    global_options(out);
}
