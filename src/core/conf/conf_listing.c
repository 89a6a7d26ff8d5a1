/* The effective settings as text that may be shown to anybody.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_listing.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "conf/conf_parse.h"

static const char masked[] = "...";

/* The characters that end a URL within a text. */
static int is_end(char c)
{
    return !c || c == ' ' || c == '\t' || c == '"' || c == '\'';
}

static void put_plain(kc_buf_t *buf, char c)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char byte = (unsigned char)c;
    char escaped[] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};

    if (byte < ' ' || byte >= 0x7f)
        kc_buf_put(buf, escaped, sizeof(escaped));
    else
        kc_buf_put(buf, &c, 1);
}

static void put_all(kc_buf_t *buf, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        put_plain(buf, text[i]);
}

/* The values of a query, which begins at text: from each "=" to the next "&" or ";". */
static size_t put_query(kc_buf_t *buf, const char *text)
{
    size_t len = 0;

    while (!is_end(text[len])) {
        size_t name = strcspn(text + len, "=&;# \t\"'");

        put_all(buf, text + len, name);
        len += name;
        if (text[len] == '=') {
            kc_buf_put_text(buf, "=");
            kc_buf_put_text(buf, masked);
            len += strcspn(text + len, "&;# \t\"'");
        }
        if (text[len] == '#') {
            while (!is_end(text[len]))
                put_plain(buf, text[len++]);
        }
        if (!is_end(text[len]))
            put_plain(buf, text[len++]);
    }
    return len;
}

/* What is behind "://": its user information is all before the last "@" of the authority. */
static size_t put_authority(kc_buf_t *buf, const char *text)
{
    size_t len = 0, user = 0;

    while (!is_end(text[len]) && !strchr("/?#", text[len]) && strncmp(text + len, "://", 3) != 0) {
        if (text[len++] == '@')
            user = len;
    }
    if (user) {
        kc_buf_put_text(buf, masked);
        kc_buf_put_text(buf, "@");
    }
    put_all(buf, text + user, len - user);
    return len;
}

/* is_address: all of the text is a URL, or a path with a query. */
static const char *plain(const char *text, int is_address, apr_pool_t *pool)
{
    int is_url = is_address;
    kc_bytes_t bytes;
    kc_buf_t buf;

    kc_buf_init(&buf, 4 * strlen(text) + strlen(text) * sizeof(masked) + 1, pool);
    while (*text) {
        if (strncmp(text, "://", 3) == 0) {
            kc_buf_put_text(&buf, "://");
            text += 3;
            text += put_authority(&buf, text);
            is_url = 1;
        } else if (is_url && *text == '?') {
            kc_buf_put_text(&buf, "?");
            text++;
            text += put_query(&buf, text);
        } else {
            is_url = is_address || (is_url && !is_end(*text));
            put_plain(&buf, *text++);
        }
    }
    return kc_buf_bytes(&buf, &bytes) == KC_OK ? (const char *)bytes.data : masked;
}

const char *kc_conf_listing_plain(const char *text, apr_pool_t *pool)
{
    return plain(text, 0, pool);
}

/* The length of the arguments up to and with "expr" behind any "not"; 0: another provider. */
static size_t expression_at(const char *arguments)
{
    static const char blanks[] = " \t\"'", word[] = "expr";
    size_t at = strspn(arguments, blanks), len = sizeof(word) - 1;

    if (strncasecmp(arguments + at, "not", 3) == 0) {
        at += 3;
        at += strspn(arguments + at, blanks);
    }
    if (strncasecmp(arguments + at, word, len) != 0 || apr_isalnum(arguments[at + len]))
        return 0;
    return at + len;
}

const char *kc_conf_listing_require(const char *arguments, apr_pool_t *pool)
{
    size_t len = expression_at(arguments);

    if (!len)
        return plain(arguments, 0, pool);
    return apr_pstrcat(pool, plain(apr_pstrndup(pool, arguments, len), 0, pool), " ", masked, NULL);
}

static const kc_conf_position_t *position_of(const void *conf, kc_conf_index_t index)
{
    return kc_conf_table_row(index)->is_directory ? &((const kc_conf_dir_t *)conf)->position[index]
                                                  : &((const kc_conf_t *)conf)->position[index];
}

static int is_address(kc_conf_type_t type)
{
    return type == KC_CONF_URL || type == KC_CONF_ORIGIN || type == KC_CONF_BASE ||
           type == KC_CONF_LOCATION;
}

const char *kc_conf_listing_host(const char *text, apr_pool_t *pool)
{
    static const char scheme[] = "http://";

    return plain(apr_pstrcat(pool, scheme, text, NULL), 0, pool) + sizeof(scheme) - 1;
}

/* The arguments of a program may be secrets, as those of exec: may. */
static const char *without_arguments(const char *text, apr_pool_t *pool)
{
    size_t len = strspn(text, "|$ \t");

    if (*text != '|')
        return text;
    len += strcspn(text + len, " \t");
    return text[len] ? apr_psprintf(pool, "%.*s %s", (int)len, text, masked) : text;
}

const char *kc_conf_listing_value(const void *conf, kc_conf_index_t index, apr_pool_t *pool)
{
    const kc_conf_row_t *row = kc_conf_table_row(index);
    const apr_array_header_t *sources = position_of(conf, index)->sources;

    if (sources)
        return apr_psprintf(pool, "(secret, %s)",
                            plain(apr_array_pstrcat(pool, sources, ' '), 0, pool));
    return plain(
        without_arguments(kc_conf_parse_dump(index, (const char *)conf + row->offset, pool), pool),
        is_address(row->type), pool);
}

const char *kc_conf_listing_origin(const void *conf, const void *main, kc_conf_index_t index,
                                   apr_pool_t *pool)
{
    const kc_conf_position_t *position = position_of(conf, index);
    const kc_conf_position_t *global = main ? position_of(main, index) : NULL;
    int is_inherited;

    if (!position->file)
        return "default";
    is_inherited = global && global->file && global->line == position->line &&
                   strcmp(global->file, position->file) == 0;
    return apr_psprintf(pool, "%s:%d%s", plain(position->file, 0, pool), position->line,
                        is_inherited ? ", main server" : "");
}
