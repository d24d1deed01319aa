/* What speaks against this node being active, as far as it is seen outside the vrrp process:
 * ports that cannot be bound, and what control says. Kept, so that a restarted vrrp process
 * knows it before it may take anything over. */
#include "lbnode/node/supervisor_internal.h"

#include "lbnode/base/bytes.h"

#include <stdio.h>
#include <string.h>

static struct message_hindrance *
find(struct supervisor *supervisor, const struct uuid *group_id, uint8_t kind)
{
    for (size_t i = 0; i < supervisor->hindrance_count; i++) {
        struct message_hindrance *kept = &supervisor->hindrances[i];
        if (kept->kind == kind && uuid_equal(&kept->group_id, group_id))
            return kept;
    }
    return NULL;
}

void hindrances_set(struct supervisor *supervisor, const struct message_hindrance *word)
{
    struct message_hindrance *kept = find(supervisor, &word->group_id, word->kind);
    bool same = kept && word->holds && strcmp(kept->text, word->text) == 0;
    if (same || (!kept && !word->holds) ||
        (!kept && supervisor->hindrance_count == HINDRANCES_MAXIMUM))
        return;
    if (!kept)
        kept = &supervisor->hindrances[supervisor->hindrance_count++];
    *kept = *word;
    if (!word->holds)
        *kept = supervisor->hindrances[--supervisor->hindrance_count];
    supervisor_send(supervisor, PROCESS_VRRP, &word->header, NULL, 0);
}

void hindrances_replay(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->hindrance_count; i++)
        supervisor_send(supervisor, PROCESS_VRRP, &supervisor->hindrances[i].header, NULL, 0);
}

/* Control may say what it alone knows. */
void hindrances_take(struct supervisor *supervisor, const struct message_hindrance *word)
{
    struct message_hindrance clean = *word;
    clean.text[sizeof(clean.text) - 1] = '\0';
    if (word->kind == HINDRANCE_IS_UNSYNCED || word->kind == HINDRANCE_IS_COLD)
        hindrances_set(supervisor, &clean);
}

/* ---- ports ----------------------------------------------------------------------------------
 */

static const struct binding *first_unbound(const struct supervisor *supervisor,
                                           const struct ip_address *address)
{
    for (const struct binding *at = supervisor->bindings; at; at = at->next)
        if (at->error_number > 0 && ip_address_equal(&at->endpoint.address, address))
            return at;
    return NULL;
}

static const struct binding *first_unbound_of(const struct supervisor *supervisor,
                                              const struct uuid *group_id)
{
    for (size_t i = 0; i < supervisor->vrrp_set.count; i++) {
        const struct message_vrrp_address *item =
            &supervisor->vrrp_set.items[i].member_VRRP_ADDRESS;
        if (item->header.type != MESSAGE_VRRP_ADDRESS || !uuid_equal(&item->group_id, group_id))
            continue;
        const struct binding *found = first_unbound(supervisor, &item->address);
        if (found)
            return found;
    }
    return NULL;
}

static bool any_unbound(const struct supervisor *supervisor)
{
    for (const struct binding *at = supervisor->bindings; at; at = at->next)
        if (at->error_number > 0)
            return true;
    return false;
}

static void look_at_group(struct supervisor *supervisor, const struct uuid *group_id)
{
    const struct binding *unbound = first_unbound_of(supervisor, group_id);
    struct message_hindrance word = MESSAGE_OF(HINDRANCE, struct message_hindrance);
    char text[IP_ENDPOINT_TEXT_SIZE];
    word.group_id = *group_id;
    word.kind = HINDRANCE_IS_BIND;
    word.holds = unbound != NULL;
    if (unbound) {
        ip_endpoint_format(&unbound->endpoint, text);
        snprintf(word.text, sizeof(word.text), "cannot listen on %s: %s", text,
                 strerror(unbound->error_number));
    }
    hindrances_set(supervisor, &word);
}

/* Words about groups that are configured no more would stay for ever. */
static void forget_ports(struct supervisor *supervisor)
{
    for (size_t i = supervisor->hindrance_count; i-- > 0;) {
        struct message_hindrance word = supervisor->hindrances[i];
        word.holds = 0;
        if (word.kind == HINDRANCE_IS_BIND && !first_unbound_of(supervisor, &word.group_id))
            hindrances_set(supervisor, &word);
    }
}

void hindrances_look_at_ports(struct supervisor *supervisor)
{
    forget_ports(supervisor);
    if (!any_unbound(supervisor))
        return;
    for (size_t i = 0; i < supervisor->vrrp_set.count; i++) {
        const struct message_vrrp_group *group =
            &supervisor->vrrp_set.items[i].member_VRRP_GROUP;
        if (group->header.type == MESSAGE_VRRP_GROUP)
            look_at_group(supervisor, &group->group_id);
    }
}
