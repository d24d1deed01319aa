/* "Did you mean ...": the nearest of the valid words to one that is not. */
#ifndef LBNODE_BASE_SUGGESTION_H
#define LBNODE_BASE_SUGGESTION_H

struct suggestion {
    const char *word;    /* what was given; not owned */
    const char *nearest; /* the nearest candidate so far, NULL while none is near enough */
    unsigned distance;
};

/* for each valid word: suggestion_offer(&suggestion, candidate); then read `nearest`.
 * Candidates must outlive the suggestion. */
void suggestion_init(struct suggestion *suggestion, const char *word);
void suggestion_offer(struct suggestion *suggestion, const char *candidate);

#endif
