#include "lbnode/cli/history_bar.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

static const char *const marks[2][2] = {{".", "|"}, {"\u2581", "\u2588"}};

void history_bar_write(const char *history, bool unicode, struct text *out)
{
    for (const char *at = history; *at; at++)
        if (*at == '0' || *at == '1')
            text_append_string(out, marks[unicode][*at - '0']);
}

const char *history_bar_legend(bool unicode)
{
    return unicode ? "\u2588 answered, \u2581 failed" : "| answered, . failed";
}

bool history_bar_may_be_unicode(void)
{
    if (!isatty(STDOUT_FILENO))
        return false;
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    bool unicode = locale && strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    if (locale)
        freelocale(locale);
    return unicode;
}
