/* The names of parameters that links may pass on to Keycloak's sign-in page: their check.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/login_names.h"

#include <string.h>
#include <strings.h>

#include "conf/conf_table.h"

/* Case is ignored, because some providers ignore it. */
static int is_reserved(const char *name)
{
    static const char *const names[] = {
        /* of the authorization request and its extensions: OpenID Connect Core 1.0 sections
         * 3.1.2.1, 4, 6 and 7, RFC 6749, 7636, 8707, 9101, 9126, 9396, 9449 */
        "acr_values", "audience", "authorization_details", "claims", "client_assertion",
        "client_assertion_type", "client_id", "client_secret", "code", "code_challenge",
        "code_challenge_method", "code_verifier", "dpop_jkt", "error", "error_description",
        "grant_type", "id_token_hint", "iss", "issuer", "max_age", "nonce", "password", "prompt",
        "redirect_uri", "registration", "request", "request_uri", "resource", "response",
        "response_mode", "response_type", "scope", "session_state", "state", "username",
        /* of the login address */
        KC_LOGIN_NAMES_STEP_UP, "return", "target_link_uri"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(name, names[i]) == 0)
            return 1;
    }
    return 0;
}

static int is_plain(const char *name)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    size_t len = strlen(name);

    return len && len <= KC_LOGIN_NAMES_LEN_MAX && strspn(name, plain) == len;
}

static int is_among(const apr_array_header_t *names, int count, const char *name)
{
    int i;

    for (i = 0; i < count; i++) {
        if (strcmp(APR_ARRAY_IDX(names, i, const char *), name) == 0)
            return 1;
    }
    return 0;
}

int kc_login_names_is_none(const apr_array_header_t *names)
{
    return names->nelts == 1 && strcmp(APR_ARRAY_IDX(names, 0, const char *), KC_CONF_NONE) == 0;
}

static kc_rc_t check_name(const apr_array_header_t *names, int index, kc_err_t *err)
{
    const char *name = APR_ARRAY_IDX(names, index, const char *);

    if (!is_plain(name))
        return KC_CONF_REFUSE(
            err,
            "takes names of up to %d letters, digits, hyphens, dots and underscores, "
            "not '%.80s'",
            KC_LOGIN_NAMES_LEN_MAX, name);
    if (is_reserved(name))
        return KC_CONF_REFUSE(err, "cannot let links set %.80s: the sign-in depends on it", name);
    if (strcmp(name, KC_CONF_NONE) == 0)
        return KC_CONF_REFUSE(err, "takes " KC_CONF_NONE " alone, or names");
    if (is_among(names, index, name))
        return KC_CONF_REFUSE(err, "names %.80s twice", name);
    return KC_OK;
}

kc_rc_t kc_login_names_check(const apr_array_header_t *names, kc_err_t *err)
{
    kc_rc_t rc = KC_OK;
    int i;

    if (!names || kc_login_names_is_none(names))
        return KC_OK;
    if (names->nelts > KC_LOGIN_NAMES_MAX)
        return KC_CONF_REFUSE(err, "takes up to %d names, not %d", KC_LOGIN_NAMES_MAX,
                              names->nelts);
    for (i = 0; rc == KC_OK && i < names->nelts; i++)
        rc = check_name(names, i, err);
    return rc;
}
