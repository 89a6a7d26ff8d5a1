/* Tests of session.h: the encoding, and sessions in a store that lies, forgets or is down.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/transform.h"
#include "fake_site.h"
#include "form.h"
#include "login/login_state.h"
#include "rp.h"
#include "session/revocation.h"
#include "session/session.h"
#include "session/session_tokens.h"
#include "session/unknown.h"
#include "testlib.h"

Suite *kc_test_session(void);

static kc_fake_site_t *site;
static kc_fake_t *fake;

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
}

static void teardown(void)
{
    testlib_teardown();
}

/* ---------------------------------------------------------------- samples */

static kc_session_list_t list_of(const char *const *texts)
{
    apr_array_header_t *array = apr_array_make(testlib_pool, 4, sizeof(const char *));

    for (; *texts; texts++)
        APR_ARRAY_PUSH(array, const char *) = *texts;
    return kc_session_list_make(array, testlib_pool);
}

/* {"alg":"RS256"}, {"sub":"f7f3"}, signature */
#define ID_TOKEN "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJmN2YzIn0.c2lnbmF0dXJl"

static kc_bytes_t packed(const char *id_token, const char *claims)
{
    const kc_pack_t contents = {id_token, NULL, NULL, kc_buf_text(claims)};
    kc_bytes_t bytes;

    ck_assert_int_eq(kc_pack_close(&contents, testlib_pool, &bytes, NULL), KC_OK);
    return bytes;
}

static kc_session_t sample(void)
{
    static const char *const headers[] = {"Alice", "", "Sales", NULL};
    static const char *const groups[] = {"kubeflow/users", "staff", NULL};
    static const char *const roles[] = {"offline_access", NULL};
    static const char *const none[] = {NULL};
    kc_session_t session;

    memset(&session, 0, sizeof(session));
    session.created = fake->now;
    session.expires = fake->now + site->conf->session_max;
    session.token_expires = fake->now + 1800;
    session.auth_time = fake->now - 5;
    session.sub = "f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10";
    session.sid = "6d1c63f2-9f51-4a0e-8c38-5a5a1d3b7a11";
    session.user = "alice@example.com";
    session.email = "alice@example.com";
    session.acr = "1";
    session.sub_key = (const unsigned char *)"0123456789abcdef0123456789abcdef";
    session.sid_key = (const unsigned char *)"fedcba9876543210fedcba9876543210";
    session.user_key = (const unsigned char *)"0f1e2d3c4b5a69780f1e2d3c4b5a6978";
    session.user_seen = ((int64_t)1 << 40) + 3;
    session.groups = "kubeflow/users,staff";
    session.headers = list_of(headers);
    session.group_list = list_of(groups);
    session.realm_roles = list_of(roles);
    session.client_roles = list_of(none);
    session.packed = packed(ID_TOKEN, "");
    return session;
}

static kc_bytes_t encoded(kc_session_t *session)
{
    kc_bytes_t compact;

    ck_assert_int_eq(kc_session_codec_encode(session, testlib_pool, &compact, NULL), KC_OK);
    return compact;
}

static void assert_list(const kc_session_list_t *list, const char *const *texts)
{
    kc_bytes_t at = {NULL, 0};

    for (; *texts; texts++) {
        ck_assert_int_eq(kc_session_list_walk(list, &at), 1);
        ck_assert_str_eq(kc_buf_dup_text(at, testlib_pool), *texts);
    }
    ck_assert_int_eq(kc_session_list_walk(list, &at), 0);
}

/* ---------------------------------------------------------------- the compact form */

START_TEST(what_is_written_is_read)
{
    static const char *const headers[] = {"Alice", "", "Sales", NULL};
    static const char *const groups[] = {"kubeflow/users", "staff", NULL};
    kc_session_t in = sample(), out;
    kc_bytes_t again, compact;

    in.slot = 7;
    in.unknown = KC_UNKNOWN_GROUPS | KC_UNKNOWN_REALM_ROLES;
    compact = encoded(&in);

    ck_assert_int_eq(kc_session_codec_decode(compact, &out, NULL), KC_OK);
    ck_assert(out.created == in.created && out.expires == in.expires);
    ck_assert(out.token_expires == in.token_expires && out.auth_time == in.auth_time);
    ck_assert_str_eq(out.sub, in.sub);
    ck_assert_str_eq(out.sid, in.sid);
    ck_assert_str_eq(out.user, in.user);
    ck_assert_str_eq(out.email, in.email);
    ck_assert_str_eq(out.acr, "1");
    ck_assert_mem_eq(out.sub_key, in.sub_key, KC_SESSION_NAME_SIZE);
    ck_assert_mem_eq(out.sid_key, in.sid_key, KC_SESSION_NAME_SIZE);
    ck_assert_mem_eq(out.user_key, in.user_key, KC_SESSION_NAME_SIZE);
    ck_assert_int_eq(out.user_seen, in.user_seen);
    ck_assert_uint_eq(out.slot, 7);
    ck_assert_uint_eq(out.unknown, in.unknown);
    ck_assert_str_eq(out.groups, in.groups);
    assert_list(&out.headers, headers);
    assert_list(&out.group_list, groups);
    ck_assert_uint_eq(out.realm_roles.size, sizeof("offline_access"));
    ck_assert_ptr_null(kc_session_list_next(&out.client_roles, NULL));
    ck_assert_uint_eq(out.packed.len, in.packed.len);
    ck_assert_mem_eq(out.packed.data, in.packed.data, in.packed.len);
    ck_assert_uint_eq(out.claims.len, 0);
    again = encoded(&out);
    ck_assert_uint_eq(again.len, compact.len);
    ck_assert_mem_eq(again.data, compact.data, compact.len);
}
END_TEST

START_TEST(an_empty_session_is_written_and_read)
{
    kc_session_t in, out;

    memset(&in, 0, sizeof(in));
    in.sub = in.sid = in.user = in.email = in.acr = in.groups = "";
    in.headers.text = in.group_list.text = in.realm_roles.text = in.client_roles.text = "";
    ck_assert_int_eq(kc_session_codec_decode(encoded(&in), &out, NULL), KC_OK);
    ck_assert_str_eq(out.user, "");
    ck_assert_ptr_null(kc_session_tokens_claims(&out, testlib_pool));
}
END_TEST

/* As a view may have them. */
START_TEST(an_id_token_is_written_and_read_beside_claims)
{
    static const char *const claims[] = {"", "{\"sub\":\"f7f3\"}"};
    const kc_bytes_t nothing = {NULL, 0};
    kc_session_t in = sample(), out;
    kc_bytes_t compact;
    unsigned char *bytes;
    size_t i;

    for (i = 0; i < 2; i++) {
        in.packed = nothing;
        in.claims = kc_buf_text(claims[i]);
        in.id_token = "a.b.c";
        compact = encoded(&in);
        ck_assert_int_eq(kc_session_codec_decode(compact, &out, NULL), KC_OK);
        ck_assert_str_eq(out.id_token, "a.b.c");
        ck_assert_uint_eq(out.claims.len, strlen(claims[i]));
        ck_assert_mem_eq(out.claims.data, claims[i], out.claims.len);
        ck_assert_uint_eq(out.packed.len, 0);
        bytes = apr_pmemdup(testlib_pool, compact.data, compact.len);
        bytes[compact.len - strlen(claims[i]) - 6] = 0; /* an empty token */
        compact.data = bytes;
        ck_assert_int_eq(kc_session_codec_decode(compact, &out, NULL), KC_REFUSED);
    }
}
END_TEST

