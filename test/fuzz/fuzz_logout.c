/* Fuzz target: claims of a logout token, and after a line feed the body of a back-channel request,
 * which is also used as a front-channel query. The claims are tried signed too.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <apr_strings.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/jws.h"
#include "fake_site.h"
#include "logout/logout_front.h"
#include "logout/logout_token.h"
#include "provider/claims.h"
#include "provider/id_token.h"
#include "reach.h"
#include "signer.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VERIFIED, TAKEN };

reach_t reach[] = {{"claims verified", 0}, {"signed token taken", 0}, {NULL, 0}};

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

static void check_text(const char *text)
{
    const char *at;

    need(text[0] && strlen(text) <= KC_CLAIMS_TEXT_MAX);
    for (at = text; *at; at++)
        need((unsigned char)*at >= 0x20 && *at != 0x7f);
}

/* What is taken for a logout token can be nothing else. */
static void check_token(const kc_json_t *claims, const kc_logout_token_t *out)
{
    const char *typ = kc_json_member_string(claims, "typ");

    need(!kc_json_member(claims, "nonce"));
    need(!kc_json_member(claims, "typ") || !strcmp(typ, "Logout"));
    need(!strcmp(kc_json_member_string(claims, "iss"), KC_FAKE_ISSUER));
    need(kc_json_type(kc_json_member(claims, "events")) == KC_JSON_OBJECT);
    need(out->issued <= KC_FAKE_NOW + 30 && out->issued >= KC_FAKE_NOW - 150);
    need(out->sub || out->sid);
    check_text(out->jti);
    if (out->sub)
        check_text(out->sub);
    if (out->sid)
        check_text(out->sid);
}

/* The same claims signed by the provider: what is taken once is not taken again. */
static void take_signed(const kc_fake_site_t *site, const kc_json_t *claims)
{
    const char *form =
        apr_pstrcat(site->pool, "logout_token=", signer_sign(claims, site->pool), NULL);
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};
    kc_logout_token_t token;

    if (kc_logout_token_take(site->rp, form, strlen(form), site->pool, &token, &err) != KC_OK) {
        need(err.reason != KC_ERR_NONE && err.detail[0]);
        need(kc_fake_store_count(&site->fake->sessions) == 0);
        return;
    }
    reach_note(TAKEN);
    check_token(claims, &token);
    need(kc_fake_store_count(&site->fake->sessions) > 0);
    need(kc_logout_token_take(site->rp, form, strlen(form), site->pool, &token, &err) ==
         KC_REFUSED);
    need(err.reason == KC_ERR_LOGOUT_REPLAY);
}

static void verify(const kc_fake_site_t *site, const char *text, size_t len)
{
    static const char *const types[] = {NULL, "JWT", "logout+jwt", "at+jwt"};
    const kc_id_token_expect_t expect = {.issuer = KC_FAKE_ISSUER,
                                         .client_id = site->conf->client_id,
                                         .now = KC_FAKE_NOW,
                                         .skew = 30};
    kc_jws_t token = {.alg = "ES256"};
    size_t i;

    if (kc_json_parse(text, len, site->pool, &token.claims, NULL) != KC_OK)
        return;
    if (kc_json_type(token.claims) == KC_JSON_OBJECT)
        take_signed(site, token.claims);
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};
        kc_logout_token_t out;

        token.typ = types[i];
        if (kc_logout_token_verify(&token, &expect, &out, &err) == KC_OK) {
            need(i != 3);
            reach_note(VERIFIED);
            check_token(token.claims, &out);
        } else {
            need(err.reason != KC_ERR_NONE && err.detail[0]);
        }
    }
}

/* Neither ends anything, and neither leaves anything in the store. */
static void visit(kc_fake_site_t *site, const char *text, size_t len)
{
    const kc_bytes_t none = {NULL, 0};
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};
    kc_logout_token_t token;
    kc_session_t session;
    int is_ended = -1;

    need(kc_logout_token_take(site->rp, text, len, site->pool, &token, &err) == KC_REFUSED);
    need(kc_err_row(err.reason)->status == 400 && err.detail[0]);
    err.reason = KC_ERR_NONE;
    if (kc_logout_front_take(site->rp, none, text, site->pool, &session, &is_ended, &err) != KC_OK)
        need(err.reason == KC_ERR_FORM);
    need(is_ended == 0);
    need(kc_fake_store_count(&site->fake->sessions) == 0);
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
    verify(site, (const char *)data, len);
    site = kc_fake_site_make(pool);
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""), signer_keys);
    if (line)
        visit(site, kc_buf_copy(line + 1, size - len - 1, pool), size - len - 1);
    apr_pool_destroy(pool);
    return 0;
}
