/* Tests of store_clock.h: real memcached servers, with this host's clock moved.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "listener.h"
#include "memcached_server.h"
#include "net/wait_limit.h"
#include "net/reachable.h"
#include "store/store_clock.h"
#include "store/store_replicas.h"
#include "testlib.h"

Suite *kc_test_store_clock(void);

enum { TIMEOUT_MS = 5000, SERVERS = 2, DUE = KC_STORE_CLOCK_PERIOD * 1000 };

static memcached_server_t servers[SERVERS];
static kc_store_clock_shared_t shared[SERVERS];
static int64_t ahead;  /* seconds that our clock is ahead */
static int64_t now_ms; /* the monotonic clock */
static int warnings, reports;
static kc_err_t err, warning;

static int64_t now(void *context)
{
    (void)context;
    return (int64_t)time(NULL) + ahead;
}

static void warn(void *context, const kc_err_t *told)
{
    (void)context;
    warnings++;
    warning = *told;
}

static void report(void *context, const char *server, int is_up, const char *why)
{
    (void)context;
    (void)why;
    ck_assert_ptr_nonnull(server);
    reports += is_up;
}

static kc_store_clock_t *make(void)
{
    const char *texts[SERVERS] = {servers[0].text, servers[1].text};
    kc_store_memcached_options_t options = {
        .servers = texts, .count = SERVERS, .timeout_ms = TIMEOUT_MS, .now = now, .report = report};
    kc_store_clock_t *clock;

    ck_assert_int_eq(kc_store_clock_create(&options, shared, warn, testlib_pool, &clock, &err),
                     KC_OK);
    return clock;
}

static void setup(void)
{
    size_t i;

    testlib_setup();
    memset(servers, 0, sizeof(servers));
    memset(shared, 0, sizeof(shared));
    ahead = warnings = reports = 0;
    now_ms = 1000;
    for (i = 0; i < SERVERS; i++)
        memcached_server_start(&servers[i], listener_free_port());
}

static void teardown(void)
{
    size_t i;

    testlib_teardown();
    for (i = 0; i < SERVERS; i++)
        memcached_server_end(&servers[i]);
}

static void look(kc_store_clock_t *clock)
{
    kc_store_clock_look(clock, now_ms, NULL);
    now_ms += DUE;
}

START_TEST(clocks_that_agree_are_not_told_of)
{
    kc_store_clock_t *clock = make();

    look(clock);
    ahead = KC_STORE_CLOCK_OFF - 1;
    look(clock);
    ck_assert_int_eq(warnings, 0);
}
END_TEST

START_TEST(a_clock_that_is_off_is_told_of_once)
{
    kc_store_clock_t *clock = make(), *of_another_child = make();

    ahead = -7200;
    kc_store_clock_look(clock, now_ms, NULL);
    ck_assert_int_eq(warnings, SERVERS);
    ck_assert_int_eq(warning.reason, KC_ERR_STORE_CLOCK);
    ck_assert_ptr_nonnull(strstr(warning.detail, servers[1].text));
    ck_assert_ptr_nonnull(strstr(warning.detail, " s ahead of this host's"));
    kc_store_clock_look(of_another_child, now_ms, NULL);
    now_ms += DUE;
    look(of_another_child);
    look(clock);
    ck_assert_int_eq(warnings, SERVERS);
    ahead = 7200;
    look(clock);
    ck_assert_int_eq(warnings, 2 * SERVERS);
    ck_assert_ptr_nonnull(strstr(warning.detail, " s behind this host's"));
    ahead = 0;
    look(clock);
    ck_assert_int_eq(warnings, 2 * SERVERS);
    ahead = 7200;
    look(of_another_child);
    ck_assert_int_eq(warnings, 3 * SERVERS);
}
END_TEST

START_TEST(a_server_is_asked_rarely_and_by_one)
{
    kc_store_clock_t *clock = make();

    kc_store_clock_look(clock, now_ms, NULL);
    ck_assert_int_eq(shared[0].due_at, now_ms + DUE);
    ahead = 7200;
    kc_store_clock_look(clock, now_ms + DUE - 1, NULL);
    ck_assert_int_eq(warnings, 0);
    kc_store_clock_look(clock, now_ms + DUE, NULL);
    ck_assert_int_eq(warnings, SERVERS);
}
END_TEST

START_TEST(one_that_does_not_answer_is_asked_later)
{
    kc_store_clock_t *clock = make();

    ahead = 7200;
    memcached_server_end(&servers[0]);
    kc_store_clock_look(clock, now_ms, NULL);
    ck_assert_int_eq(warnings, 2); /* that it is not there, and the other one's clock */
    ck_assert_int_eq(shared[0].due_at, now_ms + KC_STORE_CLOCK_RETRY * 1000);
    memcached_server_start(&servers[0], servers[0].port);
    kc_store_clock_look(clock, shared[0].due_at, NULL);
    ck_assert_int_eq(warnings, 3);
}
END_TEST

START_TEST(one_that_was_never_of_use_is_told_of_once)
{
    kc_store_clock_t *clock = make(), *of_another_child = make();

    memcached_server_end(&servers[1]);
    kc_store_clock_look(clock, now_ms, NULL);
    ck_assert_int_eq(warnings, 1);
    ck_assert_int_eq(warning.reason, KC_ERR_STORE_DOWN);
    ck_assert_ptr_nonnull(strstr(warning.detail, servers[1].text));
    ck_assert_ptr_nonnull(strstr(warning.detail, "it cannot be reached: Connection refused"));
    now_ms += DUE;
    look(of_another_child);
    ck_assert_int_eq(warnings, 1);
    memcached_server_start(&servers[1], servers[1].port);
    look(clock);
    look(of_another_child);
    ck_assert_int_eq(reports, 1);
}
END_TEST