/* In memory of exactly their size, so that reading past the end is seen. */
static kc_bytes_t exactly(const unsigned char *data, size_t len)
{
    kc_bytes_t bytes = {len ? malloc(len) : NULL, len};

    if (len)
        memcpy((void *)(uintptr_t)bytes.data, data, len);
    return bytes;
}

START_TEST(every_truncation_is_refused)
{
    kc_session_t session = sample(), out;
    kc_bytes_t compact = encoded(&session);
    size_t len;

    for (len = 0; len < compact.len; len++) {
        kc_bytes_t cut = exactly(compact.data, len);
        kc_err_t err;

        ck_assert_int_eq(kc_session_codec_decode(cut, &out, &err), KC_REFUSED);
        ck_assert_int_eq(err.reason, KC_ERR_SESSION_FORMAT);
        free((void *)(uintptr_t)cut.data);
    }
}
END_TEST

START_TEST(what_follows_the_end_is_refused)
{
    kc_session_t session = sample(), out;
    kc_bytes_t compact = encoded(&session);

    compact.len++; /* the NUL that follows */
    ck_assert_int_eq(kc_session_codec_decode(compact, &out, NULL), KC_REFUSED);
}
END_TEST

START_TEST(every_other_format_is_refused)
{
    kc_session_t session = sample(), out;
    kc_bytes_t compact = encoded(&session);
    unsigned char *bytes = apr_pmemdup(testlib_pool, compact.data, compact.len);
    int format;

    compact.data = bytes;
    for (format = 0; format < 256; format++) {
        kc_err_t err;

        bytes[0] = (unsigned char)format;
        if (format == KC_SESSION_CODEC_VERSION)
            continue;
        ck_assert_int_eq(kc_session_codec_decode(compact, &out, &err), KC_REFUSED);
        ck_assert_int_eq(err.reason, KC_ERR_SESSION_FORMAT);
    }
}
END_TEST

/* Any byte may be wrong; then it is refused, or read without leaving the bytes. */
START_TEST(no_changed_byte_leads_outside)
{
    kc_session_t session = sample(), out;
    kc_bytes_t compact = encoded(&session);
    kc_bytes_t copy = exactly(compact.data, compact.len);
    unsigned char *bytes = (unsigned char *)(uintptr_t)copy.data;
    size_t i;
    int bit;

    for (i = 0; i < copy.len; i++) {
        for (bit = 0; bit < 8; bit++) {
            const kc_session_list_t *lists[] = {&out.headers, &out.group_list, &out.realm_roles,
                                                &out.client_roles};
            size_t l;

            bytes[i] ^= (unsigned char)(1 << bit);
            if (kc_session_codec_decode(copy, &out, NULL) == KC_OK) {
                kc_bytes_t again = encoded(&out);

                ck_assert_uint_eq(again.len, copy.len);
                ck_assert_mem_eq(again.data, copy.data, copy.len);
                for (l = 0; l < 4; l++) {
                    kc_bytes_t at = {NULL, 0};
                    size_t seen = 0;

                    while (kc_session_list_walk(lists[l], &at))
                        seen += at.len + 1;
                    ck_assert_uint_eq(seen, lists[l]->size);
                }
            }
            bytes[i] ^= (unsigned char)(1 << bit);
        }
    }
    free(bytes);
}
END_TEST

/* A session with many groups is not much larger than they are. */
START_TEST(groups_are_kept_once)
{
    enum { MANY = 60, ROOM = 800 };
    apr_array_header_t *names = apr_array_make(testlib_pool, MANY, sizeof(const char *));
    kc_session_t session = sample(), out;
    kc_bytes_t compact, at = {NULL, 0};
    int i;

    for (i = 0; i < MANY; i++)
        APR_ARRAY_PUSH(names, const char *) =
            apr_psprintf(testlib_pool, "department-%d/team-%d", i * 7919 % 100, i * 104729 % 1000);
    session.group_list = kc_session_list_make(names, testlib_pool);
    session.groups = apr_array_pstrcat(testlib_pool, names, ',');
    compact = encoded(&session);
    ck_assert_uint_lt(compact.len, session.group_list.size + ROOM);
    ck_assert_int_eq(kc_session_codec_decode(compact, &out, NULL), KC_OK);
    ck_assert_str_eq(out.groups, session.groups);
    for (i = 0; i < MANY; i++) {
        ck_assert_int_eq(kc_session_list_walk(&out.group_list, &at), 1);
        ck_assert_str_eq(kc_buf_dup_text(at, testlib_pool), APR_ARRAY_IDX(names, i, const char *));
    }
    ck_assert_int_eq(kc_session_list_walk(&out.group_list, &at), 0);
}
END_TEST

/* A list and a header value that are not the same text: none, other ones, too long for a header. */
START_TEST(groups_that_differ_from_their_header_value_come_back)
{
    static const struct {
        const char *header;
        const char *list[4];
    } cases[] = {{"", {NULL}},           {"a", {NULL}},
                 {"", {"a", "b", NULL}}, {"a", {"a", "b", NULL}},
                 {"a,b", {"a", NULL}},   {"a,b", {"b", "a", NULL}},
                 {"a,b", {"a,b", NULL}}, {"", {"", NULL}},
                 {",", {"", "", NULL}},  {"a,", {"a", "", NULL}}};
    kc_session_t session = sample(), out;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        session.groups = cases[i].header;
        session.group_list = list_of(cases[i].list);
        ck_assert_int_eq(kc_session_codec_decode(encoded(&session), &out, NULL), KC_OK);
        ck_assert_str_eq(out.groups, cases[i].header);
        assert_list(&out.group_list, cases[i].list);
    }
}
END_TEST

/* One that was written two updates ago. */
START_TEST(the_oldest_form_is_read)
{
    static const char oldest[] =
        "040007000000010000000200000003000000040000000500020003000200020002000400"
        "020004000200000000000000000000000000090101010101010101010101010101010101"
        "010101010101010101010101010101020202020202020202020202020202020202020202"
        "02020202020202020202027300733300750065006100672c68007800670068007200";
    static const char *const groups[] = {"g", "h", NULL};
    static const char *const headers[] = {"x", NULL};
    kc_session_t out;

    ck_assert_int_eq(kc_session_codec_decode(testlib_unhex(oldest), &out, NULL), KC_OK);
    ck_assert_ptr_null(out.user_key);
    ck_assert_int_eq(out.user_seen, 0);
    ck_assert_uint_eq(out.slot, 7);
    ck_assert(out.created == 1 && out.expires == 2 && out.token_expires == 3);
    ck_assert(out.auth_time == 4 && out.refresh_at == 5 && out.sub_seen == 9);
    ck_assert_uint_eq(out.unknown, KC_UNKNOWN_ALL); /* it does not say */
    ck_assert_str_eq(out.sid, "s3");
    ck_assert_str_eq(out.groups, "g,h");
    assert_list(&out.group_list, groups);
    assert_list(&out.headers, headers);
    ck_assert_int_eq(kc_session_codec_decode(encoded(&out), &out, NULL), KC_OK);
    assert_list(&out.group_list, groups);
    ck_assert_str_eq(out.groups, "g,h");
}
END_TEST

/* One that was written before the last: without the mark of the user's name. */
static kc_bytes_t without_user_mark(const kc_session_t *session)
{
    kc_bytes_t compact;

    ck_assert_int_eq(kc_session_codec_encode(session, testlib_pool, &compact, NULL), KC_OK);
    return form_without_user_mark(compact);
}

