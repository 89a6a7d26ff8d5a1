/* Fuzz target: claims of an ID token, and after a NUL or newline those of an access token or of
 * userinfo.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <apr_strings.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/jws.h"
#include "provider/claims.h"
#include "provider/id_token.h"
#include "reach.h"
#include "session/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VERIFIED, IDENTIFIED };

reach_t reach[] = {{"claims verified", 0}, {"identity made", 0}, {NULL, 0}};

static void demand(int condition)
{
    if (!condition)
        abort();
}

/* Whatever comes in, this is what may go into a header. */
static void check_text(const char *text, size_t max)
{
    const char *at;

    demand(text && strlen(text) <= max);
    for (at = text; *at; at++)
        demand((unsigned char)*at >= 0x20 && *at != 0x7f);
}

static void check_list(const apr_array_header_t *list, int is_plain)
{
    int i;

    demand(list && list->nelts <= KC_CLAIMS_LIST_MAX);
    for (i = 0; i < list->nelts; i++) {
        const char *text = APR_ARRAY_IDX(list, i, const char *);

        check_text(text, KC_JSON_TEXT_MAX);
        demand(!is_plain || (*text && !strchr(text, ',')));
    }
}

static void check_identity(const kc_conf_t *conf, const kc_identity_t *identity)
{
    int i;

    demand(identity->user[0] != '\0');
    check_text(identity->user, KC_CLAIMS_TEXT_MAX);
    check_text(identity->sub, KC_CLAIMS_TEXT_MAX);
    check_text(identity->sid, KC_CLAIMS_TEXT_MAX);
    check_text(identity->email, KC_CLAIMS_TEXT_MAX);
    check_text(identity->groups, KC_CLAIMS_HEADER_MAX);
    check_list(identity->group_list, 1);
    check_list(identity->realm_role_list, 0);
    check_list(identity->client_role_list, 0);
    demand(identity->header_list->nelts == (conf->headers ? conf->headers->nelts : 0));
    for (i = 0; i < identity->header_list->nelts; i++)
        check_text(APR_ARRAY_IDX(identity->header_list, i, const char *), KC_CLAIMS_HEADER_MAX);
}

static kc_conf_t *make_conf(int variant, apr_pool_t *pool)
{
    kc_conf_t *conf = kc_conf_create(pool);
    apr_array_header_t *pairs = apr_array_make(pool, 2, sizeof(kc_conf_pair_t));
    kc_conf_pair_t name = {"X-Name", "name"};
    kc_conf_pair_t deep = {"X-Roles", "realm_access.roles"};

    APR_ARRAY_PUSH(pairs, kc_conf_pair_t) = name;
    APR_ARRAY_PUSH(pairs, kc_conf_pair_t) = deep;
    conf->headers = pairs;
    if (variant) {
        conf->user_claim = "name";
        conf->user_prefix = "kc:";
        conf->groups_claim = "realm_access.roles";
    }
    return conf;
}

static void verify(const kc_json_t *claims)
{
    kc_id_token_expect_t expect = {
        "https://id.example.com/realms/r", "site", "n-1", "access", 1700000000, 30, 0};
    kc_jws_t token = {0};
    kc_err_t err = {0};

    token.alg = "RS256";
    token.claims = claims;
    if (kc_id_token_verify(&token, &expect, &err) != KC_OK) {
        demand(err.reason != KC_ERR_NONE && err.detail[0]);
        return;
    }
    reach_note(VERIFIED);
    check_text(kc_json_member_string(claims, "sub"), KC_CLAIMS_TEXT_MAX);
    demand(!strcmp(kc_json_member_string(claims, "iss"), expect.issuer));
    demand(!strcmp(kc_json_member_string(claims, "nonce"), expect.nonce));
}

static void identify(const kc_json_t *claims, const kc_json_t *other, apr_pool_t *pool)
{
    const kc_json_t *merged = kc_claims_merge_userinfo(claims, other, pool);
    int variant;

    for (variant = 0; variant < 2; variant++) {
        kc_conf_t *conf = make_conf(variant, pool);
        kc_identity_t identity;
        kc_err_t err = {0};
        int dropped = -1;

        (void)kc_identity_is_incomplete(conf, claims);
        if (kc_identity_make(conf, merged, other, pool, &identity, &dropped, &err) == KC_OK) {
            reach_note(IDENTIFIED);
            check_identity(conf, &identity);
            demand(dropped >= 0);
        } else {
            demand(err.reason != KC_ERR_NONE && err.detail[0]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int is_started;
    const kc_json_t *claims = NULL;
    const kc_json_t *other = NULL;
    apr_pool_t *pool;
    size_t len = 0;

    if (!is_started) {
        demand(apr_initialize() == APR_SUCCESS);
        is_started = 1;
    }
    demand(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    while (len < size && data[len] && data[len] != '\n')
        len++;
    if (len < size)
        (void)kc_json_parse((const char *)data + len + 1, size - len - 1, pool, &other, NULL);
    if (kc_json_parse((const char *)data, len, pool, &claims, NULL) == KC_OK) {
        verify(claims);
        identify(claims, other, pool);
    }
    apr_pool_destroy(pool);
    return 0;
}
