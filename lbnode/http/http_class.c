#include "lbnode/http/http_class.h"

#ifdef __SSE2__
#    include <emmintrin.h>
#endif

#define IS_DIGIT(c) ((c) >= '0' && (c) <= '9')
#define IS_ALPHA(c) (((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z'))
#define IS_HEX(c)   (IS_DIGIT(c) || ((c) >= 'a' && (c) <= 'f') || ((c) >= 'A' && (c) <= 'F'))
#define IS_SUB_DELIM(c)                                                                        \
    ((c) == '!' || (c) == '$' || (c) == '&' || (c) == '\'' || (c) == '(' || (c) == ')' ||      \
     (c) == '*' || (c) == '+' || (c) == ';' || (c) == '=')
#define IS_TCHAR(c)                                                                            \
    (IS_DIGIT(c) || IS_ALPHA(c) || (c) == '!' || (c) == '#' || (c) == '$' || (c) == '%' ||     \
     (c) == '&' || (c) == '\'' || (c) == '*' || (c) == '+' || (c) == '-' || (c) == '.' ||      \
     (c) == '^' || (c) == '_' || (c) == '`' || (c) == '|' || (c) == '~')
#define IS_TARGET(c)                                                                           \
    ((c) > 0x20 && (c) < 0x7f && (c) != '"' && (c) != '<' && (c) != '>' && (c) != '\\' &&      \
     (c) != '^' && (c) != '`' && (c) != '{' && (c) != '|' && (c) != '}' && (c) != '#')
#define IS_VALUE(c) ((c) == '\t' || ((c) >= 0x20 && (c) != 0x7f))
#define IS_HOST(c)                                                                             \
    (IS_DIGIT(c) || IS_ALPHA(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~' ||     \
     (c) == '%' || IS_SUB_DELIM(c))

#define CLASS(c)                                                                               \
    ((IS_TCHAR(c) ? HTTP_CLASS_TCHAR : 0) | (IS_TARGET(c) ? HTTP_CLASS_TARGET : 0) |           \
     (IS_VALUE(c) ? HTTP_CLASS_VALUE : 0) | (IS_HOST(c) ? HTTP_CLASS_HOST : 0) |               \
     (IS_DIGIT(c) ? HTTP_CLASS_DIGIT : 0) | (IS_HEX(c) ? HTTP_CLASS_HEX : 0))
#define CLASS_4(c)  CLASS(c), CLASS((c) + 1), CLASS((c) + 2), CLASS((c) + 3)
#define CLASS_16(c) CLASS_4(c), CLASS_4((c) + 4), CLASS_4((c) + 8), CLASS_4((c) + 12)
#define CLASS_64(c) CLASS_16(c), CLASS_16((c) + 16), CLASS_16((c) + 32), CLASS_16((c) + 48)

const uint8_t http_classes[256] = {CLASS_64(0), CLASS_64(64), CLASS_64(128), CLASS_64(192)};

bool http_all_scalar(struct bytes text, unsigned class_set)
{
    unsigned good = class_set;
    for (size_t i = 0; i < text.size; i++)
        good &= http_classes[text.data[i]] & class_set ? class_set : 0;
    return good != 0;
}

#ifdef __SSE2__

enum {
    BLOCK = sizeof(__m128i)
};

static __m128i bytes_of(char c)
{
    return _mm_set1_epi8(c);
}

/* Bytes outside HTTP_CLASS_VALUE: controls but HTAB, and DEL. */
static __m128i bad_in_value(__m128i block)
{
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, bytes_of(0x1f)), block);
    __m128i allowed = _mm_cmpeq_epi8(block, bytes_of('\t'));
    return _mm_or_si128(_mm_andnot_si128(allowed, control),
                        _mm_cmpeq_epi8(block, bytes_of(0x7f)));
}

/* Bytes outside HTTP_CLASS_TARGET: what is not printable ASCII, and ten of what is. */
static __m128i bad_in_target(__m128i block)
{
    static const char refused[] = {'"', '<', '>', '\\', '^', '`', '{', '|', '}', '#', 0x7f};
    __m128i bad = _mm_cmpeq_epi8(_mm_min_epu8(block, bytes_of(0x20)), block);
    bad = _mm_or_si128(bad, _mm_cmplt_epi8(block, _mm_setzero_si128())); /* 0x80 and above */
    for (size_t i = 0; i < sizeof(refused); i++)
        bad = _mm_or_si128(bad, _mm_cmpeq_epi8(block, bytes_of(refused[i])));
    return bad;
}

bool http_all(struct bytes text, unsigned class_set)
{
    bool is_value = class_set == HTTP_CLASS_VALUE;
    if (!is_value && class_set != HTTP_CLASS_TARGET)
        return http_all_scalar(text, class_set);
    __m128i bad = _mm_setzero_si128();
    while (text.size >= BLOCK) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)text.data);
        bad = _mm_or_si128(bad, is_value ? bad_in_value(block) : bad_in_target(block));
        text.data += BLOCK;
        text.size -= BLOCK;
    }
    return _mm_movemask_epi8(bad) == 0 && http_all_scalar(text, class_set);
}

#else

bool http_all(struct bytes text, unsigned class_set)
{
    return http_all_scalar(text, class_set);
}

#endif