START_TEST(the_form_of_before_is_read)
{
    kc_session_t in = sample(), out;

    in.unknown = KC_UNKNOWN_GROUPS;
    ck_assert_int_eq(kc_session_codec_decode(without_user_mark(&in), &out, NULL), KC_OK);
    ck_assert_ptr_null(out.user_key);
    ck_assert_int_eq(out.user_seen, 0);
    ck_assert_uint_eq(out.unknown, KC_UNKNOWN_GROUPS);
    ck_assert_mem_eq(out.sid_key, in.sid_key, KC_SESSION_NAME_SIZE);
    ck_assert_str_eq(out.user, in.user);
    ck_assert_str_eq(out.groups, in.groups);
    ck_assert_uint_eq(out.packed.len, in.packed.len);
}
END_TEST

static const char *filled(size_t len)
{
    char *text = apr_palloc(testlib_pool, len + 1);

    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

/* A list of count groups, the last of which makes it size bytes with all NULs. */
static kc_session_list_t groups_of(int count, size_t size)
{
    apr_array_header_t *names = apr_array_make(testlib_pool, count, sizeof(const char *));
    size_t len = 0;
    int i;

    for (i = 0; i < count - 1; i++) {
        const char *name = apr_psprintf(testlib_pool, "department-%d/team-%d", i % 100, i);

        APR_ARRAY_PUSH(names, const char *) = name;
        len += strlen(name) + 1;
    }
    ck_assert_uint_lt(len, size);
    APR_ARRAY_PUSH(names, const char *) = filled(size - len - 1);
    return kc_session_list_make(names, testlib_pool);
}

/* Lengths take four bytes each only where one needs more than two, and nothing else changes. */
static const struct {
    size_t size;
    unsigned char version;
} wide_sizes[] = {
    {KC_SESSION_CODEC_SHORT_MAX - 1, 6},
    {KC_SESSION_CODEC_SHORT_MAX, 6},
    {KC_SESSION_CODEC_SHORT_MAX + 1, 7},
    {KC_SESSION_CODEC_SHORT_MAX + 2, 7},
    {250000, 7},
};

START_TEST(a_long_list_is_written_and_read)
{
    static const char *const headers[] = {"Alice", "", "Sales", NULL};
    kc_session_t in = sample(), out;
    kc_bytes_t compact, again;

    in.slot = 7;
    in.unknown = KC_UNKNOWN_CLIENT_ROLES;
    in.sub_seen = 12;
    in.group_list = groups_of(1000, wide_sizes[_i].size);
    compact = encoded(&in);
    ck_assert_uint_eq(compact.data[0], wide_sizes[_i].version);
    ck_assert_int_eq(kc_session_codec_decode(compact, &out, NULL), KC_OK);
    ck_assert_uint_eq(out.group_list.size, in.group_list.size);
    ck_assert_mem_eq(out.group_list.text, in.group_list.text, in.group_list.size);
    ck_assert(out.created == in.created && out.expires == in.expires);
    ck_assert(out.sub_seen == in.sub_seen && out.user_seen == in.user_seen);
    ck_assert_mem_eq(out.sub_key, in.sub_key, KC_SESSION_NAME_SIZE);
    ck_assert_mem_eq(out.sid_key, in.sid_key, KC_SESSION_NAME_SIZE);
    ck_assert_mem_eq(out.user_key, in.user_key, KC_SESSION_NAME_SIZE);
    ck_assert_uint_eq(out.unknown, in.unknown);
    ck_assert_uint_eq(out.packed.len, in.packed.len);
    ck_assert_str_eq(out.acr, in.acr);
    assert_list(&out.headers, headers);
    again = encoded(&out);
    ck_assert_uint_eq(again.len, compact.len);
    ck_assert_mem_eq(again.data, compact.data, compact.len);
}
END_TEST

/* Of the head, which is all that is looked at before lengths are. */
START_TEST(a_wide_form_is_as_strict)
{
    enum { HEAD_MAX = 250 };
    kc_session_t session = sample(), out;
    kc_bytes_t compact, copy;
    unsigned char *bytes;
    size_t i;
    int bit;

    session.group_list = groups_of(10, KC_SESSION_CODEC_SHORT_MAX + 1);
    compact = encoded(&session);
    for (i = 0; i < HEAD_MAX; i++) {
        copy = exactly(compact.data, i);
        ck_assert_int_eq(kc_session_codec_decode(copy, &out, NULL), KC_REFUSED);
        free((void *)(uintptr_t)copy.data);
    }
    copy = exactly(compact.data, compact.len);
    bytes = (unsigned char *)(uintptr_t)copy.data;
    for (i = 0; i < HEAD_MAX; i++) {
        for (bit = 0; bit < 8; bit++) {
            bytes[i] ^= (unsigned char)(1 << bit);
            if (kc_session_codec_decode(copy, &out, NULL) == KC_OK) {
                kc_bytes_t again = encoded(&out);

                ck_assert_uint_eq(again.len, copy.len);
                ck_assert_mem_eq(again.data, copy.data, copy.len);
            }
            bytes[i] ^= (unsigned char)(1 << bit);
        }
    }
    free(bytes);
}
END_TEST

/* A session has one form: what fits into short lengths is not read with wide ones. */
START_TEST(a_wide_form_without_need_is_refused)
{
    kc_session_t session = sample(), out;
    kc_bytes_t compact = encoded(&session), wide;
    const size_t lengths_at = 4 + 20, count = 10;
    size_t i;
    kc_buf_t buf;

    kc_buf_init(&buf, 100000, testlib_pool);
    kc_buf_put_u8(&buf, KC_SESSION_CODEC_VERSION_WIDE);
    kc_buf_put(&buf, compact.data + 1, lengths_at - 1);
    for (i = 0; i < count; i++) {
        kc_buf_put_u16(&buf, 0);
        kc_buf_put(&buf, compact.data + lengths_at + 2 * i, 2);
    }
    kc_buf_put(&buf, compact.data + lengths_at + 2 * count, compact.len - lengths_at - 2 * count);
    ck_assert_int_eq(kc_buf_bytes(&buf, &wide), KC_OK);
    ck_assert_int_eq(kc_session_codec_decode(wide, &out, NULL), KC_REFUSED);
}
END_TEST

START_TEST(a_session_that_is_too_large_is_refused)
{
    kc_session_t session = sample();
    size_t more, len = KC_SEAL_MAX - KC_SEAL_OVERHEAD;
    kc_bytes_t compact;
    char id[KC_SESSION_ID_TEXT + 1];
    kc_err_t err;

    session.group_list = groups_of(10, 100000);
    more = encoded(&session).len - 100000; /* what is beside the groups */
    session.group_list = groups_of(10, len - more + 1);
    ck_assert_int_eq(kc_session_codec_encode(&session, testlib_pool, &compact, &err), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_STORE_VALUE);
    ck_assert_ptr_nonnull(strstr(err.detail, session.sub));
    ck_assert_ptr_nonnull(strstr(err.detail, ": groups "));
    ck_assert_int_eq(kc_session_create(site->rp, &session, testlib_pool, id, &err), KC_REFUSED);
    ck_assert_int_eq(fake->sessions.puts, 0);
    session.group_list = groups_of(10, len - more);
    ck_assert_int_eq(kc_session_create(site->rp, &session, testlib_pool, id, &err), KC_OK);
    ck_assert_int_eq(kc_session_find(site->rp, kc_buf_text(id), testlib_pool, &session, &err),
                     KC_SESSION_LIVE);
    ck_assert_uint_eq(session.group_list.size, len - more);
}
END_TEST

START_TEST(the_id_token_comes_back_to_the_letter)
{
    kc_session_t session = sample();
    const char *text = kc_session_tokens_id_token(&session, testlib_pool);

    ck_assert_str_eq(text, ID_TOKEN);
}
END_TEST

START_TEST(merged_claims_win_over_the_tokens)
{
    kc_session_t session = sample();

    ck_assert_str_eq(kc_json_member_string(kc_session_tokens_claims(&session, testlib_pool), "sub"),
                     "f7f3");
    session.packed = packed(ID_TOKEN, "{\"sub\":\"other\"}");
    ck_assert_str_eq(kc_json_member_string(kc_session_tokens_claims(&session, testlib_pool), "sub"),
                     "other");
    session.packed = packed(ID_TOKEN, "{");
    ck_assert_ptr_null(kc_session_tokens_claims(&session, testlib_pool));
}
END_TEST

/* ---------------------------------------------------------------- in the store */

static const char *create(void)
{
    kc_session_t session = sample();
    char *id = apr_palloc(testlib_pool, KC_SESSION_ID_TEXT + 1);

    ck_assert_int_eq(kc_session_create(site->rp, &session, testlib_pool, id, NULL), KC_OK);
    ck_assert_uint_eq(strlen(id), KC_SESSION_ID_TEXT);
    return id;
}

static kc_err_t last;

static kc_session_state_t find(const char *id, kc_session_t *out)
{
    kc_session_t dummy;

    memset(&last, 0, sizeof(last));
    return kc_session_find(site->rp, kc_buf_text(id), testlib_pool, out ? out : &dummy, &last);
}

START_TEST(a_session_is_found_by_its_id)
{
    const char *id = create();
    kc_session_t session;

    ck_assert_int_eq(find(id, &session), KC_SESSION_LIVE);
    ck_assert_int_eq(last.reason, KC_ERR_NONE);
    ck_assert_str_eq(session.user, "alice@example.com");
    /* with its own mark and its last use; then, when it says whose it is, its user's and its sid's
     */
    ck_assert_int_eq(fake->sessions.gets, 2);
    ck_assert_int_eq(fake->sessions.keys_asked, 6);
}
END_TEST

START_TEST(ids_never_repeat)
{
    ck_assert_str_ne(create(), create());
    ck_assert_int_eq(kc_fake_store_count(&fake->sessions), 2);
}
END_TEST

START_TEST(without_random_bytes_there_is_no_session)
{
    kc_session_t session = sample();
    char id[KC_SESSION_ID_TEXT + 1] = "";
    kc_err_t err;

    fake->is_random_broken = 1;
    ck_assert_int_eq(kc_session_create(site->rp, &session, testlib_pool, id, &err), KC_FAULT);
    ck_assert_int_eq(err.reason, KC_ERR_CRYPTO);
    ck_assert_int_eq(fake->sessions.puts, 0);
    ck_assert_str_eq(id, "");
}
END_TEST

/* What lies in the store tells nobody whose it is, nor what the cookie was. */
START_TEST(the_store_sees_neither_names_nor_the_id)
{
    const char *id = create();
    const kc_fake_entry_t *entry = kc_fake_store_nth(&fake->sessions, 0);
    size_t i;

    ck_assert_ptr_null(strstr(entry->key, id));
    for (i = 0; i + 5 <= entry->len; i++) {
        ck_assert(memcmp(entry->data + i, "alice", 5) != 0);
        ck_assert(memcmp(entry->data + i, "RS256", 5) != 0);
    }
}
END_TEST

/* threats.md J 132 */
START_TEST(a_value_with_any_byte_changed_is_refused)
{
    const char *id = create();
    kc_fake_entry_t *entry = kc_fake_store_nth(&fake->sessions, 0);
    size_t i;

    for (i = 0; i < entry->len; i++) {
        entry->data[i] ^= (unsigned char)(1 << (i % 8));
        ck_assert_int_eq(find(id, NULL), KC_SESSION_NONE);
        ck_assert_int_eq(last.reason, KC_ERR_SEAL);
        entry->data[i] ^= (unsigned char)(1 << (i % 8));
    }
    ck_assert_int_eq(find(id, NULL), KC_SESSION_LIVE);
}
END_TEST

/* threats.md J 133 */
START_TEST(a_value_cut_at_any_place_is_refused)
{
    const char *id = create();
    kc_fake_entry_t *entry = kc_fake_store_nth(&fake->sessions, 0);
    size_t whole = entry->len;

    for (entry->len = 0; entry->len < whole; entry->len++) {
        ck_assert_int_eq(find(id, NULL), KC_SESSION_NONE);
        ck_assert_int_eq(last.reason, KC_ERR_SEAL);
    }
}
END_TEST

/* threats.md J 134 */
START_TEST(values_swapped_between_keys_are_refused)
{
    const char *first = create(), *second = create();
    kc_fake_entry_t *one = kc_fake_store_nth(&fake->sessions, 0);
    kc_fake_entry_t *two = kc_fake_store_nth(&fake->sessions, 1);
    unsigned char *data = one->data;

    ck_assert_uint_eq(one->len, two->len);
    one->data = two->data;
    two->data = data;
    ck_assert_int_eq(find(first, NULL), KC_SESSION_NONE);
    ck_assert_int_eq(last.reason, KC_ERR_SEAL);
    ck_assert_int_eq(find(second, NULL), KC_SESSION_NONE);
}
END_TEST

/* threats.md J 135 */
START_TEST(an_old_value_put_back_after_the_end_is_refused)
{
    const char *id = create();
    kc_fake_entry_t copy = *kc_fake_store_nth(&fake->sessions, 0);
    kc_bytes_t value = {copy.data, copy.len};

    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(id), testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(find(id, NULL), KC_SESSION_ENDED);
    ck_assert_int_eq(last.reason, KC_ERR_SIGNED_OUT);
    ck_assert_int_eq(kc_store_put(&fake->sessions.store, copy.key, value, copy.expires_at, NULL),
                     KC_OK);
    ck_assert_int_eq(find(id, NULL), KC_SESSION_ENDED);
    ck_assert_int_eq(last.reason, KC_ERR_SIGNED_OUT);
    /* to the end of its life */
    fake->now += site->conf->session_max - 1;
    ck_assert_int_eq(kc_store_put(&fake->sessions.store, copy.key, value, fake->now + 1000, NULL),
                     KC_OK);
    ck_assert_int_eq(find(id, NULL), KC_SESSION_ENDED);
    fake->now += 1;
    ck_assert_int_eq(find(id, NULL), KC_SESSION_ENDED);
}
END_TEST

/* The absolute end is sealed, whatever the store says. */
START_TEST(a_store_that_keeps_too_long_prolongs_nothing)
{
    const char *id = create();
    int64_t end = fake->now + site->conf->session_max;
    int64_t step = site->conf->session_idle / 2;

    for (; fake->now + step < end; fake->now += step) {
        ck_assert_int_ne(find(id, NULL), KC_SESSION_NONE);
        kc_fake_store_nth(&fake->sessions, 0)->expires_at = end + 100 * site->conf->session_max;
    }
    fake->now = end - 1;
    ck_assert_int_eq(find(id, NULL), KC_SESSION_STALE);
    fake->now = end;
    ck_assert_int_eq(find(id, NULL), KC_SESSION_ENDED);
    ck_assert_int_eq(last.reason, KC_ERR_SESSION_MAX);
}
END_TEST

/* threats.md J 137: a genuine seal around a form of the future */
START_TEST(an_unknown_format_in_a_genuine_seal_is_refused)
{
    const char *id = create();
    kc_fake_entry_t *entry = kc_fake_store_nth(&fake->sessions, 0);
    kc_seal_use_t use = {"session", {NULL, 0}, {site->rp->id, KC_RP_ID_SIZE}};
    unsigned char *future;
    kc_bytes_t plain, sealed = {entry->data, entry->len};

    ck_assert_int_eq(kc_buf_unbase64url(id, strlen(id), testlib_pool, &use.binding), KC_OK);
    ck_assert_int_eq(
        kc_seal_open(site->keys, &use, fake->now, sealed, testlib_pool, &plain, NULL, NULL), KC_OK);
    future = apr_pmemdup(testlib_pool, plain.data, plain.len);
    future[0] = KC_SESSION_CODEC_VERSION_WIDE + 1;
    plain.data = future;
    ck_assert_int_eq(kc_seal_close(site->keys, &use, fake->now + 1000, (const unsigned char *)id,
                                   plain, testlib_pool, &sealed, NULL),
                     KC_OK);
    entry->data = (unsigned char *)(uintptr_t)sealed.data;
    ck_assert_int_eq(find(id, NULL), KC_SESSION_NONE);
    ck_assert_int_eq(last.reason, KC_ERR_SESSION_FORMAT);
}
END_TEST

/* The session of id, as it was written before its user's name had a mark. */
static void age(const char *id)
{
    kc_fake_entry_t *entry = kc_fake_store_nth(&fake->sessions, 0);
    kc_seal_use_t use = {"session", {NULL, 0}, {site->rp->id, KC_RP_ID_SIZE}};
    kc_session_t session = sample();
    kc_bytes_t sealed;

    ck_assert_int_eq(find(id, &session), KC_SESSION_LIVE);
    ck_assert_int_eq(kc_buf_unbase64url(id, strlen(id), testlib_pool, &use.binding), KC_OK);
    ck_assert_int_eq(kc_seal_close(site->keys, &use, fake->now + 1000, (const unsigned char *)id,
                                   without_user_mark(&session), testlib_pool, &sealed, NULL),
                     KC_OK);
    entry->data = (unsigned char *)(uintptr_t)sealed.data;
    entry->len = sealed.len;
}

START_TEST(a_session_of_before_is_ended_by_its_users_name_too)
{
    kc_session_t session = sample();
    const char *id;

    ck_assert_int_eq(kc_revocation_begin(site->rp, &session, INT64_MAX, testlib_pool, NULL), KC_OK);
    id = create();
    age(id);
    ck_assert_int_eq(find(id, &session), KC_SESSION_LIVE);
    ck_assert_ptr_nonnull(session.user_key);
    ck_assert_int_eq(kc_revocation_add(site->rp, KC_REVOCATION_USER, "bob", NULL), KC_OK);
    ck_assert_int_eq(find(id, NULL), KC_SESSION_LIVE);
    ck_assert_int_eq(kc_revocation_add(site->rp, KC_REVOCATION_USER, session.user, NULL), KC_OK);
    ck_assert_int_eq(find(id, NULL), KC_SESSION_ENDED);
}
END_TEST

/* Nor is a view of it believed, which shared memory may have kept over an update. */
START_TEST(a_view_of_before_is_not_used)
{
    static const kc_siphash_key_t key = {{1, 2}};
    kc_session_t session = sample();
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;
    const char *id;
    int gets;

    ck_assert_int_eq(kc_view_cache_create(1024 * 1024, &key, testlib_pool, &fake->env.cache, NULL),
                     KC_OK);
    id = create();
    ck_assert_int_eq(find(id, &session), KC_SESSION_LIVE);
    ck_assert(kc_view_cache_find(fake->env.cache, site->rp->scope, session.id, fake->now,
                                 testlib_pool, &ticket, &view));
    gets = fake->sessions.gets;
    ck_assert_int_eq(find(id, &session), KC_SESSION_LIVE);
    ck_assert_int_eq(fake->sessions.gets, gets);
    view.bytes = without_user_mark(&session);
    kc_view_cache_put(fake->env.cache, &ticket, &view, fake->now);
    ck_assert_int_eq(find(id, &session), KC_SESSION_LIVE);
    ck_assert_int_gt(fake->sessions.gets, gets);
    ck_assert_ptr_nonnull(session.user_key);
}
END_TEST

/* Its user is called otherwise since a renewal: the new name's mark counts, and no old one is lost
 * on the way. */
START_TEST(a_session_whose_user_is_renamed_is_ended_by_the_new_name)
{
    kc_session_t stored, fresh = sample();
    char id[KC_SESSION_ID_TEXT + 1];

    ck_assert_int_eq(kc_revocation_begin(site->rp, &fresh, INT64_MAX, testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(kc_session_create(site->rp, &fresh, testlib_pool, id, NULL), KC_OK);
    ck_assert_int_eq(find(id, &stored), KC_SESSION_LIVE);
    fresh.user = "alice.smith@example.com";
    ck_assert_int_eq(kc_session_replace(&stored, &fresh, testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(kc_revocation_add(site->rp, KC_REVOCATION_USER, stored.user, NULL), KC_OK);
    ck_assert_int_eq(find(id, NULL), KC_SESSION_LIVE);
    ck_assert_int_eq(kc_session_replace(&stored, &fresh, testlib_pool, &last), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_SIGNED_OUT);
    ck_assert_int_eq(kc_revocation_add(site->rp, KC_REVOCATION_USER, fresh.user, NULL), KC_OK);
    ck_assert_int_eq(find(id, NULL), KC_SESSION_ENDED);
}
END_TEST

/* Signed out everywhere, and in again: new tokens do not make that logout a later one. */
START_TEST(a_session_of_after_a_logout_outlives_its_renewals)
{
    kc_session_t stored, fresh = sample();
    char id[KC_SESSION_ID_TEXT + 1];

    ck_assert_int_eq(kc_revocation_add(site->rp, KC_REVOCATION_USER, fresh.user, NULL), KC_OK);
    ck_assert_int_eq(kc_revocation_add(site->rp, KC_REVOCATION_SUB, fresh.sub, NULL), KC_OK);
    fake->now += 60;
    ck_assert_int_eq(kc_revocation_begin(site->rp, &fresh, fake->now * 1000, testlib_pool, NULL),
                     KC_OK);
    ck_assert_int_eq(kc_session_create(site->rp, &fresh, testlib_pool, id, NULL), KC_OK);
    ck_assert_int_eq(find(id, &stored), KC_SESSION_LIVE);
    fresh = sample(); /* as new tokens tell it */
    fresh.user_seen = fresh.sub_seen = 0;
    ck_assert_int_eq(kc_session_replace(&stored, &fresh, testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(find(id, NULL), KC_SESSION_LIVE);
    ck_assert_int_eq(kc_revocation_add(site->rp, KC_REVOCATION_USER, fresh.user, NULL), KC_OK);
    ck_assert_int_eq(find(id, NULL), KC_SESSION_ENDED);
}
END_TEST

/* threats.md G 107, J 136 */
START_TEST(malformed_ids_cost_no_look_up)
{
    static const char *const ids[] = {
        "",
        "x",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* 44 */
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",  /* unused bits */
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAA+AAAAAAAAAAAAAAAAAAAAA",
        "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
        "AAAAAAAAAAAAAAAAAAAA\r\nset AAAAAAAAAAAAAAAAAA",
        "../../../../../../../../../../../etc/passwd",
    };
    size_t i;

    (void)create();
    for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        ck_assert_int_eq(find(ids[i], NULL), KC_SESSION_NONE);
        ck_assert_int_eq(last.reason, KC_ERR_SESSION_INVALID);
        ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(ids[i]), testlib_pool, NULL), KC_OK);
    }
    ck_assert_int_eq(find(NULL, NULL), KC_SESSION_NONE);
    ck_assert_int_eq(last.reason, KC_ERR_NONE);
    ck_assert_int_eq(fake->sessions.gets, 0);
    ck_assert_int_eq(fake->sessions.puts, 1);
}
END_TEST

START_TEST(an_unknown_id_is_no_session_and_leaves_no_trace)
{
    ck_assert_int_eq(find("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL), KC_SESSION_NONE);
    ck_assert_int_eq(last.reason, KC_ERR_SESSION_IDLE);
    ck_assert_int_eq(fake->sessions.entries->nelts + fake->host.entries->nelts, 0);
}
END_TEST

START_TEST(a_store_that_is_down_is_never_a_missing_session)
{
    const char *id = create();

    fake->sessions.is_down = 1;
    ck_assert_int_eq(find(id, NULL), KC_SESSION_UNKNOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
    ck_assert_int_eq(find("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL), KC_SESSION_UNKNOWN);
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(id), testlib_pool, &last), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
    fake->sessions.is_down = 0;
    ck_assert_int_eq(find(id, NULL), KC_SESSION_LIVE);
}
END_TEST

START_TEST(a_store_that_goes_down_while_a_session_ends_says_so)
{
    int calls;

    for (calls = 0; calls < 3; calls++) { /* look-up, mark, deletion */
        const char *id = create();

        fake->sessions.down_after = calls;
        ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(id), testlib_pool, &last), KC_DOWN);
        ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
        fake->sessions.is_down = 0;
        fake->sessions.down_after = KC_FAKE_NEVER;
        /* from the mark on it is over, though the value is still there */
        ck_assert_int_eq(find(id, NULL), calls < 2 ? KC_SESSION_LIVE : KC_SESSION_ENDED);
    }
}
END_TEST

START_TEST(a_store_that_is_down_makes_no_session)
{
    kc_session_t session = sample();
    char id[KC_SESSION_ID_TEXT + 1] = "";

    fake->sessions.is_down = 1;
    ck_assert_int_eq(kc_session_create(site->rp, &session, testlib_pool, id, &last), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
    ck_assert_str_eq(id, "");
}
END_TEST

START_TEST(ending_twice_and_ending_nothing_is_fine)
{
    const kc_bytes_t none = {NULL, 0};
    const char *id = create();

    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(id), testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(id), testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(kc_session_end(site->rp, none, testlib_pool, NULL), KC_OK);
}
END_TEST

/* As after an outage of its homes: the newest key's name is asked for first, the value is under the
 * other one's. */
START_TEST(what_may_be_elsewhere_is_ended_there_too)
{
    const char *id = create();
    kc_fake_entry_t copy = *kc_fake_store_nth(&fake->sessions, 0);
    kc_bytes_t value = {copy.data, copy.len};
    int i;

    if (_i) {
        site->keys = kc_fake_site_keys(site, "ffffffffffffffffffffffffffffffff",
                                       "0123456789abcdef0123456789abcdef");
        kc_fake_site_renew(site);
    }
    kc_fake_store_nth(&fake->sessions, 0)->key[0] = '\0';
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(id), testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(kc_fake_store_count(&fake->sessions), 0); /* strangers leave no marks */
    fake->sessions.is_partial = 1;
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(id), testlib_pool, NULL), KC_OK);
    /* but now, who makes names up does: not among the marks of those who were there */
    ck_assert_int_ge(kc_fake_store_count(&fake->sessions), 1);
    for (i = 0; i < kc_fake_store_count(&fake->sessions); i++)
        ck_assert_uint_eq(kc_fake_store_nth(&fake->sessions, i)->len, KC_LOGIN_STATE_MARKER);
    fake->sessions.is_partial = 0;
    ck_assert_int_eq(kc_store_put(&fake->sessions.store, copy.key, value, copy.expires_at, NULL),
                     KC_OK);
    ck_assert_int_eq(find(id, NULL), KC_SESSION_ENDED);
    ck_assert_int_eq(last.reason, KC_ERR_SIGNED_OUT);
}
END_TEST

/* One that was found may have reached too few servers when it was left: that was answered so, and
 * who tries again must not be told yes for nothing. */
START_TEST(a_mark_that_was_seen_is_left_once_more)
{
    const char *id = create();
    int puts;

    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(id), testlib_pool, NULL), KC_OK);
    puts = fake->sessions.puts;
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(id), testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(fake->sessions.puts, puts + 1);
    fake->sessions.down_after = 1;
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(id), testlib_pool, NULL), KC_DOWN);
}
END_TEST

/* ---------------------------------------------------------------- time */

enum { SLACK = 60 /* seconds for which the store keeps what is over */ };

START_TEST(idle_time_ends_a_session)
{
    const char *id = create();
    kc_session_t session;

    ck_assert_int_eq(kc_fake_store_nth(&fake->sessions, 0)->expires_at,
                     fake->now + site->conf->session_idle + SLACK);
    fake->now += site->conf->session_idle - 1;
    ck_assert_int_eq(kc_session_peek(site->rp, kc_buf_text(id), testlib_pool, &session, NULL),
                     KC_SESSION_STALE);
    fake->now += 1;
    ck_assert_int_eq(find(id, NULL), KC_SESSION_NONE);
    ck_assert_int_eq(last.reason, KC_ERR_SESSION_IDLE);
}
END_TEST

START_TEST(the_idle_end_moves_at_most_each_tenth)
{
    const char *id = create();
    int64_t tenth = site->conf->session_idle / 10;
    int i;

    fake->sessions.is_silent = _i;
    fake->now += tenth - 1;
    for (i = 0; i < 100; i++)
        ck_assert_int_eq(find(id, NULL), KC_SESSION_LIVE);
    ck_assert_int_eq(fake->sessions.touches, 0);
    fake->now += 1;
    for (i = 0; i < 100; i++)
        ck_assert_int_eq(find(id, NULL), KC_SESSION_LIVE);
    ck_assert_int_eq(fake->sessions.touches, 1);
    ck_assert_int_eq(fake->sessions.puts, 2); /* the session, the record of its last use */
    ck_assert_int_eq(kc_fake_store_nth(&fake->sessions, 0)->expires_at,
                     fake->now + site->conf->session_idle + SLACK);
    ck_assert_int_eq(kc_fake_store_nth(&fake->sessions, 1)->expires_at,
                     fake->now + site->conf->session_idle + SLACK);
    ck_assert_int_eq(fake->host.adds, 0);
}
END_TEST

START_TEST(a_look_that_is_no_use_does_not_move_the_idle_end)
{
    const char *id = create();
    kc_session_t session;
    int64_t end = fake->now + site->conf->session_idle;

    fake->now += site->conf->session_idle / 2;
    ck_assert_int_eq(kc_session_peek(site->rp, kc_buf_text(id), testlib_pool, &session, NULL),
                     KC_SESSION_LIVE);
    ck_assert_int_eq(session.idle_end, end);
    ck_assert_int_eq(fake->sessions.touches, 0);
    ck_assert_int_eq(find(id, &session), KC_SESSION_LIVE);
    ck_assert_int_eq(session.idle_end, fake->now + site->conf->session_idle);
    ck_assert_int_eq(fake->sessions.touches, 1);
}
END_TEST

START_TEST(a_touch_that_fails_costs_the_request_nothing)
{
    const char *id = create();

    fake->now += site->conf->session_idle / 2;
    fake->sessions.down_after = 2; /* the session, its marks */
    ck_assert_int_eq(find(id, NULL), KC_SESSION_LIVE);
    ck_assert_int_eq(fake->sessions.touches, 1);
}
END_TEST

/* Requests without end keep a session to its absolute end and no longer. */
START_TEST(the_absolute_end_is_not_moved)
{
    const char *id = create();
    int64_t end = fake->now + site->conf->session_max;
    kc_session_state_t state = KC_SESSION_LIVE;

    while (fake->now < end) {
        state = find(id, NULL);
        ck_assert(state == KC_SESSION_LIVE || state == KC_SESSION_STALE);
        ck_assert(kc_fake_store_nth(&fake->sessions, 0)->expires_at <= end);
        fake->now += 600;
    }
    ck_assert(fake->now >= end);
    state = find(id, NULL);
    ck_assert(state == KC_SESSION_NONE || state == KC_SESSION_ENDED);
}
END_TEST

START_TEST(a_session_shorter_than_the_idle_time_expires_in_the_store)
{
    site->conf->session_max = 60;
    (void)create();
    ck_assert_int_eq(kc_fake_store_nth(&fake->sessions, 0)->expires_at, fake->now + 60);
}
END_TEST

START_TEST(a_session_is_stale_when_its_token_and_the_leeway_are_over)
{
    const char *id = create();
    kc_session_t session;

    fake->now += 1800 + site->conf->clock_skew - 1;
    ck_assert_int_eq(find(id, &session), KC_SESSION_LIVE);
    fake->now += 1;
    memset(&session, 0, sizeof(session));
    ck_assert_int_eq(find(id, &session), KC_SESSION_STALE);
    ck_assert_int_eq(last.reason, KC_ERR_SESSION_ENDED);
    ck_assert_str_eq(session.user, "alice@example.com");
}
END_TEST

/* ---------------------------------------------------------------- whose session it is */

START_TEST(another_configuration_opens_no_session_of_this_one)
{
    apr_array_header_t *lower = apr_array_make(testlib_pool, 1, (int)sizeof(kc_transform_t));
    const char *id = create();
    kc_conf_t before = *site->conf;
    int change;

    memset(apr_array_push(lower), 0, sizeof(kc_transform_t));
    for (change = 0; change < 7; change++) {
        *site->conf = before;
        switch (change) {
        case 0:
            site->conf->client_id = "another";
            break;
        case 1:
            site->conf->user_claim = "preferred_username";
            break;
        case 2:
            site->conf->issuer = KC_FAKE_ISSUER "/";
            break;
        case 3:
            site->conf->user_prefix = "x";
            break;
        case 4:
            site->conf->user_transforms = lower;
            break;
        case 5:
            site->conf->groups_claim = "roles";
            break;
        default:
            site->conf->verified_email = 0;
            break;
        }
        kc_fake_site_renew(site);
        ck_assert_int_eq(find(id, NULL), KC_SESSION_NONE);
    }
    *site->conf = before;
    kc_fake_site_renew(site);
    ck_assert_int_eq(find(id, NULL), KC_SESSION_LIVE);
}
END_TEST

/* The store's key is one's own; the seal is bound to the configuration all the same. */
START_TEST(a_value_moved_to_another_configurations_key_is_refused)
{
    const char *id = create();
    kc_fake_entry_t *mine = kc_fake_store_nth(&fake->sessions, 0);
    char key[KC_STORE_KEY_LEN + 1];
    kc_bytes_t raw;

    site->conf->client_id = "another";
    kc_fake_site_renew(site);
    ck_assert_int_eq(kc_buf_unbase64url(id, strlen(id), testlib_pool, &raw), KC_OK);
    ck_assert_int_eq(kc_rp_store_key(site->rp, site->keys->key[0], "sid", raw, key, NULL), KC_OK);
    memcpy(mine->key, key, sizeof(key));
    ck_assert_int_eq(find(id, NULL), KC_SESSION_NONE);
    ck_assert_int_eq(last.reason, KC_ERR_SEAL);
}
END_TEST

START_TEST(a_rotated_key_still_opens_and_ends_sessions)
{
    const char *id = create(), *fresh;
    kc_bytes_t value;
    kc_fake_entry_t copy;

    site->keys = kc_fake_site_keys(site, "ffffffffffffffffffffffffffffffff",
                                   "0123456789abcdef0123456789abcdef");
    kc_fake_site_renew(site);
    ck_assert_int_eq(find(id, NULL), KC_SESSION_LIVE);
    fresh = create();
    ck_assert_int_eq(find(fresh, NULL), KC_SESSION_LIVE);
    copy = *kc_fake_store_nth(&fake->sessions, 0);
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(id), testlib_pool, NULL), KC_OK);
    value.data = copy.data;
    value.len = copy.len;
    ck_assert_int_eq(kc_store_put(&fake->sessions.store, copy.key, value, copy.expires_at, NULL),
                     KC_OK);
    ck_assert_int_eq(find(id, NULL), KC_SESSION_ENDED);
    /* the old key has gone: so have its sessions */
    site->keys = kc_fake_site_keys(site, "ffffffffffffffffffffffffffffffff", NULL);
    kc_fake_site_renew(site);
    ck_assert_int_eq(find(id, NULL), KC_SESSION_NONE);
    ck_assert_int_eq(find(fresh, NULL), KC_SESSION_LIVE);
}
END_TEST

