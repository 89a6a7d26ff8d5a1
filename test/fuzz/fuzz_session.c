/* Fuzz target: a session's compact form from arbitrary bytes. What is read is written again to the
 * same bytes. SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"
#include "session_contents.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    need(kc_session_form_write(session, pool, &again, NULL) == KC_OK);
    need(compact.data[0] != KC_SESSION_FORM_VERSION ||
         (again.len == compact.len && memcmp(again.data, compact.data, again.len) == 0));
    (void)kc_session_contents_id_token(session, pool);
    (void)kc_session_contents_claims(session, pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kc_bytes_t compact = {data, size};
    kc_session_t session;
    apr_pool_t *pool;

    if (size > KC_SEAL_MAX - KC_SEAL_OVERHEAD)
        return 0;
    need(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    if (kc_session_form_read(compact, &session, NULL) == KC_OK)
        use(&session, compact, pool);
    apr_pool_destroy(pool);
    return 0;
}
