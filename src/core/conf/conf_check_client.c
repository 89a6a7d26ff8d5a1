/* Checks of the client's settings at Keycloak: id, secret, key, certificates, scopes, algorithms.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_check_client.h"

#include <apr_strings.h>
#include <string.h>

#include "conf/conf_pem.h"
#include "conf/conf_secret.h"
#include "crypto/jose.h"

kc_rc_t kc_conf_check_client_id(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    (void)pool;
    return conf->client_id ? KC_OK
                           : KC_CONF_REFUSE(err, "is missing: name the client that the realm knows "
                                                 "this site by");
}

kc_rc_t kc_conf_check_client_secret(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    int is_needed = conf->client_auth == KC_AUTH_BASIC || conf->client_auth == KC_AUTH_POST ||
                    conf->client_auth == KC_AUTH_SECRET_JWT;

    (void)pool;
    if (!is_needed || conf->client_secret.text)
        return KC_OK;
    return KC_CONF_REFUSE(err,
                          "is missing: copy it from the client's credentials in Keycloak into a "
                          "file and name that as file:PATH, or set KeycloakClientAuth");
}

/* Signs with the private JWK to check it; the signed text does not matter. */
static kc_rc_t check_jwk(const char *path, const char *text, apr_pool_t *pool, kc_err_t *err)
{
    char *compact;

    if (kc_jose_sign_jwk(kc_json_new_object(pool), text, pool, &compact, NULL) == KC_OK)
        return KC_OK;
    return KC_CONF_REFUSE(err, "%.120s has no private key as a JWK, RSA of %d bits or more or EC",
                          path, KC_JOSE_RSA_MIN);
}

int kc_conf_check_client_needs_cert(const kc_conf_t *conf)
{
    return conf->client_auth == KC_AUTH_TLS;
}

int kc_conf_check_client_needs_key(const kc_conf_t *conf)
{
    return conf->client_auth == KC_AUTH_TLS || conf->client_auth == KC_AUTH_PRIVATE_KEY_JWT;
}

kc_rc_t kc_conf_check_client_key(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    int is_jwk = conf->client_auth == KC_AUTH_PRIVATE_KEY_JWT;
    const char *text;
    kc_rc_t rc;

    if (!kc_conf_check_client_needs_key(conf))
        return KC_OK;
    if (!conf->client_key.path)
        return KC_CONF_REFUSE(err, "is missing: KeycloakClientAuth private_key_jwt and "
                                   "tls_client_auth need it");
    rc = kc_conf_secret_text(&conf->client_key, 1, pool, &text, err);
    if (rc != KC_OK)
        return rc;
    return is_jwk ? check_jwk(conf->client_key.path, text, pool, err)
                  : kc_conf_pem_check_key(conf, text, pool, err);
}

kc_rc_t kc_conf_check_client_cert(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    (void)pool;
    if (kc_conf_check_client_needs_cert(conf) && !conf->client_cert.path)
        return KC_CONF_REFUSE(err, "is missing: KeycloakClientAuth tls_client_auth needs it");
    return KC_OK;
}

/* RFC 6749 section 3.3. */
kc_rc_t kc_conf_check_client_scope(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    (void)pool;
    for (int i = 0; i < conf->scope->nelts; i++) {
        const char *word = APR_ARRAY_IDX(conf->scope, i, const char *);

        for (const char *c = word; *c; c++) {
            if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\')
                return KC_CONF_REFUSE(err,
                                      "takes scopes one by one, separated by blanks; '%.80s' "
                                      "is none",
                                      word);
        }
    }
    return KC_OK;
}

kc_rc_t kc_conf_check_client_algorithms(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    static const char known[] = " RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 ";

    for (int i = 0; i < conf->algorithms->nelts; i++) {
        const char *word = APR_ARRAY_IDX(conf->algorithms, i, const char *);

        if (strchr(word, ' ') || !strstr(known, apr_pstrcat(pool, " ", word, " ", NULL)))
            return KC_CONF_REFUSE(err, "takes asymmetric algorithms, one or more of%snot '%.40s'",
                                  known, word);
    }
    return KC_OK;
}

/* Keycloak puts "account" into nearly every access token, for any recipient. */
kc_rc_t kc_conf_check_client_audience(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    (void)pool;
    for (int i = 0; conf->audience && i < conf->audience->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(conf->audience, i, const char *), "account"))
            return KC_CONF_REFUSE(err, "cannot be account, which is in the tokens of every client");
    }
    return KC_OK;
}
