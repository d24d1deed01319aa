#include "replication/fingerprint.h"

#include "lbnode/crypto/crypto.h"

#include <stdio.h>
#include <string.h>

/* 256 common words that differ in their first four letters, so that they are told apart when
 * they are read out, too. The list is part of the protocol: a word's place is the byte it
 * stands for. */
/* clang-format off */
static const char *const words[] = {
    "acorn", "actor", "album", "amber", "anchor", "ankle", "apple", "apron", "arch", "arrow",
    "atlas", "autumn", "badge", "bagel", "bamboo", "banjo", "barn", "basket", "beacon",
    "beaver", "belt", "bishop", "bison", "blanket", "blossom", "bonnet", "boot", "bottle",
    "branch", "bridge", "broom", "bubble", "bucket", "bugle", "butter", "cabin", "cactus",
    "camel", "candle", "canoe", "carpet", "castle", "cedar", "cellar", "chalk", "cherry",
    "chisel", "cider", "circus", "clover", "cobalt", "coffee", "comet", "copper", "coral",
    "cotton", "cradle", "cricket", "crown", "curtain", "cymbal", "daisy", "dance", "dawn",
    "denim", "desert", "diesel", "dinner", "dolphin", "donkey", "dragon", "drum", "duck",
    "dune", "eagle", "earth", "easel", "echo", "eclipse", "elbow", "elm", "ember", "engine",
    "envoy", "ermine", "fabric", "falcon", "feather", "fence", "fern", "ferry", "fiddle",
    "filter", "finch", "flame", "flute", "fog", "forest", "fossil", "fountain", "fox", "fridge",
    "frost", "fungus", "galaxy", "garden", "garlic", "gate", "ghost", "ginger", "giraffe",
    "glacier", "glove", "goat", "gondola", "grape", "gravel", "guitar", "gull", "hammer",
    "harbor", "hazel", "hedge", "helmet", "heron", "hill", "honey", "hood", "hornet", "hotel",
    "igloo", "indigo", "ink", "iris", "island", "ivory", "jacket", "jaguar", "jelly", "jewel",
    "jigsaw", "jockey", "jungle", "kayak", "kettle", "kiosk", "kitten", "kiwi", "knight",
    "koala", "ladder", "lagoon", "lantern", "laurel", "lemon", "lentil", "lever", "lilac",
    "linen", "lizard", "lobster", "locket", "lotus", "lumber", "magnet", "mango", "maple",
    "marble", "meadow", "melon", "mentor", "meteor", "mirror", "mitten", "monk", "mosaic",
    "moss", "muffin", "mule", "napkin", "nectar", "needle", "nickel", "noodle", "nutmeg",
    "oasis", "oboe", "ocean", "olive", "onion", "opal", "orange", "orchid", "otter", "oven",
    "oxygen", "paddle", "palace", "panda", "parrot", "peach", "pebble", "pelican", "pencil",
    "pepper", "piano", "pigeon", "pillow", "pine", "pirate", "planet", "plum", "pocket", "poem",
    "pond", "puzzle", "quail", "quartz", "quiver", "rabbit", "radar", "radish", "raven",
    "ribbon", "river", "robin", "rocket", "rudder", "saddle", "salmon", "sandal", "satin",
    "scarf", "shadow", "silver", "snail", "tango", "thimble", "tiger", "timber", "trumpet",
    "tulip", "tunnel", "turtle", "umpire", "valley", "vanilla", "velvet", "violin", "walnut",
    "window", "wizard", "yacht", "yogurt", "zebra", "zipper",
};
/* clang-format on */
_Static_assert(sizeof(words) / sizeof(*words) == 256, "a word for each byte");

const char *fingerprint_word(uint8_t value)
{
    return words[value];
}

void fingerprint_make(struct bytes handshake_hash,
                      const struct uuid *cluster_id,
                      const uint8_t joiner_key[SIGN_PUBLIC_KEY_SIZE],
                      const uint8_t inviter_key[SIGN_PUBLIC_KEY_SIZE],
                      uint8_t out[FINGERPRINT_SIZE])
{
    static const char context[] = "lbnode-fingerprint-v1";
    uint8_t hash[HASH_SIZE];
    const struct bytes parts[] = {
        {(const uint8_t *)context, sizeof(context) - 1},
        handshake_hash,
        {cluster_id->bytes, sizeof(cluster_id->bytes)},
        {joiner_key, SIGN_PUBLIC_KEY_SIZE},
        {inviter_key, SIGN_PUBLIC_KEY_SIZE},
    };
    hash_make((struct bytes){0}, parts, ARRAY_LENGTH(parts), hash, sizeof(hash));
    memcpy(out, hash, FINGERPRINT_SIZE);
}

void fingerprint_format(const uint8_t fingerprint[FINGERPRINT_SIZE],
                        char out[FINGERPRINT_TEXT_SIZE])
{
    size_t size = 0;
    for (size_t i = 0; i < FINGERPRINT_SIZE; i++)
        size += (size_t)snprintf(out + size, FINGERPRINT_TEXT_SIZE - size, "%s%s",
                                 i > 0 ? " " : "", words[fingerprint[i]]);
}
