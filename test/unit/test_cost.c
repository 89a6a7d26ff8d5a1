/* The cost of what unknown clients send is proportional to its length: each parser of such input,
 * with an input and one that is 32 times as long.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>
#include <time.h>

#include "access/bearer.h"
#include "access/request_class.h"
#include "base/buf.h"
#include "base/cookie.h"
#include "base/path.h"
#include "base/query.h"
#include "base/url.h"
#include "crypto/jws.h"
#include "testlib.h"

Suite *kc_test_cost(void);

/*
 * The time of this thread's processor alone counts, the least of some runs, and one reader's for
 * one input is compared with its own for another: neither a slow nor a busy machine matters. What
 * grows as it should takes 32 times as long, what grows with the square 1,024 times.
 */
enum { SHORT = 255 /* bytes */, TIMES = 32, TIMES_MAX = 160, RUNS = 7, ROUNDS = 8 };

typedef struct {
    const char *text;
    apr_array_header_t *list;
    apr_pool_t *pool;
} input_t;

/* ---------------------------------------------------------------- the readers */

static void match(void *context)
{
    const input_t *input = context;

    (void)kc_path_is_matched(input->text, input->list);
}

static void judge_public(void *context)
{
    const input_t *input = context;

    (void)kc_path_is_public(input->text, input->text, input->list);
}

static void tell_kind(void *context)
{
    const input_t *input = context;
    const kc_request_class_headers_t signs = {"GET", input->text, NULL, NULL, NULL};

    (void)kc_request_class_of(&signs);
}

static void tell_source(void *context)
{
    const input_t *input = context;
    const kc_request_class_origin_t traces = {NULL, NULL, input->text};

    (void)kc_request_class_source(&traces, "https://kubeflow.example.com", input->list,
                                  input->pool);
}

static void find_cookie(void *context)
{
    const input_t *input = context;
    kc_bytes_t value;

    (void)kc_cookie_find(input->text, "keycloak_session", 16, &value);
}

static void list_cookies(void *context)
{
    const input_t *input = context;
    kc_cookie_item_t items[KC_COOKIE_LIST_MAX];

    (void)kc_cookie_list(input->text, "keycloak_login_", items, KC_COOKIE_LIST_MAX);
}

static void strip_cookies(void *context)
{
    static const char *const ours[] = {"keycloak_session", "keycloak_login_*", "a"};
    const input_t *input = context;

    (void)kc_cookie_strip(input->text, ours, 3, input->pool);
}

static void read_query(void *context)
{
    const input_t *input = context;
    const kc_query_t *query;
    const char *value;

    if (kc_query_parse(input->text, input->pool, &query, NULL) == KC_OK)
        (void)kc_query_single(query, "state", &value, NULL);
}

static void read_form(void *context)
{
    const input_t *input = context;
    const kc_query_t *form;

    (void)kc_query_parse_form(input->text, strlen(input->text), input->pool, &form, NULL);
}

static void judge_return(void *context)
{
    const input_t *input = context;

    (void)kc_url_return(input->text, "https://kubeflow.example.com", input->list, input->pool);
}

static void read_bearer(void *context)
{
    const input_t *input = context;
    kc_bytes_t token;

    (void)kc_bearer_read(input->text, &token, NULL);
}

/* ---------------------------------------------------------------- what is sent */

