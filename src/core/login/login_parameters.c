/* The parameters of a link to the login address: read, and checked for what may be passed on to
 * Keycloak.
 * SPDX-License-Identifier: Apache-2.0 */
#include "login/login_parameters.h"

#include <apr_strings.h>
#include <string.h>

#include "base/query.h"
#include "base/url.h"
#include "conf/login_names.h"
#include "login/login_state.h"
#include "rp.h"

/* Reads a parameter that may be absent, and then is NULL. */
static kc_rc_t optional(const kc_query_t *query, const char *name, const char **value,
                        kc_err_t *err)
{
    *value = NULL;
    if (kc_query_single(query, name, value, NULL) == KC_REFUSED)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM, "the login address has %.64s twice", name);
    return KC_OK;
}

static kc_rc_t read_page(const kc_query_t *query, kc_login_request_t *out, kc_err_t *err)
{
    const char *page, *target;

    if (optional(query, "return", &page, err) != KC_OK ||
        optional(query, "target_link_uri", &target, err) != KC_OK)
        return KC_REFUSED;
    out->return_url = page ? page : target ? target : "/";
    return KC_OK;
}

static kc_rc_t check_issuer(const kc_rp_t *rp, const kc_query_t *query, kc_err_t *err)
{
    const char *issuer;
    kc_rc_t rc = optional(query, "iss", &issuer, err);

    if (rc == KC_OK && issuer && strcmp(issuer, rp->conf->issuer) != 0)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM,
                       "the login address was asked for the issuer '%.100s'", issuer);
    return rc;
}

static kc_rc_t read_kind(const kc_rp_t *rp, const kc_query_t *query, apr_pool_t *pool,
                         kc_login_request_t *out, kc_err_t *err)
{
    const char *prompt, *step_up;

    if (optional(query, "prompt", &prompt, err) != KC_OK ||
        optional(query, KC_LOGIN_NAMES_STEP_UP, &step_up, err) != KC_OK)
        return KC_REFUSED;
    out->is_silent = prompt && strcmp(prompt, "none") == 0;
    if (step_up)
        (void)kc_step_up_unseal(rp, step_up, pool, &out->step_up, NULL);
    return KC_OK;
}

static kc_rc_t read_parameters(const kc_rp_t *rp, const kc_query_t *query, apr_pool_t *pool,
                               kc_login_request_t *out, kc_err_t *err)
{
    const apr_array_header_t *names = rp->conf->login_parameters;
    apr_array_header_t *pairs = apr_array_make(pool, 4, sizeof(kc_conf_pair_t));
    size_t size = 0;
    int i;

    for (i = 0; !kc_login_names_is_none(names) && i < names->nelts; i++) {
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
    const kc_query_t *parsed;
    kc_err_t why = {KC_ERR_NONE, NULL, 0, ""};
    kc_rc_t rc;

    memset(out, 0, sizeof(*out));
    if (kc_query_parse(query, pool, &parsed, &why) != KC_OK)
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
