/* Fuzz target: the answer of the token endpoint. Three lines: the claims of an ID token, which the
 * provider signs; the answer that contains it; the answer of userinfo. A user who gets in has an
 * identity that is safe in headers, and a session that is found again.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <apr_strings.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "browser.h"
#include "fake_site.h"
#include "login/login.h"
#include "login/login_state.h"
#include "reach.h"
#include "signer.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIGNED_IN, BY_USERINFO, REFUSED };

reach_t reach[] = {{"signed in", 0}, {"signed in with userinfo", 0}, {"refused", 0}, {NULL, 0}};

static void need(int is_right)
{
    if (!is_right)
        abort();
}

/* A parameter of an address that kc_login_begin made, as it stands there. */
static const char *parameter(const char *url, const char *name, apr_pool_t *pool)
{
    const char *at = strstr(url, apr_pstrcat(pool, "&", name, "=", NULL));

    if (!at)
        at = strstr(url, apr_pstrcat(pool, "?", name, "=", NULL));
    need(at != NULL);
    at += strlen(name) + 2;
    return kc_buf_copy(at, strcspn(at, "&"), pool);
}

/* The fake world's random bytes are the same in every run: so are state and nonce. */
static const char *begin(kc_fake_site_t *site)
{
    const kc_login_request_t request = {.return_url = "/page"};
    kc_browser_answer_t answer;

    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""), signer_keys);
    need(kc_login_begin(site->rp, &site->client, &request, site->pool, &answer, NULL) == KC_OK);
    kc_fake_site_take(site, answer.cookies);
    return answer.location;
}

static void give_seeds(void)
{
    kc_fake_site_t *site;
    apr_pool_t *pool;
    const char *nonce, *claims, *seed;

    need(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    site = kc_fake_site_make(pool);
    nonce = parameter(begin(site), "nonce", pool);
    claims = apr_psprintf(
        pool,
        "{\"iss\":\"" KC_FAKE_ISSUER "\",\"aud\":\"%s\",\"azp\":\"%s\",\"sub\":\"s-1\","
        "\"typ\":\"ID\",\"iat\":%d,\"exp\":%d,\"nonce\":\"%s\",\"sid\":\"i-1\",\"acr\":\"1\","
        "\"groups\":[\"/a\",\"/b/c\"],\"realm_access\":{\"roles\":[\"r\"]}",
        site->conf->client_id, site->conf->client_id, KC_FAKE_NOW, KC_FAKE_NOW + 300, nonce);
    seed = apr_pstrcat(pool, claims, ",\"email\":\"alice@example.com\",\"email_verified\":true}\n",
                       "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":300,"
                       "\"refresh_token\":\"r\"}\n",
                       NULL);
    reach_seed("whole", seed, strlen(seed));
    seed = apr_pstrcat(pool, claims, "}\n{\"access_token\":\"a\",\"token_type\":\"bearer\"}\n",
                       "{\"sub\":\"s-1\",\"email\":\"alice@example.com\",\"email_verified\":true}",
                       NULL);
    reach_seed("userinfo", seed, strlen(seed));
    apr_pool_destroy(pool);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    need(apr_initialize() == APR_SUCCESS);
    give_seeds();
    return 0;
}

/* The token endpoint's answer: the second line's members, with the first line signed. */
static void provide(kc_fake_site_t *site, char *claims_text, char *answer_text,
                    const char *userinfo)
{
    const kc_json_t *claims, *answer;
    const char *text = answer_text, *open;

    if (kc_json_parse(claims_text, strlen(claims_text), site->pool, &claims, NULL) == KC_OK &&
        kc_json_type(claims) == KC_JSON_OBJECT &&
        kc_json_parse(answer_text, strlen(answer_text), site->pool, &answer, NULL) == KC_OK &&
        kc_json_type(answer) == KC_JSON_OBJECT && !kc_json_member(answer, "id_token")) {
        open = strchr(answer_text, '{');
        text = apr_pstrcat(site->pool, "{\"id_token\":\"", signer_sign(claims, site->pool), "\"",
                           kc_json_size(answer) || strchr(open, ':') ? "," : "", open + 1, NULL);
    }
    kc_fake_answer(site->fake, KC_FAKE_TOKEN, 200, "application/json", text);
    kc_fake_answer(site->fake, KC_FAKE_USERINFO, 200, "application/json", userinfo);
}

static void check_text(const char *text)
{
    for (; *text; text++)
        need((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_session(kc_fake_site_t *site, const kc_browser_answer_t *answer)
{
    const char *id;
    kc_session_t session;
    kc_err_t err;

    kc_fake_site_take(site, answer->cookies);
    id = kc_fake_site_cookie(site, "__Host-keycloak_session");
    need(id != NULL);
    need(kc_session_find(site->rp, kc_buf_text(id), site->pool, &session, &err) == KC_SESSION_LIVE);
    need(session.user[0] && session.sub[0] && !strcmp(session.user, answer->user));
    check_text(session.user);
    check_text(session.sub);
    check_text(session.sid);
    check_text(session.email);
    check_text(session.acr);
    check_text(session.groups);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *claims, *tokens, *userinfo;
    kc_browser_answer_t answer;
    kc_fake_site_t *site;
    const char *query, *url;
    apr_pool_t *pool;
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};

    need(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    claims = kc_buf_copy(data, size, pool);
    tokens = strchr(claims, '\n');
    if (tokens)
        *tokens++ = '\0';
    userinfo = tokens ? strchr(tokens, '\n') : NULL;
    if (userinfo)
        *userinfo++ = '\0';
    site = kc_fake_site_make(pool);
    url = begin(site);
    provide(site, claims, tokens ? tokens : claims + strlen(claims), userinfo ? userinfo : "");
    query = apr_pstrcat(pool, "code=c&state=", parameter(url, "state", pool),
                        "&iss=https%3A%2F%2Fkeycloak.example.com%2Frealms%2Fkubeflow", NULL);
    if (kc_login_finish(site->rp, &site->client, query, pool, &answer, &err) == KC_OK) {
        reach_note(kc_fake_request_count(site->fake, KC_FAKE_USERINFO) ? BY_USERINFO : SIGNED_IN);
        check_session(site, &answer);
    } else {
        reach_note(REFUSED);
        need(err.reason != KC_ERR_NONE && err.detail[0]);
        need(!answer.location && !answer.user);
    }
    need(kc_fake_request_count(site->fake, KC_FAKE_TOKEN) == 1);
    apr_pool_destroy(pool);
    return 0;
}
