/* What is not known of a user, logged once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/unknown.h"

#include <apr_strings.h>

#include "crypto/crypto.h"
#include "rp.h"

static const char *list_names(unsigned int unknown, apr_pool_t *pool)
{
    static const struct {
        unsigned int bit;
        const char *name;
    } lists[] = {{KC_UNKNOWN_REALM_ROLES, "realm roles"},
                 {KC_UNKNOWN_CLIENT_ROLES, "client roles"},
                 {KC_UNKNOWN_GROUPS, "groups"}};
    const char *names = "";
    size_t i;

    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (unknown & lists[i].bit)
            names = apr_pstrcat(pool, names, *names ? ", " : "", lists[i].name, NULL);
    }
    return names;
}

static int is_news(const kc_rp_t *rp, const char *sub, unsigned int unknown)
{
    unsigned char name[KC_CRYPTO_SHA256_SIZE + 1];
    const kc_bytes_t bytes = {name, sizeof(name)};

    name[KC_CRYPTO_SHA256_SIZE] = (unsigned char)unknown;
    return kc_crypto_sha256(kc_buf_text(sub), name, NULL) != KC_OK ||
           kc_rp_is_news(rp, "unknown", bytes);
}

/* Such tokens have no roles for any user, so it is logged once and not for each user. */
static void report_roles(const kc_rp_t *rp, const char *why)
{
    if (!is_news(rp, "", KC_UNKNOWN_REALM_ROLES | KC_UNKNOWN_CLIENT_ROLES))
        return;
    kc_env_log(
        rp->env, KC_ERR_ROLES_UNKNOWN,
        "%s: Require asks for roles, but the tokens have none: %s. Have the mappers of the client "
        "scope roles put them into the ID token (Add to ID token, or Add to lightweight "
        "access token), and name their claim in KeycloakRolesClaim (now %.100s)",
        kc_err_row(KC_ERR_ROLES_UNKNOWN)->slug, why, rp->conf->roles_claim);
}

void kc_unknown_report(const kc_rp_t *rp, const char *sub, unsigned int unknown, const char *why,
                       apr_pool_t *pool)
{
    const unsigned int roles = KC_UNKNOWN_REALM_ROLES | KC_UNKNOWN_CLIENT_ROLES;

    if (rp->asks_roles && (unknown & roles) == roles)
        report_roles(rp, why);
    if (!unknown || !rp->asks_negated || !is_news(rp, sub, unknown))
        return;
    kc_env_log(rp->env, KC_ERR_ROLES_UNKNOWN,
               "%s: not (all) known of sub %s: %s, because %s. A Require that excludes by them "
               "refuses this user",
               kc_err_row(KC_ERR_ROLES_UNKNOWN)->slug, sub, list_names(unknown, pool), why);
}
