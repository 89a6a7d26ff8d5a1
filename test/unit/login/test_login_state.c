/* Tests of login_state.h: sealed cookies of pending sign-ins, their number and size, and rounds.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fake_site.h"
#include "login/login_state.h"
#include "testlib.h"

Suite *kc_test_login_state(void);

static const kc_login_round_t first_round = {0, 0};

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_err_t last;

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
}

/* kc_login_state_make of an ordinary sign-in. */
static kc_rc_t make(const char *return_url, const kc_login_round_t *round, kc_login_state_t *out)
{
    kc_login_request_t request = {.return_url = return_url, .round = *round};

    return kc_login_state_make(site->rp, &site->client, &request, testlib_pool, out, &last);
}

/* What a state tells by itself. */
static kc_rc_t again(const char *text, const char **url, kc_login_round_t *round)
{
    kc_login_request_t request;
    kc_rc_t rc = kc_login_state_again(site->rp, text, testlib_pool, &request, &last);

    *url = request.return_url;
    *round = request.round;
    return rc;
}

/* Begins a sign-in in the browser. */
static kc_login_state_t begin(const char *return_url)
{
    apr_array_header_t *cookies = apr_array_make(testlib_pool, 4, sizeof(const char *));
    kc_login_state_t state;

    ck_assert_int_eq(make(return_url, &first_round, &state), KC_OK);
    ck_assert_int_eq(
        kc_login_state_keep(site->rp, &site->client, &state, testlib_pool, cookies, &last), KC_OK);
    kc_fake_site_take(site, cookies);
    return state;
}

/* What the callback finds; the browser keeps its cookies. */
static kc_rc_t find(const char *text, kc_login_state_t *out)
{
    apr_array_header_t *cookies = apr_array_make(testlib_pool, 4, sizeof(const char *));

    memset(out, 0, sizeof(*out));
    memset(&last, 0, sizeof(last));
    return kc_login_state_find(site->rp, &site->client, text, testlib_pool, out, cookies, &last);
}

static const char *name_of(const kc_login_state_t *state)
{
    return apr_pstrcat(testlib_pool, "__Host-keycloak_login_",
                       kc_buf_copy(state->text, KC_LOGIN_TAG_LEN, testlib_pool), NULL);
}

/* A path of len bytes. */
static const char *path_of(size_t len)
{
    char *path = apr_palloc(testlib_pool, len + 1);

    memset(path, 'a', len);
    path[0] = '/';
    path[len] = '\0';
    return path;
}

enum { LONGEST_PLAIN = 2700, TOO_LONG = 5000 /* bytes, of a path that deflates badly */ };

/* A path of len bytes that hardly deflates: base64url of what a generator gives. */
static const char *noise_of(size_t len)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *path = apr_palloc(testlib_pool, len + 1);
    unsigned int seed = 1;
    size_t i;

    for (i = 0; i < len; i++) {
        seed = seed * 1103515245U + 12345U;
        path[i] = letters[seed >> 16 & 63U];
    }
    path[0] = '/';
    path[len] = '\0';
    return path;
}

/* ---------------------------------------------------------------- there and back */

static const size_t lengths[] = {1, 2, 511, 512, 513, 1999, 2000};

START_TEST(a_state_comes_back_whole)
{
    const char *path = path_of(lengths[_i]);
    kc_login_state_t state = begin(path), found;

    ck_assert_uint_eq(strlen(state.nonce), 22);
    ck_assert_uint_eq(strlen(state.verifier), 43);
    ck_assert_int_eq(find(state.text, &found), KC_OK);
    ck_assert_str_eq(found.nonce, state.nonce);
    ck_assert_str_eq(found.verifier, state.verifier);
    ck_assert_str_eq(found.return_url, path);
    ck_assert_mem_eq(found.raw, state.raw, sizeof(found.raw));
}
END_TEST

/* Deep links of dashboards: long, but much alike in itself. */
START_TEST(long_return_urls_are_deflated)
{
    kc_login_state_t state = begin(path_of((size_t)_i)), found;
    size_t bytes;

    ck_assert_int_eq(find(state.text, &found), KC_OK);
    ck_assert_str_eq(found.return_url, path_of((size_t)_i));
    (void)kc_fake_site_count(site, "__Host-keycloak_login_", &bytes);
    ck_assert_uint_le(bytes, KC_LOGIN_COOKIE_MAX);
}
END_TEST

