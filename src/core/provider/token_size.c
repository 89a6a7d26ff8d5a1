/* Whether a token of the provider is too large, and what makes it large.
 * SPDX-License-Identifier: Apache-2.0 */
#include "provider/token_size.h"

#include <apr_strings.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "crypto/jws.h"

/* The largest claim. */
typedef struct largest_t {
    apr_pool_t *pool;
    const char *name; /* NULL: none yet */
    size_t len;       /* bytes of its JSON */
    size_t entries;   /* of a list or object; 0: it is neither */
} largest_t;

static void weigh(void *context, const char *name, const kc_json_t *value)
{
    largest_t *largest = context;
    size_t len = strlen(kc_json_dump(value, largest->pool));

    if (largest->name && len <= largest->len)
        return;
    largest->name = name;
    largest->len = len;
    largest->entries = kc_json_size(value);
}

/* The claims of its payload; NULL when it cannot be read. */
static const kc_json_t *read_claims(const char *compact, apr_pool_t *pool)
{
    const char *payload = strchr(compact, '.');
    const kc_json_t *claims = NULL;
    kc_bytes_t text;

    if (!payload++ || kc_buf_unbase64url(payload, strcspn(payload, "."), pool, &text) != KC_OK ||
        kc_json_parse((const char *)text.data, text.len, pool, &claims, NULL) != KC_OK)
        return NULL;
    return claims;
}

kc_rc_t kc_token_size_check(const char *name, const char *compact, apr_pool_t *pool, kc_err_t *err)
{
    size_t len = strlen(compact);
    largest_t largest = {pool, NULL, 0, 0};
    const kc_json_t *claims;

    if (len <= KC_JWS_MAX)
        return KC_OK;
    claims = read_claims(compact, pool);
    if (claims)
        kc_json_each(claims, weigh, &largest);
    if (!largest.name)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_SIZE,
                       "the %s token has %zu bytes, more than %d", name, len, KC_JWS_MAX);
    return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_SIZE,
                   "the %s token has %zu bytes, more than %d: the mapper of its claim %.60s puts "
                   "%s%zu bytes there: have it put in less, or nothing (Add to %s token: off)",
                   name, len, KC_JWS_MAX, largest.name,
                   largest.entries
                       ? apr_psprintf(pool, "%" APR_SIZE_T_FMT " entries of ", largest.entries)
                       : "",
                   largest.len, name);
}
