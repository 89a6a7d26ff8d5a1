/* What a link to the login address may ask for: read, and what of it may go on to Keycloak.
 * SPDX-License-Identifier: Apache-2.0 */
#include "login/login_parameters.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "base/url.h"
#include "login/login_state.h"
#include "rp.h"

/* ---------------------------------------------------------------- names */

/* In any case: some providers do not tell cases apart. */
static int is_reserved(const char *name)
{
    static const char *const names[] = {
        /* of the authorization request and what extends it: OpenID Connect Core 1.0 sections
         * 3.1.2.1, 4, 6 and 7, RFC 6749, 7636, 8707, 9101, 9126, 9396, 9449 */
        "acr_values", "audience", "authorization_details", "claims", "client_assertion",
        "client_assertion_type", "client_id", "client_secret", "code", "code_challenge",
        "code_challenge_method", "code_verifier", "dpop_jkt", "error", "error_description",
        "grant_type", "id_token_hint", "iss", "issuer", "max_age", "nonce", "password", "prompt",
        "redirect_uri", "registration", "request", "request_uri", "resource", "response",
        "response_mode", "response_type", "scope", "session_state", "state", "username",
        /* of the login address */
        KC_LOGIN_PARAMETERS_DEMAND, "return", "target_link_uri"};
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

    return len && len <= KC_LOGIN_PARAMETERS_NAME_MAX && strspn(name, plain) == len;
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

static int is_none(const apr_array_header_t *names)
{
    return names->nelts == 1 && strcmp(APR_ARRAY_IDX(names, 0, const char *), KC_CONF_NONE) == 0;
}

static kc_rc_t check_name(const apr_array_header_t *names, int place, kc_err_t *err)
{
    const char *name = APR_ARRAY_IDX(names, place, const char *);

    if (!is_plain(name))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG,
                       "takes names of up to %d letters, digits, hyphens, dots and underscores, "
                       "not '%.80s'",
                       KC_LOGIN_PARAMETERS_NAME_MAX, name);
    if (is_reserved(name))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG,
                       "cannot let links set %.80s: the sign-in depends on it", name);
    if (strcmp(name, KC_CONF_NONE) == 0)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "takes " KC_CONF_NONE " alone, or names");
    if (is_among(names, place, name))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "names %.80s twice", name);
    return KC_OK;
}

kc_rc_t kc_login_parameters_check(const apr_array_header_t *names, kc_err_t *err)
{
    kc_rc_t rc = KC_OK;
    int i;

    if (!names || is_none(names))
        return KC_OK;
    if (names->nelts > KC_LOGIN_PARAMETERS_MAX)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "takes up to %d names, not %d",
                       KC_LOGIN_PARAMETERS_MAX, names->nelts);
    for (i = 0; rc == KC_OK && i < names->nelts; i++)
        rc = check_name(names, i, err);
    return rc;
}

/* ---------------------------------------------------------------- a link */

/* A parameter that may be absent, and then is NULL. */
static kc_rc_t optional(const kc_url_query_t *query, const char *name, const char **value,
                        kc_err_t *err)
{
    *value = NULL;
    if (kc_url_query_single(query, name, value, NULL) == KC_REFUSED)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM, "the login address has %.64s twice", name);
    return KC_OK;
}

static kc_rc_t read_page(const kc_url_query_t *query, kc_login_request_t *out, kc_err_t *err)
{
    const char *page, *target;

    if (optional(query, "return", &page, err) != KC_OK ||
        optional(query, "target_link_uri", &target, err) != KC_OK)
        return KC_REFUSED;
    out->return_url = page ? page : target ? target : "/";
    return KC_OK;
}

static kc_rc_t check_issuer(const kc_rp_t *rp, const kc_url_query_t *query, kc_err_t *err)
{
    const char *issuer;
    kc_rc_t rc = optional(query, "iss", &issuer, err);

    if (rc == KC_OK && issuer && strcmp(issuer, rp->conf->issuer) != 0)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM,
                       "the login address was asked for the issuer '%.100s'", issuer);
    return rc;
}

static kc_rc_t read_kind(const kc_rp_t *rp, const kc_url_query_t *query, apr_pool_t *pool,
                         kc_login_request_t *out, kc_err_t *err)
{
    const char *prompt, *demand;

    if (optional(query, "prompt", &prompt, err) != KC_OK ||
        optional(query, KC_LOGIN_PARAMETERS_DEMAND, &demand, err) != KC_OK)
        return KC_REFUSED;
    out->is_silent = prompt && strcmp(prompt, "none") == 0;
    if (demand)
        (void)kc_step_up_unseal(rp, demand, pool, &out->demand, NULL);
    return KC_OK;
}

static kc_rc_t read_parameters(const kc_rp_t *rp, const kc_url_query_t *query, apr_pool_t *pool,
                               kc_login_request_t *out, kc_err_t *err)
{
    const apr_array_header_t *names = rp->conf->login_parameters;
    apr_array_header_t *pairs = apr_array_make(pool, 4, sizeof(kc_conf_pair_t));
    size_t size = 0;
    int i;

    for (i = 0; !is_none(names) && i < names->nelts; i++) {
        kc_conf_pair_t pair = {APR_ARRAY_IDX(names, i, const char *), NULL};

        if (optional(query, pair.name, &pair.value, err) != KC_OK)
            return KC_REFUSED;
        if (!pair.value || !*pair.value)
            continue;
        size += strlen(pair.value);
        if (strlen(pair.value) > KC_LOGIN_PARAMETERS_VALUE_MAX ||
            size > KC_LOGIN_PARAMETERS_VALUES_MAX)
            return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM,
                           "%.64s is over %d bytes, or all parameters are over %d", pair.name,
                           KC_LOGIN_PARAMETERS_VALUE_MAX, KC_LOGIN_PARAMETERS_VALUES_MAX);
        APR_ARRAY_PUSH(pairs, kc_conf_pair_t) = pair;
    }
    out->parameters = pairs;
    return KC_OK;
}

kc_rc_t kc_login_parameters_read(const kc_rp_t *rp, const char *query, apr_pool_t *pool,
                                 kc_login_request_t *out, kc_err_t *err)
{
    const kc_url_query_t *parsed;
    kc_err_t why = {KC_ERR_NONE, NULL, 0, ""};
    kc_rc_t rc;

    memset(out, 0, sizeof(*out));
    if (kc_url_query_parse(query, pool, &parsed, &why) != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM, "%.200s", why.detail);
    rc = read_page(parsed, out, err);
    if (rc == KC_OK)
        rc = check_issuer(rp, parsed, err);
    if (rc == KC_OK)
        rc = read_kind(rp, parsed, pool, out, err);
    return rc == KC_OK ? read_parameters(rp, parsed, pool, out, err) : rc;
}

const char *kc_login_parameters_query(const kc_login_request_t *request, apr_pool_t *pool)
{
    const char *text = apr_pstrcat(pool, "return=", kc_url_escape(request->return_url, pool), NULL);
    int i;

    if (request->is_silent)
        text = apr_pstrcat(pool, text, "&prompt=none", NULL);
    for (i = 0; request->parameters && i < request->parameters->nelts; i++) {
        const kc_conf_pair_t *pair = &APR_ARRAY_IDX(request->parameters, i, kc_conf_pair_t);

        text =
            apr_pstrcat(pool, text, "&", pair->name, "=", kc_url_escape(pair->value, pool), NULL);
    }
    return text;
}
