/* Fuzz target: the value of an Authorization header, and after a line feed the claims of a bearer
 * token.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <apr_strings.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "access/bearer.h"
#include "crypto/jws.h"
#include "fake_site.h"
#include "provider/claims.h"
#include "reach.h"
#include "signer.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { READ, VERIFIED, TAKEN };

reach_t reach[] = {
    {"header read", 0}, {"claims verified", 0}, {"signed token taken", 0}, {NULL, 0}};

static void need(int is_right)
{
    if (!is_right)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    need(apr_initialize() == APR_SUCCESS);
    return 0;
}

/* A token is a part of the header without anything that could separate two; and what nobody has
 * signed is nobody's. */
static void read_header(const kc_fake_site_t *site, const char *header)
{
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};
    kc_bytes_t token = {NULL, 0};
    kc_rc_t rc = kc_bearer_read(header, &token, &err);
    kc_session_t session;

    if (rc != KC_OK) {
        need(rc == KC_MISS || (err.reason == KC_ERR_INVALID_TOKEN && err.detail[0]));
        return;
    }
    reach_note(READ);
    need(strncasecmp(header, "bearer", 6) == 0);
    need(token.len && token.len <= KC_JWS_MAX);
    need((const char *)token.data + token.len == header + strlen(header));
    need(!memchr(token.data, ' ', token.len) && !memchr(token.data, ',', token.len));
    need(kc_bearer_find(site->rp, token, site->pool, &session, &err) == KC_SESSION_REFUSED);
    need(err.reason == KC_ERR_INVALID_TOKEN && err.detail[0]);
    need(kc_fake_store_count(&site->fake->sessions) == 0);
}

static int has_audience(const kc_json_t *audience, const char *wanted)
{
    const char *text = kc_json_string(audience);
    size_t i;

    for (i = 0; !text && i < kc_json_size(audience); i++) {
        const char *each = kc_json_string(kc_json_at(audience, i));

        if (each && !strcmp(each, wanted))
            return 1;
    }
    return text && !strcmp(text, wanted);
}

static void check_taken(const kc_jws_t *token, const kc_conf_t *conf)
{
    const char *typ = kc_json_member_string(token->claims, "typ");
    int64_t number = 0;

    need(typ ? !strcmp(typ, conf->bearer == KC_BEARER_ID ? "ID" : "Bearer") ||
                   (conf->bearer == KC_BEARER_ON && !strcmp(typ, "ID"))
             : token->typ && !strcmp(token->typ, "at+jwt") && conf->bearer != KC_BEARER_ID);
    need(!kc_json_member(token->claims, "events") && !kc_json_member(token->claims, "cnf"));
    need(!strcmp(kc_json_member_string(token->claims, "iss"), KC_FAKE_ISSUER));
    need(has_audience(kc_json_member(token->claims, "aud"), conf->client_id));
    need(kc_json_integer(kc_json_member(token->claims, "exp"), &number));
    need(number > KC_FAKE_NOW - conf->clock_skew);
    need(kc_json_integer(kc_json_member(token->claims, "iat"), &number));
    need(number <= KC_FAKE_NOW + conf->clock_skew);
    need(kc_claims_is_id_text(kc_json_member_string(token->claims, "sub")));
}

/* The same claims signed by the provider: the token is taken when they are sound and name somebody,
 * and what is kept of it says the same. */
static void take_signed(const kc_fake_site_t *site, const kc_json_t *claims)
{
    kc_jws_t token = {.alg = "ES256", .claims = claims};
    kc_bytes_t compact = kc_buf_text(signer_sign(claims, site->pool));
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};
    kc_session_t session, again;
    int is_sound = kc_bearer_verify(&token, site->conf, KC_FAKE_NOW, &err) == KC_OK;
    kc_session_state_t state = kc_bearer_find(site->rp, compact, site->pool, &session, &err);

    need(state == KC_SESSION_LIVE || state == KC_SESSION_REFUSED);
    need(is_sound || state == KC_SESSION_REFUSED);
    if (state != KC_SESSION_LIVE)
        return;
    reach_note(TAKEN);
    need(session.is_bearer && !session.packed.len && session.user[0] && session.sub[0]);
    need(kc_bearer_find(site->rp, compact, site->pool, &again, &err) == KC_SESSION_LIVE);
    need(!strcmp(session.user, again.user) && !strcmp(session.sub, again.sub));
    need(session.token_expires == again.token_expires);
}

static void verify(const kc_fake_site_t *site, const char *text, size_t len)
{
    static const char *const types[] = {NULL, "JWT", "at+jwt", "logout+jwt"};
    kc_jws_t token = {.alg = "ES256"};
    int kind;
    size_t i;

    if (kc_json_parse(text, len, site->pool, &token.claims, NULL) != KC_OK ||
        kc_json_type(token.claims) != KC_JSON_OBJECT)
        return;
    take_signed(site, token.claims);
    for (kind = KC_BEARER_ON; kind <= KC_BEARER_ID; kind++) {
        site->conf->bearer = kind;
        for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
            kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};

            token.typ = types[i];
            if (kc_bearer_verify(&token, site->conf, KC_FAKE_NOW, &err) == KC_OK) {
                need(i != 3);
                reach_note(VERIFIED);
                check_taken(&token, site->conf);
            } else {
                need(err.reason != KC_ERR_NONE && err.detail[0]);
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
    size_t len = line ? (size_t)(line - data) : size;
    kc_fake_site_t *site;
    apr_pool_t *pool;

    need(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    site = kc_fake_site_make(pool);
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""), signer_keys);
    site->conf->bearer = KC_BEARER_ON;
    kc_fake_site_renew(site);
    read_header(site, kc_buf_copy(data, len, pool));
    if (line)
        verify(site, (const char *)line + 1, size - len - 1);
    apr_pool_destroy(pool);
    return 0;
}