START_TEST(the_longest_return_url_that_is_not_deflated_fits)
{
    kc_login_state_t state = begin(noise_of(LONGEST_PLAIN)), found;
    size_t bytes;

    ck_assert_int_eq(find(state.text, &found), KC_OK);
    ck_assert_str_eq(found.return_url, noise_of(LONGEST_PLAIN));
    (void)kc_fake_site_count(site, "__Host-keycloak_login_", &bytes);
    ck_assert_uint_le(bytes, KC_LOGIN_COOKIE_MAX);
}
END_TEST

START_TEST(a_return_url_that_is_too_long_becomes_the_start_page)
{
    kc_login_state_t state = begin(noise_of(TOO_LONG)), found;

    ck_assert_int_eq(find(state.text, &found), KC_OK);
    ck_assert_str_eq(found.return_url, "/");
}
END_TEST

START_TEST(states_are_short_and_safe_in_a_url)
{
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    const char *text = begin(path_of(lengths[_i])).text;

    ck_assert_uint_eq(strspn(text, safe), strlen(text));
    ck_assert_uint_le(strlen(text), 800);
    if (lengths[_i] == 1)
        ck_assert_uint_eq(strlen(text), KC_LOGIN_STATE_TEXT);
}
END_TEST

START_TEST(nothing_of_a_state_repeats)
{
    kc_login_state_t one = begin("/"), two = begin("/");

    ck_assert_str_ne(one.text, two.text);
    ck_assert_str_ne(name_of(&one), name_of(&two));
    ck_assert_str_ne(one.nonce, two.nonce);
    ck_assert_str_ne(one.verifier, two.verifier);
}
END_TEST

/* threats.md O 180 */
START_TEST(a_sign_in_that_was_begun_leaves_nothing_on_the_server)
{
    (void)begin("/pipeline");
    ck_assert_int_eq(fake->sessions.entries->nelts + fake->host.entries->nelts, 0);
}
END_TEST

/* What Keycloak, proxies and logs see of a state tells neither the page nor the secrets. */
START_TEST(neither_state_nor_cookie_shows_what_is_in_it)
{
    kc_login_state_t state = begin("/secret-page");
    const char *value = kc_fake_site_cookie(site, name_of(&state));
    kc_bytes_t raw;

    ck_assert_ptr_nonnull(value);
    ck_assert_int_eq(kc_buf_unbase64url(value, strlen(value), testlib_pool, &raw), KC_OK);
    ck_assert_ptr_null(memmem(raw.data, raw.len, state.nonce, strlen(state.nonce)));
    ck_assert_ptr_null(memmem(raw.data, raw.len, state.verifier, strlen(state.verifier)));
    ck_assert_ptr_null(strstr(value, state.verifier));
    value = strchr(state.text, '.') + 1;
    ck_assert_int_eq(kc_buf_unbase64url(value, strlen(value), testlib_pool, &raw), KC_OK);
    ck_assert_ptr_null(memmem(raw.data, raw.len, "secret-page", 11));
}
END_TEST

START_TEST(without_random_bytes_there_is_no_state)
{
    kc_login_state_t state;

    fake->is_random_broken = 1;
    ck_assert_int_eq(make("/", &first_round, &state), KC_FAULT);
    ck_assert_int_eq(last.reason, KC_ERR_CRYPTO);
}
END_TEST

START_TEST(the_cookie_has_its_flags_and_its_time)
{
    apr_array_header_t *cookies = apr_array_make(testlib_pool, 4, sizeof(const char *));
    kc_login_state_t state;
    const char *text;

    site->client.is_https = _i;
    ck_assert_int_eq(make("/", &first_round, &state), KC_OK);
    ck_assert_int_eq(
        kc_login_state_keep(site->rp, &site->client, &state, testlib_pool, cookies, NULL), KC_OK);
    ck_assert_int_eq(cookies->nelts, 1);
    text = APR_ARRAY_IDX(cookies, 0, const char *);
    ck_assert_int_eq(strncmp(text, _i ? "__Host-keycloak_login_" : "keycloak_login_", 15), 0);
    ck_assert_ptr_nonnull(strstr(text, "; Path=/"));
    ck_assert_ptr_nonnull(strstr(text, "; HttpOnly"));
    ck_assert_ptr_nonnull(strstr(text, "; SameSite=Lax"));
    ck_assert_ptr_nonnull(strstr(text, "; Max-Age=600"));
    ck_assert_int_eq(strstr(text, "; Secure") != NULL, _i);
    ck_assert_ptr_null(strstr(text, "Domain"));
}
END_TEST

