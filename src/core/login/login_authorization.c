/* The authorization request.
 * SPDX-License-Identifier: Apache-2.0 */
#include "login/login_authorization.h"

#include <apr_strings.h>
#include <string.h>

#include "base/url.h"
#include "crypto/crypto.h"
#include "session/step_up.h"

enum { AUTHORIZATION_URL_MAX = 8192 };

/* Makes a path on this host a URL as the browser sees it; absolute URLs stay. */
static const char *absolute(const kc_browser_t *client, const char *url, apr_pool_t *pool)
{
    return url[0] == '/' ? apr_pstrcat(pool, client->public_url, url, NULL) : url;
}

const char *kc_login_authorization_scope(const kc_conf_t *conf, apr_pool_t *pool)
{
    const apr_array_header_t *words = conf->scope;
    const char *text = "openid";
    int i;

    for (i = 0; words && i < words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(words, i, const char *);

        if (strcmp(word, "openid") != 0)
            text = apr_pstrcat(pool, text, " ", word, NULL);
    }
    return text;
}

/* Adds the parameters that an ordinary sign-in does not have. */
static void put_extra_parameters(const kc_login_request_t *request, kc_buf_t *url)
{
    const kc_step_up_t *step_up = &request->step_up;
    int i;

    if (step_up->acr)
        kc_url_put_parameter(url, "acr_values", kc_step_up_acr_values(step_up, url->pool));
    if (step_up->max_age)
        kc_url_put_parameter(url, "max_age",
                             apr_psprintf(url->pool, "%" APR_INT64_T_FMT, step_up->max_age));
    if (request->is_silent)
        kc_url_put_parameter(url, "prompt", "none");
    for (i = 0; request->parameters && i < request->parameters->nelts; i++) {
        const kc_conf_pair_t *pair = &APR_ARRAY_IDX(request->parameters, i, kc_conf_pair_t);

        kc_url_put_parameter(url, pair->name, pair->value);
    }
}

kc_rc_t kc_login_authorization_url(const kc_login_authorization_t *authorization, apr_pool_t *pool,
                                   const char **out, kc_err_t *err)
{
    const kc_rp_t *rp = authorization->rp;
    const kc_browser_t *client = authorization->client;
    const kc_login_state_t *state = authorization->state;
    unsigned char challenge[KC_CRYPTO_SHA256_SIZE];
    kc_bytes_t bytes = {challenge, sizeof(challenge)};
    kc_bytes_t url;
    kc_buf_t buf;
    kc_rc_t rc = kc_crypto_sha256(kc_buf_text(state->verifier), challenge, err);

    if (rc != KC_OK)
        return rc;
    kc_buf_init(&buf, AUTHORIZATION_URL_MAX, pool);
    kc_buf_put_text(&buf, absolute(client, authorization->provider->authorization_endpoint, pool));
    kc_url_put_parameter(&buf, "response_type", "code");
    kc_url_put_parameter(&buf, "client_id", rp->conf->client_id);
    kc_url_put_parameter(&buf, "redirect_uri", kc_rp_redirect_uri(rp, client, pool));
    kc_url_put_parameter(&buf, "scope", kc_login_authorization_scope(rp->conf, pool));
    kc_url_put_parameter(&buf, "state", state->text);
    kc_url_put_parameter(&buf, "nonce", state->nonce);
    kc_url_put_parameter(&buf, "code_challenge", kc_buf_base64url(bytes, pool));
    kc_url_put_parameter(&buf, "code_challenge_method", "S256");
    put_extra_parameters(authorization->request, &buf);
    if (kc_buf_bytes(&buf, &url) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "the authorization URL is over %d bytes",
                       AUTHORIZATION_URL_MAX);
    *out = (const char *)url.data;
    return KC_OK;
}
