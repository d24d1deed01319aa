/* What the parts of the storage torture share: the writer's contents as a function of how many
 * batches it wrote, and the verdict on a file after a disaster. */
#ifndef TESTS_TORTURE_TORTURE_H
#define TESTS_TORTURE_TORTURE_H

#include "replication/store.h"

enum {
    TORTURE_MAP_SIZE = 1 << 18, /* small, so that growing it is part of the test */
};

/* The operations of batch NUMBER (from 1). */
void write_model_batch(uint64_t number, struct store_batch *out);

enum verdict {
    VERDICT_RIGHT, /* exactly the first N batches, N at least what was acknowledged */
    VERDICT_ERROR, /* an error says that the file is damaged or unusable */
    VERDICT_CRASH, /* the checking process died, which the node takes for damage */
    VERDICT_WRONG, /* wrong content without an error, or acknowledged batches are missing */
    VERDICT_COUNT
};

/* Opens PATH in a child and compares every row with the model. ACKNOWLEDGED batches must be
 * there, MAXIMUM is how many were ever begun. */
enum verdict torture_check(const char *path, uint64_t acknowledged, uint64_t maximum);

/* The subcommands; exit status. */
int replay_main(int argc, char **argv);
int bit_flips_main(int argc, char **argv);

#endif