/* Another node's, or that of a key that was taken away. */
START_TEST(a_session_of_a_key_that_is_not_here_is_told_from_one_that_has_ended)
{
    const char *id = create();
    kc_err_t why;
    kc_session_t session;

    fake->now += site->conf->session_max + 1;
    ck_assert_int_eq(kc_session_find(site->rp, kc_buf_text(id), testlib_pool, &session, &why),
                     KC_SESSION_NONE);
    ck_assert_ptr_null(strstr(why.detail, "sealed"));
    ck_assert(!kc_fake_log_has(fake, "KC0505"));
    site->keys = kc_fake_site_keys(site, "ffffffffffffffffffffffffffffffff", NULL);
    kc_fake_site_renew(site);
    ck_assert_int_eq(kc_session_find(site->rp, kc_buf_text(id), testlib_pool, &session, &why),
                     KC_SESSION_NONE);
    ck_assert_int_eq(why.reason, KC_ERR_SESSION_IDLE);
    ck_assert_ptr_nonnull(strstr(why.detail, "sealed with a key that this server does not have"));
    ck_assert(kc_fake_log_has(fake, "KC0505: key-foreign: a session that a client sent"));
    apr_array_clear(fake->log);
    (void)find(id, NULL);
    ck_assert_int_eq(fake->log->nelts, 0);
    fake->now += 61;
    (void)find(id, NULL);
    ck_assert_int_eq(fake->log->nelts, 1);
}
END_TEST