/* ---------------------------------------------------------------- attacks */

/* threats.md E 78 */
START_TEST(the_state_of_another_browser_is_unknown)
{
    kc_login_state_t state = begin("/"), found;

    site->client.cookies = NULL;
    ck_assert_int_eq(find(state.text, &found), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_STATE_UNKNOWN);
    site->client.cookies = "keycloak_login_=; __Host-keycloak_login_; a=b";
    ck_assert_int_eq(find(state.text, &found), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_STATE_UNKNOWN);
}
END_TEST

/* threats.md E 79, 82 */
START_TEST(a_state_is_spent_once)
{
    kc_login_state_t state = begin("/"), other = begin("/");

    ck_assert_int_eq(kc_login_state_spend(site->rp, &state, &last), KC_OK);
    /* not among the marks, which are small */
    ck_assert_uint_eq(kc_fake_store_nth(&fake->sessions, 0)->len, KC_LOGIN_STATE_MARKER);
    ck_assert_int_eq(kc_login_state_spend(site->rp, &state, &last), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_STATE_SPENT);
    ck_assert_int_eq(kc_login_state_spend(site->rp, &other, &last), KC_OK);
    /* remembered as long as the sign-in may take, and once it has succeeded, as the state could be
     * used */
    ck_assert_int_lt(kc_fake_store_nth(&fake->sessions, 0)->expires_at, fake->now + 60);
    ck_assert_int_ge(kc_fake_store_nth(&fake->sessions, 0)->expires_at,
                     fake->now + 3 * site->conf->http_timeout / 1000);
    kc_login_state_settle(site->rp, &state);
    fake->now += site->conf->login_timeout - 1;
    ck_assert_int_eq(kc_login_state_spend(site->rp, &state, &last), KC_MISS);
    fake->sessions.is_down = 1;
    ck_assert_int_eq(kc_login_state_spend(site->rp, &state, &last), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
}
END_TEST

/* Also one whose sign-in took longer than anybody thought. */
START_TEST(a_settled_state_stays_spent)
{
    kc_login_state_t state = begin("/");

    ck_assert_int_eq(kc_login_state_spend(site->rp, &state, &last), KC_OK);
    fake->now += 100;
    kc_login_state_settle(site->rp, &state);
    ck_assert_int_eq(kc_login_state_spend(site->rp, &state, &last), KC_MISS);
    ck_assert_int_eq(kc_fake_store_nth(&fake->sessions, 0)->expires_at,
                     fake->now + site->conf->login_timeout);
}
END_TEST

/* A time-out longer than the state's own life. */
START_TEST(no_marker_outlives_its_state)
{
    kc_login_state_t state;

    site->conf->http_timeout = 600000;
    state = begin("/");
    ck_assert_int_eq(kc_login_state_spend(site->rp, &state, &last), KC_OK);
    ck_assert_int_eq(kc_fake_store_nth(&fake->sessions, 0)->expires_at,
                     fake->now + site->conf->login_timeout);
}
END_TEST

/* threats.md E 80 */
START_TEST(a_state_expires)
{
    kc_login_state_t state = begin("/"), found;

    fake->now += site->conf->login_timeout - 1;
    ck_assert_int_eq(find(state.text, &found), KC_OK);
    fake->now += 1;
    ck_assert_int_eq(find(state.text, &found), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_STATE_EXPIRED);
}
END_TEST

/* threats.md E 81: whatever is wrong with a cookie, the answer is the same. */
START_TEST(every_bit_of_the_cookie_counts_and_gives_one_error)
{
    kc_login_state_t state = begin("/"), found;
    const char *name = name_of(&state), *value = kc_fake_site_cookie(site, name);
    char detail[KC_ERR_DETAIL_SIZE] = "";
    size_t i;
    int bit;

    for (i = 0; value[i]; i++) {
        for (bit = 0; bit < 8; bit++) {
            char *changed = apr_pstrdup(testlib_pool, value);

            changed[i] ^= (char)(1 << bit);
            if (!changed[i] || strchr(";, =\t", changed[i]))
                continue; /* the end of the cookie: the truncations below */
            kc_fake_site_plant(site, name, changed);
            ck_assert_int_eq(find(state.text, &found), KC_MISS);
            ck_assert_int_eq(last.reason, KC_ERR_STATE_UNKNOWN);
            if (!detail[0])
                apr_cpystrn(detail, last.detail, sizeof(detail));
            ck_assert_str_eq(last.detail, detail);
        }
    }
    for (i = 1; i < strlen(value); i++) {
        kc_fake_site_plant(site, name, kc_buf_copy(value, i, testlib_pool));
        ck_assert_int_eq(find(state.text, &found), KC_MISS);
        ck_assert_int_eq(last.reason, KC_ERR_STATE_UNKNOWN);
        ck_assert_str_eq(last.detail, detail);
    }
    kc_fake_site_plant(site, name, value);
    ck_assert_int_eq(find(state.text, &found), KC_OK);
}
END_TEST

/* Every bit of the state's own 43 characters is bound to the cookie. */
START_TEST(every_bit_of_the_state_counts)
{
    kc_login_state_t state = begin("/"), found;
    unsigned char raw[KC_LOGIN_STATE_SIZE];
    char text[KC_LOGIN_STATE_TEXT + 1];
    size_t i;

    for (i = 0; i < 8 * sizeof(raw); i++) {
        memcpy(raw, state.raw, sizeof(raw));
        raw[i / 8] ^= (unsigned char)(1 << (i % 8));
        kc_buf_base64url_to(raw, sizeof(raw), text);
        ck_assert_int_eq(find(text, &found), KC_MISS);
        ck_assert(last.reason == KC_ERR_STATE_UNKNOWN || last.reason == KC_ERR_STATE_EXPIRED);
    }
}
END_TEST

/* threats.md E 86 */
START_TEST(the_verifier_of_another_tab_does_not_serve)
{
    kc_login_state_t one = begin("/one"), two = begin("/two"), found;
    const char *first = kc_fake_site_cookie(site, name_of(&one));

    kc_fake_site_plant(site, name_of(&one), kc_fake_site_cookie(site, name_of(&two)));
    kc_fake_site_plant(site, name_of(&two), first);
    ck_assert_int_eq(find(one.text, &found), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_STATE_UNKNOWN);
    ck_assert_int_eq(find(two.text, &found), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_STATE_UNKNOWN);
}
END_TEST

START_TEST(the_return_url_of_another_state_is_not_taken)
{
    kc_login_state_t one = begin("/one"), two = begin("/two"), found;
    const char *mixed =
        apr_pstrcat(testlib_pool, kc_buf_copy(one.text, KC_LOGIN_STATE_TEXT, testlib_pool),
                    two.text + KC_LOGIN_STATE_TEXT, NULL);
    kc_login_round_t round;
    const char *url;

    ck_assert_int_eq(find(mixed, &found), KC_OK);
    ck_assert_str_eq(found.return_url, "/");
    ck_assert_int_eq(again(mixed, &url, &round), KC_OK);
    ck_assert_str_eq(url, "/");
}
END_TEST

/* Both are sealed for the same state, but each for its purpose: whoever sees the state, as Keycloak
 * does, knows a sealed value whose contents they chose. */
START_TEST(the_sealed_return_url_is_no_cookie_nor_the_cookie_a_return_url)
{
    kc_login_state_t state = begin(path_of(200)), found;
    const char *name = name_of(&state), *cookie = kc_fake_site_cookie(site, name);
    const char *mixed =
        apr_pstrcat(testlib_pool, kc_buf_copy(state.text, KC_LOGIN_STATE_TEXT, testlib_pool), ".",
                    cookie, NULL);

    ck_assert_int_eq(find(mixed, &found), KC_OK);
    ck_assert_str_eq(found.return_url, "/");
    kc_fake_site_plant(site, name, strchr(state.text, '.') + 1);
    ck_assert_int_eq(find(state.text, &found), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_STATE_UNKNOWN);
}
END_TEST

START_TEST(another_configurations_state_is_unknown)
{
    kc_login_state_t state = begin("/"), found;

    site->conf->client_id = "another";
    kc_fake_site_renew(site);
    ck_assert_int_eq(find(state.text, &found), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_STATE_UNKNOWN);
}
END_TEST

START_TEST(a_rotated_key_still_opens_states)
{
    kc_login_state_t state = begin("/page"), found;

    site->keys = kc_fake_site_keys(site, "ffffffffffffffffffffffffffffffff",
                                   "0123456789abcdef0123456789abcdef");
    kc_fake_site_renew(site);
    ck_assert_int_eq(find(state.text, &found), KC_OK);
    ck_assert_str_eq(found.return_url, "/page");
}
END_TEST

START_TEST(a_state_of_a_key_that_is_not_here_says_so)
{
    kc_login_state_t state = begin("/page"), found;

    site->keys = kc_fake_site_keys(site, "ffffffffffffffffffffffffffffffff", NULL);
    kc_fake_site_renew(site);
    ck_assert_int_eq(find(state.text, &found), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_STATE_UNKNOWN);
    ck_assert(kc_fake_log_has(fake,
                              "KC0505: key-foreign: a sign-in's cookie that a client sent was "
                              "sealed with a key that this server does not have"));
}
END_TEST

START_TEST(a_text_that_is_no_state_is_refused)
{
    static const char *const texts[] = {
        "",
        "x",
        ".",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAA;AAAAAAAAAAAAAAAAAAAAAAAAAA",
    };
    kc_login_state_t found;
    kc_login_round_t round;
    const char *url;
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_int_eq(find(texts[i], &found), KC_REFUSED);
        ck_assert_int_eq(last.reason, KC_ERR_CALLBACK);
        ck_assert_int_eq(again(texts[i], &url, &round), KC_REFUSED);
        ck_assert_int_eq(last.reason, KC_ERR_CALLBACK);
    }
}
END_TEST

