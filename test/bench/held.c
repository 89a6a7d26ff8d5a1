/* How many people KeycloakCacheSize holds, by what their sessions have.
 * SPDX-License-Identifier: Apache-2.0
 *
 *   held MEBIBYTES
 *
 * Prints JSON: for each number of groups and roles what a session takes in the store and in the
 * first tier, and of how many people each of them holds everything before the first has to go. A
 * person has in the store a session with the tokens of Keycloak, an entry in the list of sessions
 * and a record of the last use; in the first tier a view. */
#include <apr_general.h>
#include <apr_strings.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "crypto/seal.h"
#include "session/session.h"
#include "store/store_shm.h"
#include "store/view_cache.h"

enum {
    ENTRY_SIZE = 400, /* bytes, sealed: an entry with an IPv6 address and a browser's name */
    RECORD_SIZE = 24,
    TOKENS_SIZE = 650, /* bytes: what is left of ID token and refresh token beside the groups */
    MANY = 200000,     /* people at most */
    MEBIBYTE = 1024 * 1024
};

static const struct {
    int groups;
    int roles;
} shapes[] = {{0, 0}, {5, 5}, {10, 10}, {18, 10}, {30, 20}, {60, 40}, {120, 80}, {300, 100}};

static void fail(const char *what)
{
    fprintf(stderr, "held: %s\n", what);
    exit(1);
}

static int64_t clock_now(void *context)
{
    (void)context;
    return 1000;
}

static kc_session_list_t names(const char *form, int count, apr_pool_t *pool, const char **joined)
{
    apr_array_header_t *list = apr_array_make(pool, count + 1, sizeof(const char *));
    int i;

    for (i = 0; i < count; i++)
        APR_ARRAY_PUSH(list, const char *) =
            apr_psprintf(pool, form, i * 7919 % 100, i * 104729 % 1000);
    *joined = apr_array_pstrcat(pool, list, ',');
    return kc_session_list_make(list, pool);
}

/* Bytes of a session, with its tokens or without. */
static size_t size_of(int groups, int roles, int has_tokens, apr_pool_t *pool)
{
    static const unsigned char tokens[TOKENS_SIZE];
    kc_session_t session;
    kc_bytes_t compact;
    const char *joined;

    memset(&session, 0, sizeof(session));
    session.sub = "f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10";
    session.sid = "6d1c63f2-9f51-4a0e-8c38-5a5a1d3b7a11";
    session.user = session.email = "alice.liddell@example.com";
    session.acr = "1";
    session.realm_roles = names("service-%02d-role-%03d", roles, pool, &joined);
    session.group_list = names("department-%02d/team-%03d", groups, pool, &session.groups);
    session.packed.data = tokens;
    session.packed.len = has_tokens ? sizeof(tokens) : 0;
    if (kc_session_codec_encode(&session, pool, &compact, NULL) != KC_OK)
        fail("a session cannot be written");
    return compact.len;
}

static void put(kc_store_t *store, size_t len)
{
    static unsigned char bytes[KC_STORE_VALUE_MAX];
    const kc_bytes_t value = {bytes, len};
    unsigned char raw[KC_STORE_KEY_LEN / 2];
    char key[KC_STORE_KEY_LEN + 1];

    if (kc_crypto_random(raw, sizeof(raw), NULL) != KC_OK)
        fail("no random bytes");
    kc_buf_hex_to(raw, sizeof(raw), key);
    if (kc_store_put(store, key, value, 100000, NULL) != KC_OK)
        fail("a value cannot be put");
}

static int count_in_store(size_t size, size_t session_len, apr_pool_t *pool)
{
    kc_store_t *store;
    int people = 0;

    if (kc_store_shm_create(size, clock_now, NULL, pool, &store, NULL) != KC_OK)
        fail("no shared memory");
    while (!kc_store_shm_evicted(store) && people++ < MANY) {
        put(store, session_len + KC_SEAL_OVERHEAD);
        put(store, ENTRY_SIZE);
        put(store, RECORD_SIZE);
    }
    return people - 1;
}

static int find_view(kc_view_cache_t *cache, int number, kc_view_cache_ticket_t *ticket,
                     apr_pool_t *pool)
{
    static const unsigned char scope[KC_VIEW_CACHE_SCOPE_SIZE] = "held";
    unsigned char id[KC_VIEW_CACHE_ID_SIZE] = "";
    kc_view_cache_view_t view;
    int is_there;

    memcpy(id, &number, sizeof(number));
    is_there = kc_view_cache_find(cache, scope, id, 1000, pool, ticket, &view);
    apr_pool_clear(pool);
    return is_there;
}

/* More than fit; those that are there are what fits. */
static int count_in_cache(size_t size, size_t len, apr_pool_t *pool)
{
    static const kc_siphash_key_t key = {{1, 2}};
    static unsigned char bytes[KC_VIEW_CACHE_VIEW_MAX];
    const kc_view_cache_view_t view = {{bytes, len}, 0, 100000, "", ""};
    int many = (int)(size / len * 2), i, found = 0;
    kc_view_cache_ticket_t ticket;
    kc_view_cache_t *cache;
    apr_pool_t *scratch;

    if (len > sizeof(bytes))
        return 0;
    if (kc_view_cache_create(size, &key, pool, &cache, NULL) != KC_OK ||
        apr_pool_create(&scratch, pool) != APR_SUCCESS)
        fail("no shared memory");
    for (i = 0; i < many; i++) {
        (void)find_view(cache, i, &ticket, scratch);
        kc_view_cache_put(cache, &ticket, &view, 1000);
    }
    for (i = 0; i < many; i++)
        found += find_view(cache, i, &ticket, scratch);
    return found;
}

int main(int argc, char **argv)
{
    size_t size = argc == 2 ? (size_t)strtoul(argv[1], NULL, 10) * MEBIBYTE : 0, share, i;
    apr_pool_t *pool;

    if (!size) {
        fprintf(stderr, "usage: held MEBIBYTES\n");
        return 2;
    }
    if (apr_initialize() != APR_SUCCESS)
        fail("APR does not start");
    share = kc_view_cache_share(size);
    printf("[");
    for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        size_t stored, view;

        if (apr_pool_create(&pool, NULL) != APR_SUCCESS)
            fail("no pool");
        stored = size_of(shapes[i].groups, shapes[i].roles, 1, pool);
        view = size_of(shapes[i].groups, shapes[i].roles, 0, pool);
        printf("%s{\"groups\": %d, \"roles\": %d, \"stored\": %zu, \"view\": %zu, "
               "\"in_store\": %d, \"in_first_tier\": %d}",
               i ? ",\n" : "", shapes[i].groups, shapes[i].roles, stored + KC_SEAL_OVERHEAD, view,
               count_in_store(size - share, stored, pool), count_in_cache(share, view, pool));
        apr_pool_destroy(pool);
    }
    printf("]\n");
    return 0;
}