static const struct {
    void (*read)(void *context);
    const char *front;
    const char *piece; /* again and again */
} sendings[] = {
    {match, "", "/a"},
    {match, "", "/"},
    {match, "", "/notebook"},
    {match, "/", "x"},
    {match, "/stars/", "a"},
    {match, "/stars/", "ab"},
    {match, "/stars/", "/ab"},
    {match, "/notebook/", "x"},
    {match, "/notebook/ns/name/", "api"},
    {judge_public, "", "/a"},
    {judge_public, "/", "."},
    {judge_public, "", "/..."},
    {judge_public, "/a", "a"},
    {tell_kind, "", "t"},
    {tell_kind, "", "text/htm"},
    {tell_kind, "", ", a/b"},
    {tell_source, "https://", "a"},
    {tell_source, "https://a/", "/"},
    {tell_source, "", "://"},
    {find_cookie, "", "a=b; "},
    {find_cookie, "", ";"},
    {find_cookie, "", "="},
    {find_cookie, "", "keycloak_session; "},
    {find_cookie, "", " \t"},
    {list_cookies, "", "keycloak_login_a=b; "},
    {list_cookies, "", ";;="},
    {strip_cookies, "", "a=b; "},
    {strip_cookies, "", ", "},
    {strip_cookies, "", ",a"},
    {strip_cookies, "", "b=,; "},
    {strip_cookies, "a;", "b, a, "},
    {strip_cookies, "", "keycloak_login_x=y, c=d; "},
    {strip_cookies, "a=", " "},
    {read_query, "", "a=b&"},
    {read_query, "", "&"},
    {read_query, "", "%41"},
    {read_query, "state=", "a"},
    {read_query, "", "\xc3\xa4"},
    {read_form, "", "a&"},
    {read_form, "", "logout_token=x&"},
    {read_form, "", "&&"},
    {judge_return, "/", "a"},
    {judge_return, "", "/a"},
    {judge_return, "/", "%2e"},
    {judge_return, "https://kubeflow.example.com/", "/.a"},
    {judge_return, "https://", "a."},
    {judge_return, "https://", "@"},
    {judge_return, "/", "#"},
    {read_bearer, "Bearer ", "a"},
    {read_bearer, "Bearer ", " "},
    {read_bearer, "", ","},
    {read_bearer, "", "Bearer a, "},
};

static const char *repeat(size_t place, size_t size)
{
    size_t front = strlen(sendings[place].front), piece = strlen(sendings[place].piece), at;
    char *text = apr_palloc(testlib_pool, size + 1);

    memcpy(text, sendings[place].front, front);
    for (at = front; at < size; at++)
        text[at] = sendings[place].piece[(at - front) % piece];
    text[size] = '\0';
    return text;
}

static apr_array_header_t *patterns(void)
{
    static const char *const texts[] = {"/api/metrics", "/notebook/*/*/api/kernels", "/*/*/*/*/x",
                                        "/stars/*a*a*a*b*c", "/stars/*ab*ab*ac"};
    apr_array_header_t *list = apr_array_make(testlib_pool, 5, sizeof(const char *));
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        APR_ARRAY_PUSH(list, const char *) = texts[i];
    return list;
}

static double spent(size_t place, const input_t *input, int rounds)
{
    struct timespec from, to;
    input_t copy = *input;

    ck_assert_int_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from), 0);
    while (rounds-- > 0)
        sendings[place].read(&copy);
    ck_assert_int_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to), 0);
    return (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
}

/* Nanoseconds for ROUNDS readings. */
static double cost(size_t place, size_t size)
{
    input_t input = {repeat(place, size), patterns(), NULL};
    double least = 0;
    int run;

    for (run = 0; run < RUNS; run++) {
        double time;

        ck_assert_int_eq(apr_pool_create(&input.pool, testlib_pool), APR_SUCCESS);
        time = spent(place, &input, ROUNDS);
        apr_pool_destroy(input.pool);
        least = !run || time < least ? time : least;
    }
    return least;
}

START_TEST(the_length_alone_counts)
{
    double once = cost((size_t)_i, SHORT), often = cost((size_t)_i, TIMES * (size_t)SHORT);

    ck_assert_msg(often <= (double)TIMES_MAX * once,
                  "'%s%s...': %.0f ns for %d bytes, %.0f ns for %d", sendings[_i].front,
                  sendings[_i].piece, once, SHORT, often, TIMES * SHORT);
}
END_TEST

/* ---------------------------------------------------------------- many virtual hosts */

enum { HOSTS_MAX = 64, HEADER_SIZE = 8000, NAMES_COST_MAX = 8 /* times */ };

static double cost_of_names(const char *header, const char *const *names, size_t count)
{
    double least = 0;
    int run;

    for (run = 0; run < RUNS; run++) {
        struct timespec from, to;
        double time;

        ck_assert_int_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from), 0);
        ck_assert_ptr_eq(kc_cookie_strip(header, names, count, testlib_pool), header);
        ck_assert_int_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to), 0);
        time = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
        least = !run || time < least ? time : least;
    }
    return least;
}

