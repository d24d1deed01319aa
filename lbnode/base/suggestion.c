#include "lbnode/base/suggestion.h"

#include <string.h>

enum {
    WORD_MAXIMUM = 48
};

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* Letters to insert, delete, replace or swap with their neighbour to get from A to B. */
static unsigned edit_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    unsigned rows[3][WORD_MAXIMUM + 1];
    unsigned *before = rows[0], *previous = rows[1], *current = rows[2];
    for (size_t j = 0; j <= b_size; j++)
        previous[j] = (unsigned)j;
    for (size_t i = 1; i <= a_size; i++) {
        current[0] = (unsigned)i;
        for (size_t j = 1; j <= b_size; j++) {
            unsigned differs = a[i - 1] != b[j - 1];
            current[j] =
                smallest(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + differs);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < current[j])
                current[j] = before[j - 2] + 1;
        }
        unsigned *oldest = before;
        before = previous;
        previous = current;
        current = oldest;
    }
    return previous[b_size];
}

void suggestion_init(struct suggestion *suggestion, const char *word)
{
    size_t size = strlen(word);
    suggestion->word = word;
    suggestion->nearest = NULL;
    suggestion->distance = size < 4 ? 2 : 3; /* only what is nearer than this counts */
}

void suggestion_offer(struct suggestion *suggestion, const char *candidate)
{
    size_t word_size = strlen(suggestion->word), size = strlen(candidate);
    if (word_size > WORD_MAXIMUM || size > WORD_MAXIMUM)
        return;
    unsigned distance = edit_distance(suggestion->word, word_size, candidate, size);
    /* A word that was cut short is as near as one wrong letter. */
    if (word_size >= 3 && strncmp(suggestion->word, candidate, word_size) == 0 && distance > 1)
        distance = 1;
    if (distance < suggestion->distance) {
        suggestion->distance = distance;
        suggestion->nearest = candidate;
    }
}
