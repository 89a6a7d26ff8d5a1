/* Certificates and keys in PEM: whether they can be read.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_pem.h"

#include "conf/conf_secret.h"
#include "crypto/crypto.h"

kc_rc_t kc_conf_pem_check_certificates(const kc_conf_file_t *file, apr_pool_t *pool, kc_err_t *err)
{
    const char *path = file->path;
    const char *text;
    int count, bad;
    kc_rc_t rc = kc_conf_secret_text(file, 0, pool, &text, err);

    if (rc != KC_OK)
        return rc;
    count = kc_crypto_count_certificates(text, &bad);
    if (bad)
        return KC_CONF_REFUSE(
            err, "%.120s has a certificate in PEM, number %d, that cannot be read", path, bad);
    return count ? KC_OK : KC_CONF_REFUSE(err, "%.160s has no CERTIFICATE in PEM", path);
}

kc_rc_t kc_conf_pem_check_key(const kc_conf_t *conf, const char *text, apr_pool_t *pool,
                              kc_err_t *err)
{
    const char *certificate = NULL;

    if (conf->client_cert.path)
        (void)kc_conf_secret_text(&conf->client_cert, 0, pool, &certificate, NULL);
    switch (kc_crypto_check_pair(text, certificate)) {
    case KC_CRYPTO_PAIR:
        return KC_OK;
    case KC_CRYPTO_NO_PAIR:
        return KC_CONF_REFUSE(err, "%.100s is not the key of KeycloakClientCert %.60s",
                              conf->client_key.path, conf->client_cert.path);
    default:
        return KC_CONF_REFUSE(err,
                              "%.120s has no PRIVATE KEY in PEM that can be read, without a "
                              "passphrase",
                              conf->client_key.path);
    }
}