/* What fails later is the breakers' to tell. */
START_TEST(one_that_was_of_use_is_not_told_of)
{
    kc_store_clock_t *clock = make();

    look(clock);
    memcached_server_end(&servers[1]);
    look(clock);
    ck_assert_int_eq(warnings, 0);
    ck_assert_int_eq(reports, 0);
}
END_TEST

START_TEST(one_that_is_late_is_told_of_when_it_is_late_again)
{
    kc_store_clock_t *clock = make();

    memcached_server_stop(&servers[0]);
    kc_store_clock_look(clock, now_ms, NULL);
    ck_assert_int_eq(warnings, 0);
    ck_assert_int_eq(shared[0].due_at, now_ms + KC_STORE_CLOCK_AGAIN_MS);
    kc_store_clock_look(clock, shared[0].due_at, NULL);
    ck_assert_int_eq(warnings, 1);
    ck_assert_ptr_nonnull(strstr(warning.detail, servers[0].text));
    ck_assert_ptr_nonnull(strstr(warning.detail, "no answer in time"));
}
END_TEST

static void say(int socket, void *context)
{
    char request[1024];

    (void)recv(socket, request, sizeof(request), 0);
    (void)listener_send_text(socket, context);
}

START_TEST(something_else_than_memcached_is_told_of)
{
    static const char *const answers[] = {
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "-ERR unknown command\r\n",
        "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
        "ERROR\r\nERROR\r\nERROR\r\n",
        "\x15\x03\x01\x00\x02\x02\x46",
        "\x81",
        ""};
    size_t i;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        listener_t *listener = listener_start(say, (void *)(uintptr_t)answers[i]);
        kc_store_clock_t *clock;

        memset(shared, 0, sizeof(shared));
        warnings = 0;
        servers[1].text = apr_psprintf(testlib_pool, "127.0.0.1:%d", listener_port(listener));
        clock = make();
        look(clock);
        look(clock); /* an answer that is cut short may be taken for one that is late */
        ck_assert_int_eq(warnings, 1);
        ck_assert_ptr_nonnull(strstr(warning.detail, servers[1].text));
        ck_assert_msg(strstr(warning.detail, "is it memcached?") != NULL, "%s", warning.detail);
        listener_stop(listener);
    }
}
END_TEST

START_TEST(why_nobody_can_be_reached)
{
    static const struct {
        int number;
        const char *text;
    } rows[] = {
        {0, "or else"},
        {EINPROGRESS, "or else"},
        {ECONNRESET, "or else"},
        {ECONNREFUSED, "not there: Connection refused"},
        {EHOSTUNREACH, "not there: No route to host"},
        {EACCES, "not there: Permission denied (this host forbids it: SELinux's "
                 "httpd_can_network_connect, or a packet filter)"},
        {EPERM, "not there: Operation not permitted (this host forbids it: SELinux's "
                "httpd_can_network_connect, or a packet filter)"},
    };
    char text[192];
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ck_assert_str_eq(
            kc_reachable_text("not there", rows[i].number, "or else", text, sizeof(text)),
            rows[i].text);
}
END_TEST

/* A child that ends waits for its background thread, but not for ever: whatever the thread uses
 * goes then. */
START_TEST(who_is_to_stop_asks_no_further_server)
{
    kc_store_clock_t *clock = make();
    uint32_t stop = 1;

    kc_store_clock_look(clock, now_ms, &stop);
    ck_assert_int_eq(shared[0].due_at, 0);
    ck_assert_int_eq(shared[1].due_at, 0);
    stop = 0;
    kc_store_clock_look(clock, now_ms, &stop);
    ck_assert_int_eq(shared[0].due_at, now_ms + DUE);
    ck_assert_int_eq(shared[1].due_at, now_ms + DUE);
}
END_TEST

/* Whatever KeycloakStoreTimeout is: three times as much would be 15 s for each. */
START_TEST(one_that_hangs_is_not_waited_for_long)
{
    kc_store_clock_t *clock = make();
    int64_t began;
    size_t i;

    kc_store_clock_look(clock, now_ms, NULL); /* connections are there */
    for (i = 0; i < SERVERS; i++)
        memcached_server_stop(&servers[i]);
    now_ms += DUE;
    began = kc_wait_limit_now();
    kc_store_clock_look(clock, now_ms, NULL);
    ck_assert_int_lt(kc_wait_limit_now() - began, SERVERS * TIMEOUT_MS);
    for (i = 0; i < SERVERS; i++)
        ck_assert_int_eq(shared[i].due_at, now_ms + KC_STORE_CLOCK_RETRY * 1000);
}
END_TEST

Suite *kc_test_store_clock(void)
{
    Suite *suite = suite_create("store_clock");
    TCase *tests = tcase_create("store_clock");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, clocks_that_agree_are_not_told_of);
    tcase_add_test(tests, a_clock_that_is_off_is_told_of_once);
    tcase_add_test(tests, a_server_is_asked_rarely_and_by_one);
    tcase_add_test(tests, one_that_does_not_answer_is_asked_later);
    tcase_add_test(tests, who_is_to_stop_asks_no_further_server);
    tcase_add_test(tests, one_that_was_never_of_use_is_told_of_once);
    tcase_add_test(tests, one_that_was_of_use_is_not_told_of);
    tcase_add_test(tests, one_that_is_late_is_told_of_when_it_is_late_again);
    tcase_add_test(tests, something_else_than_memcached_is_told_of);
    tcase_add_test(tests, why_nobody_can_be_reached);
    tcase_add_test(tests, one_that_hangs_is_not_waited_for_long);
    suite_add_tcase(suite, tests);
    return suite;
}
