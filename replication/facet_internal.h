/* What the files of the facet table share: facet.c, facet_anew.c, facet_choice.c,
 * facet_shadow.c. */
#ifndef REPLICATION_FACET_INTERNAL_H
#define REPLICATION_FACET_INTERNAL_H

#include "replication/facet.h"

struct object *facet_make_object(struct facet_table *table, const struct uuid *id);
struct facet_state *facet_make_facet(struct object *object, uint16_t facet);
struct facet_entry *facet_append_entry(struct facet_state *state);
void facet_note_changed(struct facet_table *table, struct object *object);
void facet_count_owner(struct uuid_map *owners, const struct uuid *owner, bool comes);
void facet_object_free(struct object *object);
/* The object goes when it has no facets. */
void facet_drop_empty(struct facet_table *table, struct object *object);

/* What a record replaces: of REALM what its author's node had when it made it, or what it said
 * of the same itself before, in FACET (NULL: in all) and below OWNER (NULL: anywhere). */
struct facet_reach {
    const struct facet_stamp *stamp;
    enum facet_realm realm;
    const uint16_t *facet;
    const struct uuid *owner;
};

bool facet_is_reached(const struct facet_reach *reach,
                      uint16_t facet,
                      const struct facet_entry *entry);
void facet_entry_make(const struct record_op *op,
                      uint32_t op_index,
                      const struct facet_stamp *stamp,
                      struct facet_entry *out);
void facet_entry_free(struct facet_entry *entry);
/* What replaced ENTRY, 16 bytes each: as field NUMBER, and read from such. */
void facet_put_by(struct wire_writer *out, uint32_t number, const struct facet_entry *entry);
void facet_take_by(struct bytes in, struct facet_entry *entry);
void facet_entry_put(struct store_batch *batch,
                     const struct uuid *object_id,
                     uint16_t facet,
                     const struct facet_entry *entry);
/* STATE gets ENTRY, whose memory it takes over, and the table `facet` its row. */
void facet_entry_in(struct facet_table *table,
                    struct object *object,
                    struct facet_state *state,
                    const struct facet_entry *entry,
                    struct store_batch *batch);
/* ENTRY no longer counts: its row goes. The caller takes it out of its facet. */
void facet_entry_out(struct facet_table *table,
                     const struct object *object,
                     uint16_t facet,
                     const struct facet_entry *entry,
                     struct store_batch *batch);

/* facet_anew.c: those values of OBJECT that GO become shadows, and facets without any are gone;
 * BY as below. How many it were. */
size_t facet_sift(struct facet_table *table,
                  struct object *object,
                  bool (*go)(void *context, uint16_t facet, const struct facet_entry *entry),
                  void *context,
                  const struct dot *by,
                  struct store_batch *batch);

/* facet_shadow.c: ENTRY, taken out, becomes a shadow; BY replaced it (NULL: it is void). */
void facet_shadow_keep(struct facet_table *table,
                       const struct uuid *object_id,
                       uint16_t facet,
                       struct facet_entry *entry,
                       const struct dot *by,
                       struct store_batch *batch);
/* A record also replaces what it reaches of the shadows of OBJECT_ID (NULL: of all objects). */
void facet_shadow_cover(struct facet_table *table,
                        const struct uuid *object_id,
                        const struct facet_reach *reach,
                        struct store_batch *batch);
/* An operation of a record that comes after some that knew it: true when one of these replaced
 * it, and it is a shadow at once. */
bool facet_shadow_late(struct facet_table *table,
                       const struct record_op *op,
                       uint32_t op_index,
                       const struct facet_stamp *stamp,
                       struct store_batch *batch);
void facet_shadows_free(struct facet_table *table);

#endif