/* ---------------------------------------------------------------- size */

/* An ID token as Keycloak makes it: about 1,200 bytes. */
static kc_session_t realistic(void)
{
    static const char header[] = "{\"alg\":\"RS256\",\"typ\" : \"JWT\",\"kid\" : "
                                 "\"Vn0XVQ3zT9nL2dE5sYwJm8uK1rP4bC7hG6oA0fIxSgM\"}";
    kc_session_t session = sample();
    unsigned char *signature = apr_palloc(testlib_pool, 256);
    kc_bytes_t bytes = {signature, 256};
    const char *payload =
        "{\"exp\":1700000300,\"iat\":1700000000,\"auth_time\":1700000000,"
        "\"jti\":\"8c4a7d3e-6f5b-4a39-9e1d-2b7c8f0a1d23\","
        "\"iss\":\"https://keycloak.example.com/realms/kubeflow\","
        "\"aud\":\"kubeflow-oidc-authservice\",\"sub\":\"f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10\","
        "\"typ\":\"ID\",\"azp\":\"kubeflow-oidc-authservice\",\"nonce\":\"0123456789abcdef012345\","
        "\"sid\":\"6d1c63f2-9f51-4a0e-8c38-5a5a1d3b7a11\",\"at_hash\":\"k1r1kPYpNPQ7TMRrNu3Wcg\","
        "\"acr\":\"1\",\"email_verified\":true,\"name\":\"Alice Example\","
        "\"groups\":[\"/kubeflow/users\",\"/staff\"],\"preferred_username\":\"alice\","
        "\"given_name\":\"Alice\",\"family_name\":\"Example\",\"email\":\"alice@example.com\"}";

    ck_assert_int_eq(kc_crypto_random(signature, bytes.len, NULL), KC_OK);
    session.packed = packed(testlib_compact(header, payload, bytes), "");
    return session;
}

