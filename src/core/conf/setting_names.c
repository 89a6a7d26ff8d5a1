/* What messages call a directive that something else has written.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/setting_names.h"

#include <apr_lib.h>
#include <string.h>

#include "conf/conf_parse.h"
#include "conf/conf_table.h"

static const char beginning[] = "Keycloak"; /* of each directive */

static int is_directive(const char *word, size_t len)
{
    int i;

    for (i = 0; i < KC_CONF_ROWS; i++) {
        const char *name = kc_conf_table_row((kc_conf_index_t)i)->name;

        if (strlen(name) == len && strncmp(name, word, len) == 0)
            return 1;
    }
    return 0;
}

kc_rc_t kc_setting_names_check(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    const apr_array_header_t *names = conf->setting_names;
    int i;

    (void)pool;
    for (i = 0; names && i < names->nelts; i++) {
        const char *word = APR_ARRAY_IDX(names, i, const char *);
        const char *name = strchr(word, '=');

        if (!name || !is_directive(word, (size_t)(name - word)))
            return KC_CONF_REFUSE(err,
                                  "needs DIRECTIVE=NAME with a directive of this module, not "
                                  "'%.120s'",
                                  word);
        if (!kc_conf_parse_is_token(name + 1))
            return KC_CONF_REFUSE(err, "needs a name of letters, digits, - and _, not '%.120s'",
                                  name + 1);
    }
    return KC_OK;
}

/* The name in place of the directive that is so long; NULL: it has none. */
static const char *name_of(const apr_array_header_t *names, const char *directive, size_t len)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *word = APR_ARRAY_IDX(names, i, const char *);

        if (strncmp(word, directive, len) == 0 && word[len] == '=')
            return word + len + 1;
    }
    return NULL;
}

static size_t word_length(const char *at)
{
    size_t len = 0;

    while (apr_isalnum(at[len]) || at[len] == '_')
        len++;
    return len;
}

void kc_setting_names_apply(const apr_array_header_t *names, const char *text, char *out,
                            size_t size)
{
    size_t used = 0;

    while (*text && used + 1 < size) {
        size_t len = word_length(text), room = size - 1 - used;
        const char *name = NULL, *from = text;

        if (names && len >= sizeof(beginning) &&
            strncmp(text, beginning, sizeof(beginning) - 1) == 0)
            name = name_of(names, text, len);
        text += len ? len : 1;
        len = name ? strlen(name) : (size_t)(text - from);
        if (len > room)
            len = room;
        memcpy(out + used, name ? name : from, len);
        used += len;
    }
    out[used] = '\0';
}