/* ---------------------------------------------------------------- many tabs */

static void assert_room(void)
{
    size_t bytes;

    ck_assert_int_le(kc_fake_site_count(site, "__Host-keycloak_login_", &bytes),
                     KC_LOGIN_AT_ONCE_MAX);
    ck_assert_uint_le(bytes, KC_LOGIN_COOKIES_MAX);
}

/* threats.md E 87: the five youngest sign in at once, the others at least know their pages. */
START_TEST(ten_tabs_each_find_their_own_page)
{
    kc_login_state_t state[10], found;
    int i;

    for (i = 0; i < 10; i++) {
        state[i] = begin(apr_psprintf(testlib_pool, "/tab/%d", i));
        assert_room();
        fake->now += 1;
    }
    for (i = 0; i < 10; i++) {
        const char *path = apr_psprintf(testlib_pool, "/tab/%d", i), *url;
        kc_login_round_t round;

        if (i < 5) {
            ck_assert_int_eq(find(state[i].text, &found), KC_MISS);
            ck_assert_int_eq(last.reason, KC_ERR_STATE_UNKNOWN);
        } else {
            ck_assert_int_eq(find(state[i].text, &found), KC_OK);
            ck_assert_str_eq(found.return_url, path);
        }
        ck_assert_int_eq(again(state[i].text, &url, &round), KC_OK);
        ck_assert_str_eq(url, path);
    }
}
END_TEST