static size_t sealed_size(kc_session_t *session)
{
    char id[KC_SESSION_ID_TEXT + 1];

    ck_assert_int_eq(kc_session_create(site->rp, session, testlib_pool, id, NULL), KC_OK);
    return kc_fake_store_nth(&fake->sessions, kc_fake_store_count(&fake->sessions) - 1)->len;
}

/* With all three tokens: test_pack.c and, with Keycloak's own, the end-to-end tests. */
START_TEST(a_realistic_session_is_small)
{
    kc_session_t session = realistic();
    size_t token = strlen(kc_session_tokens_id_token(&session, testlib_pool)), sealed, bare;

    ck_assert_uint_ge(token, 1150);
    sealed = sealed_size(&session);
    session.packed.len = 0;
    bare = sealed_size(&session);
    printf("a session is %zu bytes sealed with an ID token of %zu bytes, %zu without\n", sealed,
           token, bare);
    ck_assert_uint_le(sealed, 1000);
    ck_assert_uint_le(bare, 400);
}
END_TEST

static void add_form(Suite *suite)
{
    TCase *form = tcase_create("form");

    tcase_add_checked_fixture(form, setup, teardown);
    tcase_add_test(form, what_is_written_is_read);
    tcase_add_test(form, an_empty_session_is_written_and_read);
    tcase_add_test(form, an_id_token_is_written_and_read_beside_claims);
    tcase_add_test(form, every_truncation_is_refused);
    tcase_add_test(form, what_follows_the_end_is_refused);
    tcase_add_test(form, every_other_format_is_refused);
    tcase_add_test(form, no_changed_byte_leads_outside);
    tcase_add_test(form, groups_are_kept_once);
    tcase_add_test(form, groups_that_differ_from_their_header_value_come_back);
    tcase_add_test(form, the_oldest_form_is_read);
    tcase_add_test(form, the_form_of_before_is_read);
    tcase_add_loop_test(form, a_long_list_is_written_and_read, 0,
                        (int)(sizeof(wide_sizes) / sizeof(wide_sizes[0])));
    tcase_add_test(form, a_wide_form_is_as_strict);
    tcase_add_test(form, a_wide_form_without_need_is_refused);
    tcase_add_test(form, a_session_that_is_too_large_is_refused);
    tcase_add_test(form, the_id_token_comes_back_to_the_letter);
    tcase_add_test(form, merged_claims_win_over_the_tokens);
    tcase_add_test(form, a_realistic_session_is_small);
    suite_add_tcase(suite, form);
}

