/* A replication that remembers nothing: questions about the past get no changes. Where these
 * answers matter a test has a real store (test_api_history.c). */
#include "replication/replication.h"

void replication_history_prepare(struct replication *replication,
                                 void (*done)(void *context, const struct error *error),
                                 void *context)
{
    const struct error none = {0};
    done(context, &none);
}

bool replication_history_visit(struct replication *replication,
                               const struct uuid *object_id,
                               uint64_t since_ms,
                               const struct past_visitor *visitor,
                               struct error *error)
{
    return true;
}

bool replication_history_show(struct replication *replication,
                              const struct uuid *change_id,
                              const struct past_visitor *visitor,
                              struct error *error)
{
    return error_set(error, ERROR_NOT_FOUND, "no such change");
}

bool replication_history_objects(struct replication *replication,
                                 const struct change_stamp *stamp,
                                 void (*visit)(void *context, const struct uuid *object_id),
                                 void *context,
                                 struct error *error)
{
    return true;
}

bool replication_history_writes(struct replication *replication,
                                const struct uuid *object_id,
                                const struct change_stamp *stamp,
                                const struct past_visitor *visitor,
                                struct error *error)
{
    return true;
}

uint64_t replication_history_horizon(struct replication *replication)
{
    return 0;
}

void replication_audit(struct replication *replication, audit_done *done, void *context)
{
    const struct audit_report report = {0};
    const struct error none = {0};
    done(context, &report, &none);
}

void replication_visit_unconfirmed(const struct replication *replication,
                                   void (*visit)(void *context,
                                                 const struct unconfirmed *change),
                                   void *context)
{}

bool replication_confirm(struct replication *replication,
                         const struct uuid *change_id,
                         replication_done *done,
                         void *context,
                         struct error *error)
{
    return error_set(error, ERROR_NOT_FOUND, "no such change");
}