START_TEST(ten_tabs_with_long_addresses_stay_under_the_limit)
{
    kc_login_state_t state, found;
    int i;

    for (i = 0; i < 10; i++) {
        state = begin(noise_of(LONGEST_PLAIN));
        assert_room();
        ck_assert_int_eq(find(state.text, &found), KC_OK);
        fake->now += 1;
    }
}
END_TEST

/* threats.md G 104, O 181 */
START_TEST(fifty_stale_cookies_are_cleared_away)
{
    kc_login_state_t state, found;
    int i;

    for (i = 0; i < 50; i++)
        kc_fake_site_plant(site, apr_psprintf(testlib_pool, "__Host-keycloak_login_%016d", i),
                           "stale");
    kc_fake_site_plant(site, "__Host-keycloak_login_", "nameless");
    kc_fake_site_plant(site, "__Host-keycloak_login_tooshort", "x");
    kc_fake_site_plant(site, "theirs", "stays");
    state = begin("/page");
    assert_room();
    ck_assert_int_eq(find(state.text, &found), KC_OK);
    ck_assert_str_eq(kc_fake_site_cookie(site, "theirs"), "stays");
}
END_TEST

START_TEST(a_cookie_of_an_expired_sign_in_goes_first)
{
    kc_login_state_t old = begin("/old"), young, found;
    int i;

    fake->now += site->conf->login_timeout;
    young = begin("/young");
    ck_assert_ptr_null(kc_fake_site_cookie(site, name_of(&old)));
    for (i = 0; i < 4; i++)
        (void)begin("/more");
    ck_assert_int_eq(find(young.text, &found), KC_OK);
}
END_TEST

