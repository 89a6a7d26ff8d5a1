/* The parameters of queries and forms: strict parsing and decoding.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/query.h"

#include <apr_strings.h>
#include <string.h>

#include "base/url.h"

/* ---------------------------------------------------------------- decoding */

/* Bytes of the UTF-8 character at text, 0 when there is none (RFC 3629: shortest form, no
 * surrogates). */
static size_t utf8_len(const unsigned char *text)
{
    unsigned char c = text[0];
    size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((c == 0xe0 && text[1] < 0xa0) || (c == 0xed && text[1] > 0x9f) ||
        (c == 0xf0 && text[1] < 0x90) || (c == 0xf4 && text[1] > 0x8f))
        return 0;
    return len;
}

/* UTF-8 without control characters. */
static int is_clean(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;

    while (*c) {
        size_t len = utf8_len(c);

        if (len == 0 || *c < ' ' || *c == 0x7f)
            return 0;
        c += len;
    }
    return 1;
}

/* Decodes len bytes of a form, with "+" as a space. NULL for malformed escapes, NUL, control
 * characters and invalid UTF-8. */
static char *decode(const char *text, size_t len, apr_pool_t *pool)
{
    char *decoded = apr_palloc(pool, len + 1);
    char *out = decoded;

    for (size_t i = 0; i < len; i++) {
        int byte = (unsigned char)text[i];

        if (byte == '%') {
            byte = len - i > 2 ? kc_url_unescape_at(text + i) : -1;
            if (byte <= 0)
                return NULL;
            i += 2;
        } else if (byte == '+') {
            byte = ' ';
        }
        *out++ = (char)byte;
    }
    *out = '\0';
    return is_clean(decoded) ? decoded : NULL;
}

/* Decodes what is readable; always returns a text. */
static char *decode_for_people(const char *text, size_t len, apr_pool_t *pool)
{
    char *decoded = apr_palloc(pool, len + 1);
    unsigned char *out = (unsigned char *)decoded;

    for (size_t i = 0; i < len; i++) {
        int byte = text[i] == '%' && len - i > 2 ? kc_url_unescape_at(text + i) : -1;

        *out++ = (unsigned char)(byte >= 0 ? byte : text[i] == '+' ? ' ' : text[i]);
        i += byte >= 0 ? 2 : 0;
    }
    len = (size_t)(out - (unsigned char *)decoded);
    *out = '\0';
    for (out = (unsigned char *)decoded; len > 0;) {
        size_t width = utf8_len(out);

        if (width == 0 || *out < ' ' || *out == 0x7f)
            *out = '?';
        width = width ? width : 1;
        out += width;
        len -= width;
    }
    return decoded;
}

/* ---------------------------------------------------------------- queries */

typedef struct {
    const char *name;
    const char *value;
    int is_malformed;
} parameter_t;

struct kc_query_t {
    size_t count;
    parameter_t parameters[KC_QUERY_PARAMETERS_MAX];
};

/* A malformed name matches nothing, because its decoded text has a "?" or "%". */
static void read_leniently(parameter_t *parameter, const char *text, size_t len, size_t name_len,
                           apr_pool_t *pool)
{
    parameter->is_malformed = 1;
    parameter->name = decode_for_people(text, name_len, pool);
    parameter->value =
        name_len < len ? decode_for_people(text + name_len + 1, len - name_len - 1, pool) : "";
}

static kc_rc_t add_parameter(kc_query_t *query, const char *text, size_t len, int is_lenient,
                             apr_pool_t *pool, kc_err_t *err)
{
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : len;
    parameter_t *parameter;

    if (query->count == KC_QUERY_PARAMETERS_MAX)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CALLBACK, "the query has more than %d parameters",
                       KC_QUERY_PARAMETERS_MAX);
    parameter = &query->parameters[query->count++];
    parameter->is_malformed = 0;
    parameter->name = decode(text, name_len, pool);
    parameter->value = equals ? decode(equals + 1, len - name_len - 1, pool) : "";
    if (parameter->name && parameter->value)
        return KC_OK;
    if (!is_lenient)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CALLBACK,
                       "the query has a malformed escape, a control character or invalid UTF-8");
    read_leniently(parameter, text, len, name_len, pool);
    return KC_OK;
}

static kc_rc_t parse_parameters(const char *text, size_t max, int is_lenient, apr_pool_t *pool,
                                const kc_query_t **out, kc_err_t *err)
{
    kc_query_t *query = apr_palloc(pool, sizeof(*query));

    query->count = 0;
    *out = query;
    if (text && strlen(text) > max)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CALLBACK, "the query is longer than %lu bytes",
                       (unsigned long)max);
    while (text && *text) {
        size_t len = strcspn(text, "&");
        kc_rc_t rc = len ? add_parameter(query, text, len, is_lenient, pool, err) : KC_OK;

        if (rc != KC_OK)
            return rc;
        text += text[len] ? len + 1 : len;
    }
    return KC_OK;
}

kc_rc_t kc_query_parse(const char *text, apr_pool_t *pool, const kc_query_t **out, kc_err_t *err)
{
    return parse_parameters(text, KC_URL_MAX, 0, pool, out, err);
}

kc_rc_t kc_query_parse_answer(const char *text, apr_pool_t *pool, const kc_query_t **out,
                              kc_err_t *err)
{
    return parse_parameters(text, KC_URL_MAX, 1, pool, out, err);
}

kc_rc_t kc_query_parse_form(const char *text, size_t len, apr_pool_t *pool, const kc_query_t **out,
                            kc_err_t *err)
{
    if (memchr(text, '\0', len))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CALLBACK, "the form has a NUL");
    return parse_parameters(text, KC_QUERY_FORM_MAX, 0, pool, out, err);
}

static kc_rc_t find_parameter(const kc_query_t *query, const char *name, const parameter_t **out,
                              kc_err_t *err)
{
    *out = NULL;
    for (size_t i = 0; i < query->count; i++) {
        if (strcmp(query->parameters[i].name, name) != 0)
            continue;
        if (*out)
            return KC_FAIL(err, KC_REFUSED, KC_ERR_CALLBACK,
                           "the parameter %.60s is there more than once", name);
        *out = &query->parameters[i];
    }
    return *out ? KC_OK : KC_MISS;
}

kc_rc_t kc_query_text(const kc_query_t *query, const char *name, const char **value, kc_err_t *err)
{
    const parameter_t *found = NULL;
    kc_rc_t rc = find_parameter(query, name, &found, err);

    if (rc == KC_OK)
        *value = found->value;
    return rc;
}

kc_rc_t kc_query_single(const kc_query_t *query, const char *name, const char **value,
                        kc_err_t *err)
{
    const parameter_t *found = NULL;
    kc_rc_t rc = find_parameter(query, name, &found, err);

    if (rc != KC_OK)
        return rc;
    if (found->is_malformed)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CALLBACK,
                       "the parameter %.60s has a malformed escape, a control character or invalid "
                       "UTF-8",
                       name);
    *value = found->value;
    return KC_OK;
}
