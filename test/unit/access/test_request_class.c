/* Tests of request_class.h: which headers tell pages from API calls, as they are read from a
 * request. The rules themselves are tested in test_decision.c. SPDX-License-Identifier: Apache-2.0
 */
#include <check.h>
#include <string.h>
#include <strings.h>

#include "access/request_class.h"

Suite *kc_test_request_class(void);

#define BROWSER "text/html,application/xhtml+xml"

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

Suite *kc_test_request_class(void)
{
    Suite *suite = suite_create("request_class");
    TCase *read = tcase_create("read");

    tcase_add_loop_test(read, a_request_is_told_by_its_headers, 0,
                        (int)(sizeof(requests) / sizeof(requests[0])));
    suite_add_tcase(suite, read);
    return suite;
}