/* Each of thousands of cookies without a name was compared with the names of all hosts. */
START_TEST(what_is_no_name_is_not_compared_with_ours)
{
    const char *names[HOSTS_MAX];
    char *header = apr_palloc(testlib_pool, HEADER_SIZE + 1);
    double one, all;
    int i;

    for (i = 0; i < HOSTS_MAX; i++)
        names[i] = apr_psprintf(testlib_pool, "__Host-keycloak_host_%d_login_*", i);
    for (i = 0; i < HEADER_SIZE; i++)
        header[i] = "= ;"[i % 3];
    header[HEADER_SIZE] = '\0';
    one = cost_of_names(header, names, 1);
    all = cost_of_names(header, names, HOSTS_MAX);
    ck_assert_msg(all <= (double)NAMES_COST_MAX * one, "%.0f ns for one name, %.0f ns for %d", one,
                  all, HOSTS_MAX);
}
END_TEST

/* ---------------------------------------------------------------- tokens that nobody has signed */

enum { TOKEN_SIZE = 96 * 1024, TOKEN_COST_MAX = 4 /* times */ };

/* JSON that begins with front and then repeats piece, encoded; cut off where it is long enough. */
static const char *encoded(const char *front, const char *piece)
{
    char *text = apr_palloc(testlib_pool, TOKEN_SIZE);
    size_t len = strlen(front), at;
    kc_bytes_t json = {(const unsigned char *)text, TOKEN_SIZE / 4 * 3};

    memcpy(text, front, len);
    for (at = len; at < json.len; at++)
        text[at] = piece[(at - len) % strlen(piece)];
    return kc_buf_base64url(json, testlib_pool);
}

/* Nanoseconds to take a token apart. */
static double cost_of_token(const char *header, const char *payload)
{
    const char *compact = apr_pstrcat(testlib_pool, header, ".", payload, ".AAAA", NULL);
    double least = 0;
    int run;

    for (run = 0; run < RUNS; run++) {
        struct timespec from, to;
        apr_pool_t *pool;
        kc_jws_t token;
        double time;

        ck_assert_int_eq(apr_pool_create(&pool, testlib_pool), APR_SUCCESS);
        ck_assert_int_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from), 0);
        (void)kc_jws_parse(compact, strlen(compact), pool, &token, NULL);
        ck_assert_int_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to), 0);
        apr_pool_destroy(pool);
        time = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
        least = !run || time < least ? time : least;
    }
    return least;
}

/* Anybody can send a token: before its signature is verified, no more of it is read as JSON than a
 * short header. What is compared with is as long, and no JSON at all. */
START_TEST(unverified_tokens_are_not_read_as_json)
{
    static const char *const header = "eyJhbGciOiJ4In0";
    static const char *const pieces[] = {"[],", "{},", "0,", "\"\",", "["};
    double plain = cost_of_token(header, encoded("x", "x"));
    double payload = cost_of_token(header, encoded("{\"a\":[", pieces[_i]));
    double front = cost_of_token(encoded("{\"alg\":\"x\",\"a\":[", pieces[_i]), "e30");

    ck_assert_msg(payload <= (double)TOKEN_COST_MAX * plain,
                  "%.0f ns for a payload of '%s', %.0f ns for text", payload, pieces[_i], plain);
    ck_assert_msg(front <= (double)TOKEN_COST_MAX * plain,
                  "%.0f ns for a header of '%s', %.0f ns for text", front, pieces[_i], plain);
}
END_TEST

Suite *kc_test_cost(void)
{
    Suite *suite = suite_create("cost");
    TCase *tcase = tcase_create("long and longer");

    tcase_add_checked_fixture(tcase, testlib_setup, testlib_teardown);
    tcase_add_loop_test(tcase, the_length_alone_counts, 0,
                        (int)(sizeof(sendings) / sizeof(sendings[0])));
    tcase_add_test(tcase, what_is_no_name_is_not_compared_with_ours);
    tcase_add_loop_test(tcase, unverified_tokens_are_not_read_as_json, 0, 5);
    suite_add_tcase(suite, tcase);
    return suite;
}
