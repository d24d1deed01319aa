#include "lbnode/http/http_class.h"

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

bool http_all(struct bytes text, unsigned class_set)
{
    unsigned good = class_set;
    for (size_t i = 0; i < text.size; i++)
        good &= http_classes[text.data[i]] & class_set ? class_set : 0;
    return good != 0;
}
