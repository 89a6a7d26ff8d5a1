/* Tests of request_class.h: which requests are pages and which are API calls, and which site made
 * the browser send them. SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>
#include <string.h>
#include <strings.h>

#include "access/request_class.h"

Suite *kc_test_request_class(void);

typedef struct kind_case_t {
    kc_request_class_headers_t headers; /* method, accept, requested_with, fetch_mode, upgrade */
    kc_request_class_t kind;
} kind_case_t;

#define BROWSER "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

static const kind_case_t kinds[] = {
    {{"GET", BROWSER, NULL, "navigate", NULL}, KC_REQUEST_CLASS_NAVIGATION},
    {{"GET", BROWSER, NULL, NULL, NULL}, KC_REQUEST_CLASS_NAVIGATION},
    {{"HEAD", BROWSER, NULL, "navigate", NULL}, KC_REQUEST_CLASS_NAVIGATION},
    {{"GET", NULL, NULL, NULL, NULL}, KC_REQUEST_CLASS_NAVIGATION},
    {{"GET", "TEXT/HTML", NULL, "Navigate", NULL}, KC_REQUEST_CLASS_NAVIGATION},
    {{"GET", "application/xml, text/html;q=0.1", NULL, NULL, NULL}, KC_REQUEST_CLASS_NAVIGATION},
    /* Accept without text/html */
    {{"GET", "application/json", NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"GET", "*/*", NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"GET", "", NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"GET", "text/htm", NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"GET", "text/event-stream", NULL, "navigate", NULL}, KC_REQUEST_CLASS_API},
    /* X-Requested-With, whatever it says */
    {{"GET", BROWSER, "XMLHttpRequest", NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"GET", BROWSER, "", "navigate", NULL}, KC_REQUEST_CLASS_API},
    /* Sec-Fetch-Mode */
    {{"GET", BROWSER, NULL, "cors", NULL}, KC_REQUEST_CLASS_API},
    {{"GET", BROWSER, NULL, "no-cors", NULL}, KC_REQUEST_CLASS_API},
    {{"GET", BROWSER, NULL, "same-origin", NULL}, KC_REQUEST_CLASS_API},
    {{"GET", BROWSER, NULL, "websocket", NULL}, KC_REQUEST_CLASS_API},
    {{"GET", NULL, NULL, "cors", NULL}, KC_REQUEST_CLASS_API},
    {{"GET", BROWSER, NULL, "", NULL}, KC_REQUEST_CLASS_API},
    /* WebSocket and other upgrades */
    {{"GET", BROWSER, NULL, "navigate", "websocket"}, KC_REQUEST_CLASS_API},
    {{"GET", NULL, NULL, NULL, "h2c"}, KC_REQUEST_CLASS_API},
    /* methods */
    {{"POST", BROWSER, NULL, "navigate", NULL}, KC_REQUEST_CLASS_API},
    {{"PUT", BROWSER, NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"DELETE", BROWSER, NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"OPTIONS", NULL, NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"get", BROWSER, NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"GETX", BROWSER, NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
};

START_TEST(pages_are_told_from_api_calls)
{
    ck_assert_int_eq(kc_request_class_of(&kinds[_i].headers), kinds[_i].kind);
}
END_TEST

/* ---------------------------------------------------------------- who has asked */

#define PUBLIC "https://kubeflow.example.com"

static const struct {
    kc_request_class_origin_t origin;
    kc_request_class_source_t source;
} sources[] = {
    {{NULL, NULL, NULL}, KC_REQUEST_CLASS_UNKNOWN_SITE},
    {{"same-origin", NULL, NULL}, KC_REQUEST_CLASS_SAME_SITE},
    {{"none", NULL, NULL}, KC_REQUEST_CLASS_SAME_SITE},
    {{"same-site", NULL, NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{"cross-site", NULL, NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{"anything", NULL, NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{"cross-site", PUBLIC, NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{"cross-site", NULL, PUBLIC "/x"}, KC_REQUEST_CLASS_CROSS_SITE},
    {{"cross-site", "https://partner.example.com", NULL}, KC_REQUEST_CLASS_SAME_SITE},
    {{"same-origin", "null", NULL}, KC_REQUEST_CLASS_SAME_SITE},
    {{NULL, PUBLIC, NULL}, KC_REQUEST_CLASS_SAME_SITE},
    {{NULL, "null", NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, "", NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, "null", PUBLIC "/x"}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, "http://kubeflow.example.com", NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, PUBLIC ":8443", NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, PUBLIC ".evil.example.com", NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, "https://kubeflow.example.com@evil.example.com", NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, "https://evil.example.com", PUBLIC "/x"}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, "https://partner.example.com", NULL}, KC_REQUEST_CLASS_SAME_SITE},
    {{NULL, NULL, PUBLIC "/x?y=\\ //"}, KC_REQUEST_CLASS_SAME_SITE},
    {{NULL, NULL, PUBLIC}, KC_REQUEST_CLASS_SAME_SITE},
    {{NULL, NULL, PUBLIC "?x"}, KC_REQUEST_CLASS_SAME_SITE},
    {{NULL, NULL, "https://evil.example.com/" PUBLIC "/"}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, NULL, "https://evil.example.com#" PUBLIC}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, NULL, "/x"}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, NULL, "//kubeflow.example.com/"}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, NULL, "javascript://kubeflow.example.com/"}, KC_REQUEST_CLASS_CROSS_SITE},
};

