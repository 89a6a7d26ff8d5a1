/* How many users fit into the default KeycloakCacheSize: sessions, index entries, idle records and
 * views.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "fake_site.h"
#include "session/revocation.h"
#include "session/session.h"
#include "session/session_index.h"
#include "session/session_pack.h"
#include "store/store_shm.h"
#include "testlib.h"

Suite *kc_test_session_held(void);

enum { TOTAL = 64 * 1024 * 1024, MOST = 20000, NOTE_SIZE = 56 /* 16 bytes, sealed */ };

static const struct {
    unsigned int people;
    unsigned int groups;
    unsigned int roles;
} populations[] = {{20000, 0, 0}, {8000, 60, 40}, {4000, 150, 60}};

static kc_fake_site_t *site;
static kc_view_cache_t *cache;
static char ids[MOST][KC_SESSION_ID_TEXT + 1];

static int64_t clock_now(void *context)
{
    return ((kc_fake_t *)context)->now;
}

/* The shares that httpd gives both. */
static void setup(void)
{
    static const kc_siphash_key_t key = {{1, 2}};
    size_t share = kc_view_cache_share(TOTAL);
    kc_env_t *env;

    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    env = &site->fake->env;
    ck_assert_int_eq(kc_view_cache_create(share, &key, testlib_pool, &cache, NULL), KC_OK);
    ck_assert_int_eq(kc_store_shm_create(TOTAL - share, clock_now, site->fake, testlib_pool,
                                         &env->sessions, NULL),
                     KC_OK);
    env->host = env->sessions;
    env->cache = cache;
}

/* ---------------------------------------------------------------- somebody */

static const char *name_group(unsigned int i, apr_pool_t *pool)
{
    return apr_psprintf(pool, "department-%02u/team-%03u", i * 7919 % 100, i * 104729 % 1000);
}

static const char *name_role(unsigned int i, apr_pool_t *pool)
{
    return apr_psprintf(pool, "service-%02u-%s", i * 7919 % 100, i % 2 ? "editor" : "viewer");
}

static apr_array_header_t *names(unsigned int count,
                                 const char *(*name)(unsigned int i, apr_pool_t *pool))
{
    apr_array_header_t *list = apr_array_make(testlib_pool, 1, sizeof(const char *));
    unsigned int i;

    for (i = 0; i < count; i++)
        APR_ARRAY_PUSH(list, const char *) = name(i, testlib_pool);
    return list;
}

static kc_bytes_t noise(size_t len)
{
    unsigned char *bytes = apr_palloc(testlib_pool, len);
    kc_bytes_t all = {bytes, len};

    ck_assert_int_eq(kc_crypto_random(bytes, len, NULL), KC_OK);
    return all;
}

/* An ID token and a refresh token as Keycloak makes them, the groups among their claims. */
static kc_pack_t tokens(const apr_array_header_t *groups)
{
    static const char person[] =
        "\"sub\":\"f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10\","
        "\"sid\":\"6d1c63f2-9f51-4a0e-8c38-5a5a1d3b7a11\",\"azp\":\"kubeflow-oidc-authservice\"";
    kc_pack_t contents = {NULL, NULL, NULL, {NULL, 0}};
    const char *listed = groups->nelts ? apr_pstrcat(testlib_pool, ",\"groups\":[\"/", NULL) : "";
    int i;

    for (i = 0; i < groups->nelts; i++)
        listed = apr_pstrcat(testlib_pool, listed, i ? "\",\"/" : "",
                             APR_ARRAY_IDX(groups, i, const char *), NULL);
    contents.id_token = testlib_compact(
        "{\"alg\":\"RS256\",\"typ\" : \"JWT\",\"kid\" : "
        "\"Vn0XVQ3zT9nL2dE5sYwJm8uK1rP4bC7hG6oA0fIxSgM\"}",
        apr_pstrcat(testlib_pool,
                    "{\"exp\":1764000300,\"iat\":1764000000,\"auth_time\":1764000000,"
                    "\"jti\":\"8c4a7d3e-6f5b-4a39-9e1d-2b7c8f0a1d23\",\"iss\":\"" KC_FAKE_ISSUER
                    "\",\"typ\":\"ID\",\"nonce\":\"k3Jx0Qz8b1Yw5Nn2Vt7Rm4\",\"acr\":\"1\",",
                    person, listed, groups->nelts ? "\"]}" : "}", NULL),
        noise(256));
    contents.refresh_token =
        testlib_compact("{\"alg\":\"HS512\",\"typ\" : \"JWT\",\"kid\" : "
                        "\"3a1c5e7b-0d2f-4b6a-8c9e-1f3a5b7d9e0c\"}",
                        apr_pstrcat(testlib_pool,
                                    "{\"exp\":1764001800,\"iat\":1764000000,\"typ\":\"Refresh\","
                                    "\"jti\":\"b0e4d8f6-1c3a-4e5b-9d7f-2a6c8e0b4d93\",",
                                    person, "}", NULL),
                        noise(64));
    return contents;
}