static void add_store(Suite *suite)
{
    TCase *store = tcase_create("store");

    tcase_add_checked_fixture(store, setup, teardown);
    tcase_add_test(store, a_session_is_found_by_its_id);
    tcase_add_test(store, ids_never_repeat);
    tcase_add_test(store, without_random_bytes_there_is_no_session);
    tcase_add_test(store, the_store_sees_neither_names_nor_the_id);
    tcase_add_test(store, a_value_with_any_byte_changed_is_refused);
    tcase_add_test(store, a_value_cut_at_any_place_is_refused);
    tcase_add_test(store, values_swapped_between_keys_are_refused);
    tcase_add_test(store, an_old_value_put_back_after_the_end_is_refused);
    tcase_add_test(store, a_store_that_keeps_too_long_prolongs_nothing);
    tcase_add_test(store, a_session_of_before_is_ended_by_its_users_name_too);
    tcase_add_test(store, a_view_of_before_is_not_used);
    tcase_add_test(store, a_session_whose_user_is_renamed_is_ended_by_the_new_name);
    tcase_add_test(store, a_session_of_after_a_logout_outlives_its_renewals);
    tcase_add_test(store, an_unknown_format_in_a_genuine_seal_is_refused);
    tcase_add_test(store, malformed_ids_cost_no_look_up);
    tcase_add_test(store, an_unknown_id_is_no_session_and_leaves_no_trace);
    tcase_add_test(store, a_store_that_is_down_is_never_a_missing_session);
    tcase_add_test(store, a_store_that_goes_down_while_a_session_ends_says_so);
    tcase_add_test(store, a_store_that_is_down_makes_no_session);
    tcase_add_test(store, ending_twice_and_ending_nothing_is_fine);
    tcase_add_loop_test(store, what_may_be_elsewhere_is_ended_there_too, 0, 2);
    tcase_add_test(store, a_mark_that_was_seen_is_left_once_more);
    tcase_add_test(store, another_configuration_opens_no_session_of_this_one);
    tcase_add_test(store, a_value_moved_to_another_configurations_key_is_refused);
    tcase_add_test(store, a_rotated_key_still_opens_and_ends_sessions);
    tcase_add_test(store, a_session_of_a_key_that_is_not_here_is_told_from_one_that_has_ended);
    suite_add_tcase(suite, store);
}

static void add_time(Suite *suite)
{
    TCase *time = tcase_create("time");

    tcase_add_checked_fixture(time, setup, teardown);
    tcase_add_test(time, idle_time_ends_a_session);
    tcase_add_loop_test(time, the_idle_end_moves_at_most_each_tenth, 0, 2);
    tcase_add_test(time, a_look_that_is_no_use_does_not_move_the_idle_end);
    tcase_add_test(time, a_touch_that_fails_costs_the_request_nothing);
    tcase_add_test(time, the_absolute_end_is_not_moved);
    tcase_add_test(time, a_session_shorter_than_the_idle_time_expires_in_the_store);
    tcase_add_test(time, a_session_is_stale_when_its_token_and_the_leeway_are_over);
    suite_add_tcase(suite, time);
}

Suite *kc_test_session(void)
{
    Suite *suite = suite_create("session");

    add_form(suite);
    add_store(suite);
    add_time(suite);
    return suite;
}