/* Names that claim to be of the future do not keep real sign-ins out. */
START_TEST(planted_cookies_do_not_keep_sign_ins_out)
{
    static const char *const names[] = {
        "__Host-keycloak_login_________________", "__Host-keycloak_login_-_______________",
        "__Host-keycloak_login_9_______________", "__Host-keycloak_login_8_______________",
        "__Host-keycloak_login_7_______________", "__Host-keycloak_login_6_______________"};
    kc_login_state_t state, found;
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        kc_fake_site_plant(site, names[i], path_of(1000));
    state = begin("/page");
    assert_room();
    ck_assert_int_eq(find(state.text, &found), KC_OK);
}
END_TEST

START_TEST(finding_a_state_deletes_its_cookie)
{
    apr_array_header_t *cookies = apr_array_make(testlib_pool, 4, sizeof(const char *));
    kc_login_state_t state = begin("/"), other = begin("/"), found;

    ck_assert_int_eq(kc_login_state_find(site->rp, &site->client, state.text, testlib_pool, &found,
                                         cookies, NULL),
                     KC_OK);
    kc_fake_site_take(site, cookies);
    ck_assert_ptr_null(kc_fake_site_cookie(site, name_of(&state)));
    ck_assert_ptr_nonnull(kc_fake_site_cookie(site, name_of(&other)));
}
END_TEST

/* ---------------------------------------------------------------- rounds */

START_TEST(a_sign_in_begins_again_three_times_in_a_minute)
{
    kc_login_round_t round = first_round;
    kc_login_state_t state;
    const char *url;
    int i;

    for (i = 0; i <= KC_LOGIN_ROUNDS_MAX; i++) {
        ck_assert_int_eq(make("/page", &round, &state), KC_OK);
        fake->now += 10;
        if (i == KC_LOGIN_ROUNDS_MAX)
            break;
        ck_assert_int_eq(again(state.text, &url, &round), KC_OK);
        ck_assert_uint_eq(round.number, (unsigned int)i + 1);
        ck_assert_int_eq(round.since, KC_FAKE_NOW);
    }
    ck_assert_int_eq(again(state.text, &url, &round), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_LOGIN_LOOP);
    ck_assert_str_eq(url, "/page");
    /* the minute is over: a first round again */
    fake->now = KC_FAKE_NOW + KC_LOGIN_ROUNDS_SECONDS;
    ck_assert_int_eq(again(state.text, &url, &round), KC_OK);
    ck_assert_uint_eq(round.number, 1);
    ck_assert_int_eq(round.since, fake->now);
}
END_TEST

START_TEST(slow_rounds_never_end_in_a_page)
{
    kc_login_round_t round = first_round;
    kc_login_state_t state;
    const char *url;
    int i;

    for (i = 0; i < 20; i++) {
        ck_assert_int_eq(make("/page", &round, &state), KC_OK);
        fake->now += 30;
        ck_assert_int_eq(again(state.text, &url, &round), KC_OK);
    }
}
END_TEST