START_TEST(pages_of_other_sites_are_told_from_ours)
{
    apr_array_header_t *hosts;
    apr_pool_t *pool;

    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
    hosts = apr_array_make(pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(hosts, const char *) = "partner.example.com";
    ck_assert_int_eq(kc_request_class_source(&sources[_i].origin, PUBLIC, hosts, pool),
                     sources[_i].source);
    apr_pool_destroy(pool);
}
END_TEST

/* ---------------------------------------------------------------- as they are read */

enum { HEADERS_MAX = 4 };

typedef struct header_t {
    const char *name, *value;
} header_t;

static const struct {
    const char *method;
    header_t headers[HEADERS_MAX];
    kc_request_class_t kind;
} requests[] = {
    {"GET", {{NULL, NULL}}, KC_REQUEST_CLASS_NAVIGATION},
    {"GET", {{"Accept", BROWSER}, {"Sec-Fetch-Mode", "navigate"}}, KC_REQUEST_CLASS_NAVIGATION},
    {"HEAD", {{"Accept", BROWSER}}, KC_REQUEST_CLASS_NAVIGATION},
    {"POST", {{"Accept", BROWSER}}, KC_REQUEST_CLASS_API},
    {"GET", {{"Accept", "application/json"}}, KC_REQUEST_CLASS_API},
    {"GET", {{"Accept", BROWSER}, {"X-Requested-With", ""}}, KC_REQUEST_CLASS_API},
    {"GET", {{"Accept", BROWSER}, {"Sec-Fetch-Mode", "cors"}}, KC_REQUEST_CLASS_API},
    {"GET", {{"Upgrade", "websocket"}}, KC_REQUEST_CLASS_API},
    {"GET", {{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}}, KC_REQUEST_CLASS_API},
    {"GET", {{"Upgrade", "websocket"}, {"Sec-WebSocket-Key", "eA=="}}, KC_REQUEST_CLASS_API},
    /* what a browser adds when it asks ahead of time does not make it another kind */
    {"GET",
     {{"Accept", BROWSER}, {"Sec-Purpose", "prefetch;prerender"}, {"Sec-Fetch-Mode", "navigate"}},
     KC_REQUEST_CLASS_NAVIGATION},
    {"GET", {{"Accept", BROWSER}, {"Sec-WebSocket-Version", "13"}}, KC_REQUEST_CLASS_NAVIGATION},
};

static const char *find(void *context, const char *name)
{
    const header_t *headers = context;
    int i;

    for (i = 0; i < HEADERS_MAX && headers[i].name; i++) {
        if (strcasecmp(headers[i].name, name) == 0)
            return headers[i].value;
    }
    return NULL;
}

START_TEST(a_request_is_told_by_its_headers)
{
    header_t headers[HEADERS_MAX];

    memcpy(headers, requests[_i].headers, sizeof(headers));
    ck_assert_int_eq(kc_request_class_read(requests[_i].method, find, headers), requests[_i].kind);
}
END_TEST

static void start_apr(void)
{
    ck_assert_int_eq(apr_initialize(), APR_SUCCESS);
}

Suite *kc_test_request_class(void)
{
    Suite *suite = suite_create("request_class");
    TCase *kind = tcase_create("kind");
    TCase *source = tcase_create("source");

    tcase_add_loop_test(kind, pages_are_told_from_api_calls, 0,
                        (int)(sizeof(kinds) / sizeof(kinds[0])));
    tcase_add_loop_test(kind, a_request_is_told_by_its_headers, 0,
                        (int)(sizeof(requests) / sizeof(requests[0])));
    tcase_add_checked_fixture(source, start_apr, apr_terminate);
    tcase_add_loop_test(source, pages_of_other_sites_are_told_from_ours, 0,
                        (int)(sizeof(sources) / sizeof(sources[0])));
    suite_add_tcase(suite, source);
    suite_add_tcase(suite, kind);
    return suite;
}
