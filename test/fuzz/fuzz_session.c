/* Fuzz target: a session's encoding from arbitrary bytes. What is decoded is encoded to the same
 * bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reach.h"
#include "session/session.h"
#include "session/session_tokens.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { READ };

reach_t reach[] = {{"form read", 0}, {NULL, 0}};

static void need(int is_right)
{
    if (!is_right)
        abort();
}

static kc_session_list_t list_of(const char *const *texts, apr_pool_t *pool)
{
    apr_array_header_t *array = apr_array_make(pool, 4, sizeof(const char *));

    for (; *texts; texts++)
        APR_ARRAY_PUSH(array, const char *) = *texts;
    return kc_session_list_make(array, pool);
}

static void give(const char *name, const kc_session_t *session, apr_pool_t *pool)
{
    kc_bytes_t compact;

    need(kc_session_codec_encode(session, pool, &compact, NULL) == KC_OK);
    reach_seed(name, compact.data, compact.len);
}

/* In the form that the code writes now, whichever that is. */
static void give_seeds(void)
{
    static const char *const none[] = {NULL}, *const some[] = {"kubeflow/users", "staff", NULL};
    static const char *const roles[] = {"offline_access", "a,b", NULL};
    kc_session_t session;
    apr_pool_t *pool;

    need(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    memset(&session, 0, sizeof(session));
    session.sub = session.sid = session.user = session.email = session.acr = session.groups = "";
    session.headers = session.group_list = list_of(none, pool);
    session.realm_roles = session.client_roles = list_of(none, pool);
    give("empty", &session, pool);
    session.created = 1700000000;
    session.expires = session.token_expires = 1700036000;
    session.sub = "f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10";
    session.sid = "6d1c63f2-9f51-4a0e-8c38-5a5a1d3b7a11";
    session.user = session.email = "alice@example.com";
    session.groups = "kubeflow/users,staff";
    session.headers = list_of(roles, pool);
    session.group_list = list_of(some, pool);
    session.realm_roles = list_of(roles, pool);
    session.claims = kc_buf_text("{\"sub\":\"x\"}");
    give("view", &session, pool);
    session.claims = kc_buf_text("");
    session.groups = "other";
    session.id_token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJmN2YzIn0.c2lnbmF0dXJl";
    give("token", &session, pool);
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

/* Walking gives every byte of the list once and ends where the list does. */
static void walk(const kc_session_list_t *list)
{
    kc_bytes_t at = {NULL, 0};
    size_t seen = 0;

    while (kc_session_list_walk(list, &at))
        seen += at.len + 1;
    need(seen == list->size);
}

static void use(const kc_session_t *session, kc_bytes_t compact, apr_pool_t *pool)
{
    kc_bytes_t again;

    need(strlen(session->sub) + strlen(session->sid) + strlen(session->user) +
             strlen(session->email) + strlen(session->groups) <
         compact.len);
    walk(&session->headers);
    walk(&session->group_list);
    walk(&session->realm_roles);
    walk(&session->client_roles);
    need(kc_session_codec_encode(session, pool, &again, NULL) == KC_OK);
    need(compact.data[0] < KC_SESSION_CODEC_VERSION ||
         (again.len == compact.len && memcmp(again.data, compact.data, again.len) == 0));
    (void)kc_session_tokens_id_token(session, pool);
    (void)kc_session_tokens_claims(session, pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kc_bytes_t compact = {data, size};
    kc_session_t session;
    apr_pool_t *pool;

    if (size > KC_SEAL_MAX - KC_SEAL_OVERHEAD)
        return 0;
    need(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    if (kc_session_codec_decode(compact, &session, NULL) == KC_OK) {
        reach_note(READ);
        use(&session, compact, pool);
    }
    apr_pool_destroy(pool);
    return 0;
}