static kc_session_t somebody(unsigned int groups, unsigned int roles)
{
    apr_array_header_t *group_names = names(groups, name_group);
    kc_pack_t contents = tokens(group_names);
    kc_session_t session;

    memset(&session, 0, sizeof(session));
    session.created = site->fake->now;
    session.expires = site->fake->now + site->conf->session_max;
    session.token_expires = session.expires;
    session.sub = "f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10";
    session.sid = "6d1c63f2-9f51-4a0e-8c38-5a5a1d3b7a11";
    session.email = "alice.liddell@example.com";
    session.acr = "1";
    session.group_list = kc_session_list_make(group_names, testlib_pool);
    session.groups = apr_array_pstrcat(testlib_pool, group_names, ',');
    session.realm_roles = kc_session_list_make(names(roles, name_role), testlib_pool);
    ck_assert_int_eq(kc_revocation_prepare(site->rp, &session, testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(kc_session_pack_close(&contents, testlib_pool, &session, NULL), KC_OK);
    return session;
}

/* ---------------------------------------------------------------- everybody */

static void note(const char *key, apr_pool_t *pool)
{
    static const unsigned char bytes[NOTE_SIZE];
    const kc_bytes_t value = {bytes, sizeof(bytes)};
    char *other = apr_pstrdup(pool, key);

    other[0] = other[0] == 'f' ? '0' : 'f';
    ck_assert_int_eq(
        kc_store_put(site->fake->env.sessions, other, value, site->fake->now + 600, NULL), KC_OK);
}

static void sign_in(kc_session_t *session, unsigned int number, apr_pool_t *pool)
{
    session->user = apr_psprintf(pool, "person-%05u@example.com", number);
    session->slot = 1;
    ck_assert_int_eq(kc_session_create(site->rp, session, pool, ids[number], NULL), KC_OK);
    kc_session_index_add(site->rp, session, "2001:db8:1234:5678::abcd",
                         "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                         pool);
    note(session->key, pool);
}

static int is_known(unsigned int number, apr_pool_t *pool)
{
    kc_session_t session;
    kc_err_t err;

    return kc_session_find(site->rp, kc_buf_text(ids[number]), pool, &session, &err) ==
           KC_SESSION_LIVE;
}

static int has_view(unsigned int number, apr_pool_t *pool)
{
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;
    kc_bytes_t id;

    ck_assert_int_eq(kc_buf_unbase64url(ids[number], KC_SESSION_ID_TEXT, pool, &id), KC_OK);
    return kc_view_cache_find(cache, site->rp->scope, id.data, site->fake->now, pool, &ticket,
                              &view);
}

static unsigned int count(unsigned int people, int (*is_it)(unsigned int number, apr_pool_t *pool))
{
    unsigned int i, found = 0;
    apr_pool_t *pool;

    ck_assert_int_eq(apr_pool_create(&pool, testlib_pool), APR_SUCCESS);
    for (i = 0; i < people; i++) {
        found += (unsigned int)is_it(i, pool);
        apr_pool_clear(pool);
    }
    return found;
}

START_TEST(everybody_is_held)
{
    unsigned int people = populations[_i].people, i;
    kc_session_t session = somebody(populations[_i].groups, populations[_i].roles);
    apr_pool_t *pool;

    ck_assert_int_eq(apr_pool_create(&pool, testlib_pool), APR_SUCCESS);
    for (i = 0; i < people; i++) {
        sign_in(&session, i, pool);
        apr_pool_clear(pool);
    }
    ck_assert_uint_eq(kc_store_shm_evicted(site->fake->env.sessions), 0);
    ck_assert_uint_eq(count(people, is_known), people); /* and makes the view of each */
    printf("%u people with %u groups and %u roles: %u have a view\n", people,
           populations[_i].groups, populations[_i].roles, count(people, has_view));
    ck_assert_uint_ge(count(people, has_view), people / 100 * 99);
}
END_TEST

Suite *kc_test_session_held(void)
{
    Suite *suite = suite_create("session_held");
    TCase *tests = tcase_create("people");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_set_timeout(tests, 600); /* thousands of seals, with sanitizers, beside other work */
    tcase_add_loop_test(tests, everybody_is_held, 0,
                        (int)(sizeof(populations) / sizeof(populations[0])));
    suite_add_tcase(suite, tests);
    return suite;
}
