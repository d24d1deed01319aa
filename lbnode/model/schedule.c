#include "lbnode/model/schedule.h"

#include <stdlib.h>

static uint32_t greatest_common_divisor(uint32_t a, uint32_t b)
{
    while (b > 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint64_t sum_of_weights(const struct schedule_member *members, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += members[i].weight;
    return sum;
}

static void divide_by_common(struct schedule_member *members, size_t count)
{
    uint32_t divisor = 0;
    for (size_t i = 0; i < count; i++)
        divisor = greatest_common_divisor(members[i].weight, divisor);
    for (size_t i = 0; i < count && divisor > 1; i++)
        members[i].weight /= divisor;
}

/* Each member keeps at least one turn; the rest of the bound is shared by weight. */
static void scale_down(struct schedule_member *members, size_t count, uint64_t sum)
{
    uint64_t spare = count < SCHEDULE_MAXIMUM_LENGTH ? SCHEDULE_MAXIMUM_LENGTH - count : 0;
    for (size_t i = 0; i < count; i++)
        members[i].weight = (uint32_t)(1 + members[i].weight * spare / sum);
}

size_t schedule_prepare(struct schedule_member *members, size_t count)
{
    divide_by_common(members, count);
    uint64_t sum = sum_of_weights(members, count);
    if (sum > SCHEDULE_MAXIMUM_LENGTH) {
        scale_down(members, count, sum);
        divide_by_common(members, count);
        sum = sum_of_weights(members, count);
    }
    return (size_t)sum;
}

/* All members of one weight. Classes are interleaved by weight, members within a class take
 * turns: as even as interleaving all of them, and never quadratic in the members. */
struct weight_class {
    size_t first, count, next;
    int64_t weight, credit; /* of the class as a whole */
};

static int compare_members(const void *a, const void *b)
{
    const struct schedule_member *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static size_t
make_classes(const struct schedule_member *members, size_t count, struct weight_class *classes)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || members[i].weight != members[i - 1].weight)
            classes[used++] = (struct weight_class){.first = i};
        classes[used - 1].count++;
        classes[used - 1].weight += members[i].weight;
    }
    return used;
}

/* The class with the most credit is served and pays the sum of all (nginx's algorithm). */
static struct weight_class *next_class(struct weight_class *classes, size_t count, int64_t sum)
{
    struct weight_class *best = &classes[0];
    for (size_t i = 0; i < count; i++) {
        classes[i].credit += classes[i].weight;
        if (classes[i].credit > best->credit)
            best = &classes[i];
    }
    best->credit -= sum;
    return best;
}

bool schedule_fill(struct schedule_member *members, size_t count, uint16_t *out)
{
    if (count == 0)
        return true;
    struct weight_class *classes = calloc(count, sizeof(*classes));
    if (!classes)
        return false;
    qsort(members, count, sizeof(*members), compare_members);
    size_t class_count = make_classes(members, count, classes);
    uint64_t sum = sum_of_weights(members, count);
    for (uint64_t turn = 0; turn < sum; turn++) {
        struct weight_class *best = next_class(classes, class_count, (int64_t)sum);
        out[turn] = members[best->first + best->next].number;
        best->next = best->next + 1 == best->count ? 0 : best->next + 1;
    }
    free(classes);
    return true;
}
