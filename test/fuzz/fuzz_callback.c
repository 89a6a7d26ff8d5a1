/* Fuzz target: a callback's query and Cookie header, separated by a line feed. The provider's
 * tokens are signed by no key, so there is never a session.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <apr_strings.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "browser.h"
#include "fake_site.h"
#include "login/login.h"
#include "login/login_parameters.h"
#include "login/login_state.h"
#include "reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REDEEMED, AGAIN, PARAMETERS };

reach_t reach[] = {
    {"code redeemed", 0}, {"started over", 0}, {"login parameters taken", 0}, {NULL, 0}};

/* The curve's base point: a key whose private half is 1, which signs nothing here. */
static const char keys[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\",\"use\":\"sig\",\"alg\":\"ES256\","
    "\"x\":\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\","
    "\"y\":\"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU\"}]}";

/* {"alg":"ES256","kid":"k"}, {"sub":"x"} and a signature of 64 bytes that is none. */
#define TOKEN                                                  \
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.eyJzdWIiOiJ4In0."      \
    "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB" \
    "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ"

static const char tokens[] =
    "{\"access_token\":\"" TOKEN "\",\"id_token\":\"" TOKEN "\",\"token_type\":\"Bearer\"}";

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

/* A sign-in that is under way in every run: its state and cookie are always the same, as the fake
 * world's random bytes are, so that inputs can name them. */
static void begin(kc_fake_site_t *site, const char *return_url)
{
    const kc_login_request_t request = {.return_url = return_url};
    kc_browser_answer_t answer;

    need(kc_login_begin(site->rp, &site->client, &request, site->pool, &answer, NULL) == KC_OK);
    kc_fake_site_take(site, answer.cookies);
}

static void check_again(kc_fake_site_t *site, const char *query)
{
    kc_login_request_t again;
    kc_err_t err;
    kc_rc_t rc = kc_login_again(site->rp, &site->client, query, site->pool, &again, &err);
    const char *url = again.return_url;

    need(url && url[0] == '/' && url[1] != '/' && url[1] != '\\');
    need(kc_step_up_is_none(&again.step_up));
    if (rc == KC_OK) {
        reach_note(AGAIN);
        need(again.round.number >= 1 && again.round.number <= KC_LOGIN_ROUNDS_MAX);
    }
}

/* The same text as a query of the login address. */
static void check_parameters(kc_fake_site_t *site, const char *query)
{
    kc_login_request_t request;
    kc_browser_answer_t answer;
    kc_err_t err;
    kc_rc_t rc = kc_login_parameters_read(site->rp, query, site->pool, &request, &err);

    need(rc == KC_OK || (rc == KC_REFUSED && err.reason == KC_ERR_FORM));
    if (rc != KC_OK)
        return;
    if (request.parameters->nelts)
        reach_note(PARAMETERS);
    need(kc_step_up_is_none(&request.step_up));
    need(request.parameters->nelts <= site->conf->login_parameters->nelts);
    need(kc_login_begin(site->rp, &site->client, &request, site->pool, &answer, &err) == KC_OK ||
         err.reason == KC_ERR_LOGIN_LOOP);
}

static void check_answer(const kc_fake_site_t *site, const kc_browser_answer_t *answer)
{
    int i;

    need(!answer->location && !answer->user);
    for (i = 0; i < answer->cookies->nelts; i++) {
        const char *text = APR_ARRAY_IDX(answer->cookies, i, const char *);

        need(!strstr(text, "keycloak_session") && strstr(text, "Max-Age=0") != NULL);
        need(!strpbrk(text, "\r\n"));
    }
    need(site->fake->sessions.puts == 0);
    need(kc_fake_request_count(site->fake, KC_FAKE_TOKEN) <= 1);
    if (kc_fake_request_count(site->fake, KC_FAKE_TOKEN) == 1)
        reach_note(REDEEMED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kc_browser_answer_t answer;
    kc_fake_site_t *site;
    apr_pool_t *pool;
    kc_err_t err;
    char *query, *cookies;

    need(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    query = kc_buf_copy(size ? (const char *)data : "", size, pool);
    cookies = strchr(query, '\n');
    if (cookies)
        *cookies++ = '\0';
    site = kc_fake_site_make(pool);
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""), keys);
    kc_fake_answer(site->fake, KC_FAKE_TOKEN, 200, "application/json", tokens);
    begin(site, "/page");
    if (cookies)
        site->client.cookies = cookies;
    need(kc_login_finish(site->rp, &site->client, query, pool, &answer, &err) != KC_OK);
    check_answer(site, &answer);
    check_again(site, query);
    check_parameters(site, query);
    apr_pool_destroy(pool);
    return 0;
}