/* A state says itself which round it is; a forged one leads to "/" and to nobody else's harm. */
START_TEST(a_forged_state_leads_nowhere)
{
    unsigned char raw[KC_LOGIN_STATE_SIZE];
    kc_login_round_t round;
    const char *url, *text;
    int i;

    for (i = 0; i < 256; i++) {
        kc_bytes_t bytes = {raw, sizeof(raw)};
        kc_rc_t rc;

        memset(raw, i, sizeof(raw));
        text = apr_pstrcat(testlib_pool, kc_buf_base64url(bytes, testlib_pool),
                           i % 2 ? "" : ".Ly9ldmlsLmV4YW1wbGUuY29t", NULL);
        rc = again(text, &url, &round);
        ck_assert(rc == KC_OK || rc == KC_REFUSED);
        ck_assert_str_eq(url, "/");
        if (rc == KC_OK)
            ck_assert_uint_eq(round.number, 1);
    }
}
END_TEST

/* ---------------------------------------------------------------- suite */

static TCase *add(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    suite_add_tcase(suite, tests);
    return tests;
}

static void add_attacks(TCase *tests)
{
    tcase_add_test(tests, the_state_of_another_browser_is_unknown);
    tcase_add_test(tests, a_state_is_spent_once);
    tcase_add_test(tests, a_settled_state_stays_spent);
    tcase_add_test(tests, no_marker_outlives_its_state);
    tcase_add_test(tests, a_state_expires);
    tcase_add_test(tests, every_bit_of_the_cookie_counts_and_gives_one_error);
    tcase_add_test(tests, every_bit_of_the_state_counts);
    tcase_add_test(tests, the_verifier_of_another_tab_does_not_serve);
    tcase_add_test(tests, the_return_url_of_another_state_is_not_taken);
    tcase_add_test(tests, the_sealed_return_url_is_no_cookie_nor_the_cookie_a_return_url);
    tcase_add_test(tests, another_configurations_state_is_unknown);
    tcase_add_test(tests, a_rotated_key_still_opens_states);
    tcase_add_test(tests, a_state_of_a_key_that_is_not_here_says_so);
    tcase_add_test(tests, a_text_that_is_no_state_is_refused);
}

static void add_tabs(TCase *tests)
{
    tcase_add_test(tests, ten_tabs_each_find_their_own_page);
    tcase_add_test(tests, ten_tabs_with_long_addresses_stay_under_the_limit);
    tcase_add_test(tests, fifty_stale_cookies_are_cleared_away);
    tcase_add_test(tests, a_cookie_of_an_expired_sign_in_goes_first);
    tcase_add_test(tests, planted_cookies_do_not_keep_sign_ins_out);
    tcase_add_test(tests, finding_a_state_deletes_its_cookie);
}

Suite *kc_test_login_state(void)
{
    Suite *suite = suite_create("login_state");
    TCase *tests = add(suite, "state"), *rounds = add(suite, "rounds");

    tcase_add_loop_test(tests, a_state_comes_back_whole, 0,
                        (int)(sizeof(lengths) / sizeof(lengths[0])));
    tcase_add_loop_test(tests, states_are_short_and_safe_in_a_url, 0,
                        (int)(sizeof(lengths) / sizeof(lengths[0])));
    tcase_add_loop_test(tests, long_return_urls_are_deflated, 2000, 2003);
    tcase_add_loop_test(tests, long_return_urls_are_deflated, 8000, 8003);
    tcase_add_test(tests, the_longest_return_url_that_is_not_deflated_fits);
    tcase_add_test(tests, a_return_url_that_is_too_long_becomes_the_start_page);
    tcase_add_test(tests, nothing_of_a_state_repeats);
    tcase_add_test(tests, a_sign_in_that_was_begun_leaves_nothing_on_the_server);
    tcase_add_test(tests, neither_state_nor_cookie_shows_what_is_in_it);
    tcase_add_test(tests, without_random_bytes_there_is_no_state);
    tcase_add_loop_test(tests, the_cookie_has_its_flags_and_its_time, 0, 2);
    add_attacks(add(suite, "attacks"));
    add_tabs(add(suite, "tabs"));
    tcase_add_test(rounds, a_sign_in_begins_again_three_times_in_a_minute);
    tcase_add_test(rounds, slow_rounds_never_end_in_a_page);
    tcase_add_test(rounds, a_forged_state_leads_nowhere);
    return suite;
}
