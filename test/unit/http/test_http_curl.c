/* The back channel: what it sends, and how it handles answers that are endless, missing or wrong.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "http/http.h"
#include "http/http_curl.h"
#include "http/http_meter.h"
#include "metrics/stopwatch.h"
#include "listener.h"
#include "net/wait_limit.h"
#include "net/resolver.h"
#include "testlib.h"

Suite *kc_test_http_curl(void);

enum { PATIENCE_MS = 20000, HASTE_MS = 300, REQUEST_MAX = 16384 };

typedef struct {
    const char *answer; /* sent after each request */
    int is_closing;     /* then the connection ends */
    pthread_mutex_t lock;
    char request[REQUEST_MAX]; /* the latest */
    int served;
} script_t;

static kc_http_t *http;
static kc_http_response_t response;
static kc_err_t err;
static script_t script;
static listener_t *listener;

static kc_http_gate_t gate;
static kc_resolver_t *resolver; /* of clients that are made; NULL: libcurl's own */
static uint32_t stop;

static kc_metrics_t *metrics; /* NULL: nothing is counted */

static void http_make(int64_t timeout_ms, uint32_t waiting_max)
{
    kc_http_curl_options_t options = {
        .timeout_ms = timeout_ms, .gate = &gate, .stop = &stop, .resolver = resolver};

    kc_http_gate_init(&gate, waiting_max, 0);
    stop = 0;
    ck_assert_int_eq(kc_http_curl_create(&options, testlib_pool, &http, &err), KC_OK);
    http = kc_http_meter_wrap(http, metrics, testlib_pool);
}

static void setup(void)
{
    testlib_setup();
    memset(&err, 0, sizeof(err));
    memset(&script, 0, sizeof(script));
    ck_assert_int_eq(pthread_mutex_init(&script.lock, NULL), 0);
    listener = NULL;
    resolver = NULL;
    metrics = NULL;
    ck_assert_int_eq(kc_http_curl_start(testlib_pool, &err), KC_OK);
    http_make(PATIENCE_MS, 8);
}

static void teardown(void)
{
    testlib_teardown();
    if (listener)
        listener_stop(listener);
}

static void serve_script(int socket, void *context)
{
    script_t *told = context;
    char request[REQUEST_MAX];

    while (listener_read_request(socket, request, sizeof(request))) {
        (void)pthread_mutex_lock(&told->lock);
        memcpy(told->request, request, strlen(request) + 1);
        told->served++;
        (void)pthread_mutex_unlock(&told->lock);
        if (!listener_send_text(socket, told->answer) || told->is_closing)
            return;
    }
}

static const char *url_of(const char *rest)
{
    return apr_psprintf(testlib_pool, "http://127.0.0.1:%d%s", listener_port(listener), rest);
}

static kc_rc_t fetch(const char *form, const char *authorization)
{
    kc_http_request_t request = {
        .url = url_of("/path?query=canary"), .form = form, .authorization = authorization};

    return http->perform(http, &request, testlib_pool, &response, &err);
}

/* One exchange with a server that gives `answer` and ends the connection. */
static kc_rc_t fetch_answer(const char *answer)
{
    script.answer = answer;
    script.is_closing = 1;
    listener = listener_start(serve_script, &script);
    return fetch(NULL, NULL);
}

/* An outage, told with the host and without the query. */
static void assert_down(kc_rc_t rc)
{
    ck_assert_int_eq(rc, KC_DOWN);
    ck_assert_int_eq(err.reason, KC_ERR_PROVIDER_DOWN);
    ck_assert_ptr_nonnull(strstr(err.detail, "127.0.0.1:"));
    ck_assert_ptr_null(strstr(err.detail, "canary"));
}

static int is_sent(const char *text)
{
    int is_found;

    (void)pthread_mutex_lock(&script.lock);
    is_found = strstr(script.request, text) != NULL;
    (void)pthread_mutex_unlock(&script.lock);
    return is_found;
}

static int served(void)
{
    int count;

    (void)pthread_mutex_lock(&script.lock);
    count = script.served;
    (void)pthread_mutex_unlock(&script.lock);
    return count;
}

/* ---------------------------------------------------------------- what is sent */

START_TEST(gets)
{
    ck_assert_int_eq(fetch_answer("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                  "Content-Length: 2\r\n\r\n{}"),
                     KC_OK);
    ck_assert_int_eq(response.status, 200);
    ck_assert_str_eq(response.content_type, "application/json");
    ck_assert_uint_eq(response.body_len, 2);
    ck_assert_str_eq(response.body, "{}");
    ck_assert(is_sent("GET /path?query=canary HTTP/1.1\r\n"));
    ck_assert(is_sent("\r\nAccept: application/json\r\n"));
    ck_assert(is_sent("\r\nUser-Agent: mod_auth_keycloak/"));
    ck_assert(!is_sent("\r\nAuthorization:"));
    ck_assert(!is_sent("\r\nAccept-Encoding:"));
}
END_TEST

START_TEST(posts)
{
    char *form = apr_palloc(testlib_pool, 3001);

    memset(form, 'a', 3000);
    form[3000] = '\0';
    memcpy(form, "code=", 5);
    script.answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    listener = listener_start(serve_script, &script);
    ck_assert_int_eq(fetch(form, "Basic Y2FuYXJ5"), KC_OK);
    ck_assert_int_eq(response.status, 400);
    ck_assert_str_eq(response.content_type, "");
    ck_assert_str_eq(response.body, "");
    ck_assert(is_sent("POST /path"));
    ck_assert(is_sent("\r\nAuthorization: Basic Y2FuYXJ5\r\n"));
    ck_assert(is_sent("\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
    ck_assert(is_sent("\r\nContent-Length: 3000\r\n"));
    ck_assert(is_sent(form));
    ck_assert(!is_sent("\r\nExpect:"));
}
END_TEST

START_TEST(refuses_a_header_in_the_authorization)
{
    script.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    listener = listener_start(serve_script, &script);
    ck_assert_int_eq(fetch(NULL, "Basic x\r\nX-Canary: 1"), KC_FAULT);
    ck_assert_int_eq(served(), 0);
    ck_assert_ptr_null(strstr(err.detail, "anary"));
}
END_TEST

/* One connection for what may be repeated; a form, whose code may not, has one of its own. Nothing
 * of one exchange is in the next. */
START_TEST(keeps_the_connection_and_forgets_the_rest)
{
    int i;

    script.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    listener = listener_start(serve_script, &script);
    for (i = 0; i < 5; i++) {
        ck_assert_int_eq(fetch("code=canary", "Basic Y2FuYXJ5"), KC_OK);
        ck_assert_int_eq(fetch(NULL, NULL), KC_OK);
        ck_assert(is_sent("GET /path"));
        ck_assert(!is_sent("Authorization"));
        ck_assert(!is_sent("code="));
    }
    for (i = 0; i < 5; i++)
        ck_assert_int_eq(fetch(NULL, NULL), KC_OK);
    ck_assert_int_eq(served(), 15);
    ck_assert_int_eq(listener_count(listener), 5);
}
END_TEST

START_TEST(asks_no_proxy_of_the_environment)
{
    ck_assert_int_eq(setenv("http_proxy", "http://127.0.0.1:1/", 1), 0);
    ck_assert_int_eq(setenv("all_proxy", "http://127.0.0.1:1/", 1), 0);
    ck_assert_int_eq(fetch_answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), KC_OK);
    (void)unsetenv("http_proxy");
    (void)unsetenv("all_proxy");
}
END_TEST

/* ---------------------------------------------------------------- answers that are whole */

static const struct {
    const char *answer;
    kc_metrics_answer_t word;
} counted[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", KC_METRICS_2XX},
    {"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", KC_METRICS_3XX},
    {"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n", KC_METRICS_4XX},
    {"HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n", KC_METRICS_5XX},
    {"nonsense", KC_METRICS_FAILED},
};

START_TEST(each_answer_is_counted_once)
{
    int64_t waited = kc_stopwatch_total(KC_STOPWATCH_PROVIDER);
    const size_t calls = KC_METRICS_CELL(provider_calls, KC_METRICS_OTHER_ENDPOINT, 0, 0);
    uint64_t timed = 0;
    size_t i;

    ck_assert_int_eq(kc_metrics_attach(apr_pcalloc(testlib_pool, kc_metrics_size()), testlib_pool,
                                       &metrics, NULL),
                     KC_OK);
    http_make(PATIENCE_MS, 8);
    (void)fetch_answer(counted[_i].answer);
    for (i = 0; i < KC_METRICS_ANSWERS; i++)
        ck_assert_uint_eq(kc_metrics_get(metrics, KC_METRICS_CELL(provider_results,
                                                                  KC_METRICS_OTHER_ENDPOINT, i, 0)),
                          i == counted[_i].word);
    for (i = 0; i < KC_METRICS_BUCKETS; i++)
        timed += kc_metrics_get(metrics, calls + i);
    ck_assert_uint_eq(timed, 1);
    ck_assert_int_gt(kc_stopwatch_total(KC_STOPWATCH_PROVIDER), waited);
}
END_TEST

START_TEST(follows_no_redirect)
{
    ck_assert_int_eq(fetch_answer("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n"
                                  "Content-Length: 0\r\n\r\n"),
                     KC_OK);
    ck_assert_int_eq(response.status, 302);
    ck_assert_int_eq(served(), 1);
    ck_assert_ptr_null(response.location);
}
END_TEST

START_TEST(tells_the_head_to_those_that_want_it)
{
    kc_http_request_t request = {.wants_head = 1};

    script.answer = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\n"
                    "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\nContent-Length: 0\r\n\r\n";
    script.is_closing = 1;
    listener = listener_start(serve_script, &script);
    request.url = url_of("/");
    ck_assert_int_eq(http->perform(http, &request, testlib_pool, &response, &err), KC_OK);
    ck_assert_str_eq(response.location, "/elsewhere");
    ck_assert_str_eq(response.date, "Tue, 14 Nov 2023 22:13:20 GMT");
    ck_assert_str_eq(response.address, "127.0.0.1");
    ck_assert_int_eq(response.stage, KC_HTTP_STAGE_DONE);
}
END_TEST

START_TEST(undoes_no_compression)
{
    ck_assert_int_eq(fetch_answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                                  "Content-Length: 5\r\n\r\n\x1f\x8b\x08zz"),
                     KC_OK);
    ck_assert_uint_eq(response.body_len, 5);
    ck_assert_mem_eq(response.body, "\x1f\x8b\x08zz", 5);
}
END_TEST

START_TEST(reads_chunks)
{
    ck_assert_int_eq(fetch_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
                     KC_OK);
    ck_assert_str_eq(response.body, "abcde");
}
END_TEST

static size_t body_size;

static void serve_body(int socket, void *context)
{
    char request[REQUEST_MAX];
    char *body = malloc(body_size);
    char head[100];

    (void)context;
    (void)apr_snprintf(head, sizeof(head),
                       "HTTP/1.1 200 OK\r\nContent-Length: %" APR_SIZE_T_FMT "\r\n\r\n", body_size);
    if (body && listener_read_request(socket, request, sizeof(request))) {
        memset(body, 'b', body_size);
        (void)(listener_send_text(socket, head) && listener_send(socket, body, body_size));
    }
    free(body);
}

START_TEST(takes_a_body_up_to_the_cap)
{
    static const size_t sizes[] = {1, 16383, 16384, 65535, 65537, KC_HTTP_BODY_MAX};

    body_size = sizes[_i];
    listener = listener_start(serve_body, NULL);
    ck_assert_int_eq(fetch(NULL, NULL), KC_OK);
    ck_assert_uint_eq(response.body_len, body_size);
    ck_assert_uint_eq(strspn(response.body, "b"), body_size);
}
END_TEST

/* As much as its request takes, and no more. */
START_TEST(takes_a_larger_body_where_one_is_asked_for)
{
    enum { LARGER = 2 * KC_HTTP_BODY_MAX - 1 };
    kc_http_request_t request = {.body_max = LARGER};

    body_size = (size_t)LARGER + (size_t)_i;
    listener = listener_start(serve_body, NULL);
    request.url = url_of("/path");
    ck_assert_int_eq(http->perform(http, &request, testlib_pool, &response, &err),
                     _i ? KC_DOWN : KC_OK);
    ck_assert_uint_eq(response.body_len, _i ? 0 : body_size);
}
END_TEST

/* ---------------------------------------------------------------- answers that are not */

START_TEST(refuses_a_body_that_is_announced_too_long)
{
    body_size = KC_HTTP_BODY_MAX + 1;
    listener = listener_start(serve_body, NULL);
    assert_down(fetch(NULL, NULL));
    ck_assert_ptr_nonnull(strstr(err.detail, "256 KiB"));
    ck_assert_uint_eq(response.body_len, 0);
}
END_TEST

static void serve_for_ever(int socket, void *context)
{
    char request[REQUEST_MAX];
    char block[4096];

    memset(block, 'x', sizeof(block));
    if (!listener_read_request(socket, request, sizeof(request)) ||
        !listener_send_text(socket, "HTTP/1.1 200 OK\r\n\r\n"))
        return;
    while (listener_send(socket, block, sizeof(block)))
        (void)__atomic_add_fetch((int *)context, 1, __ATOMIC_SEQ_CST);
}

/* A child that ends does not wait for a server that hangs. */
static void serve_nothing(int socket, void *context)
{
    char request[REQUEST_MAX];

    (void)context;
    if (listener_read_request(socket, request, sizeof(request)))
        __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    (void)listener_read_request(socket, request, sizeof(request));
}

START_TEST(gives_up_when_told_to_stop)
{
    listener = listener_start(serve_nothing, NULL);
    ck_assert_int_eq(fetch(NULL, NULL), KC_DOWN);
    ck_assert_int_eq(err.reason, KC_ERR_PROVIDER_BUSY);
    ck_assert_uint_eq(gate.taken, 0);
}
END_TEST

START_TEST(cuts_a_body_without_end)
{
    int blocks = 0;

    listener = listener_start(serve_for_ever, &blocks);
    assert_down(fetch(NULL, NULL));
    ck_assert_ptr_nonnull(strstr(err.detail, "256 KiB"));
    listener_stop(listener);
    listener = NULL;
    ck_assert_int_ge(blocks, 64);
}
END_TEST

static void serve_drop_by_drop(int socket, void *context)
{
    static const struct timespec span = {0, 20000000};
    char request[REQUEST_MAX];

    if (!listener_read_request(socket, request, sizeof(request)) ||
        !listener_send_text(socket, context))
        return;
    while (listener_send_text(socket, "x"))
        (void)nanosleep(&span, NULL);
}

static const char *const slow_heads[] = {"HTTP/1.1 200 OK\r\n\r\n",
                                         "HTTP/1.1 200 OK\r\nX-Slow: ", ""};

START_TEST(a_slow_answer_ends_at_the_deadline)
{
    http_make(HASTE_MS, 8);
    listener = listener_start(serve_drop_by_drop, (void *)(uintptr_t)slow_heads[_i]);
    assert_down(fetch(NULL, NULL));
}
END_TEST

static void serve_silence(int socket, void *context)
{
    char request[REQUEST_MAX];

    (void)context;
    while (listener_read_request(socket, request, sizeof(request)))
        continue;
}

START_TEST(silence_ends_at_the_deadline)
{
    http_make(HASTE_MS, 8);
    listener = listener_start(serve_silence, NULL);
    assert_down(fetch("code=canary", NULL));
    ck_assert_ptr_nonnull(strstr(err.detail, "timed out"));
}
END_TEST

static const char *const cut_answers[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n12345",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n12345\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Le",
    "",
    "hello\n",
    "HTTP/9.9 OK\r\n\r\n",
};

START_TEST(what_is_cut_short_is_no_answer)
{
    assert_down(fetch_answer(cut_answers[_i]));
    ck_assert_uint_eq(response.body_len, 0);
    ck_assert_int_eq(response.status, 0);
    ck_assert_int_eq(response.stage, KC_HTTP_STAGE_ANSWER);
}
END_TEST

START_TEST(nobody_there)
{
    kc_http_request_t request = {.url = NULL};

    request.url = apr_psprintf(testlib_pool, "http://127.0.0.1:%d/?canary", listener_free_port());
    assert_down(http->perform(http, &request, testlib_pool, &response, &err));
    ck_assert_int_eq(response.stage, KC_HTTP_STAGE_CONNECT);
}
END_TEST

static const char *const bad_urls[] = {
    "file:///etc/hostname", "ftp://127.0.0.1/",  "gopher://127.0.0.1/", "127.0.0.1/",        "",
    "//127.0.0.1/",         " http://127.0.0.1", "data:text/plain,x",   "httpx://127.0.0.1/"};

/* As SELinux and packet filters do it. For this process, which ends with the test. */
static void forbid_connections(int number)
{
    struct sock_filter lines[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)number),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {sizeof(lines) / sizeof(lines[0]), lines};

    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

START_TEST(a_connection_that_is_forbidden_is_told_from_one_that_is_refused)
{
    static const int numbers[] = {EACCES, EPERM, ECONNREFUSED};
    const int is_forbidden = numbers[_i] != ECONNREFUSED;

    listener = listener_start(serve_script, &script);
    forbid_connections(numbers[_i]);
    assert_down(fetch(NULL, NULL));
    ck_assert_msg(!strstr(err.detail, "httpd_can_network_connect") == !is_forbidden, "%s",
                  err.detail);
    ck_assert_msg(!strstr(err.detail, strerror(numbers[_i])) == !is_forbidden, "%s", err.detail);
}
END_TEST

START_TEST(speaks_http_alone)
{
    kc_http_request_t request = {.url = bad_urls[_i]};

    ck_assert_int_eq(http->perform(http, &request, testlib_pool, &response, &err), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_DISCOVERY_ENDPOINT);
}
END_TEST

START_TEST(names_the_host_without_the_user)
{
    kc_http_request_t request = {.url = "http://user:canary@127.0.0.1:1/canary?canary#canary"};

    assert_down(http->perform(http, &request, testlib_pool, &response, &err));
}
END_TEST

START_TEST(asks_for_tls_where_the_url_does)
{
    kc_http_request_t request = {.url = NULL};
    static int blocks;

    listener = listener_start(serve_for_ever, &blocks);
    request.url = apr_psprintf(testlib_pool, "https://127.0.0.1:%d/", listener_port(listener));
    http_make(HASTE_MS, 8);
    assert_down(http->perform(http, &request, testlib_pool, &response, &err));
    ck_assert_int_eq(response.stage, KC_HTTP_STAGE_TLS);
    ck_assert_str_eq(response.address, "127.0.0.1");
}
END_TEST

/* ---------------------------------------------------------------- many at once */

static void *fetch_silence(void *context)
{
    apr_pool_t *pool;
    kc_http_response_t mine;
    kc_http_request_t request = {.url = context};

    if (apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return NULL;
    (void)http->perform(http, &request, pool, &mine, NULL);
    apr_pool_destroy(pool);
    return NULL;
}

START_TEST(only_so_many_wait)
{
    static const struct timespec span = {0, 5000000};
    pthread_t threads[2];
    int i;

    http_make(PATIENCE_MS, 2);
    listener = listener_start(serve_silence, NULL);
    for (i = 0; i < 2; i++)
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, fetch_silence, (void *)(uintptr_t)url_of("/")), 0);
    for (i = 0; listener_count(listener) < 2 && i < 12000; i++)
        (void)nanosleep(&span, NULL);
    ck_assert_int_eq(fetch(NULL, NULL), KC_DOWN);
    ck_assert_int_eq(err.reason, KC_ERR_PROVIDER_BUSY);
    listener_stop(listener);
    for (i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    listener = NULL;
    ck_assert_int_eq(fetch_answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), KC_OK);
}
END_TEST

START_TEST(refuses_limits_that_are_none)
{
    kc_http_gate_t none = {.limit = 0};
    kc_http_curl_options_t options = {.gate = &gate};

    kc_http_gate_init(&gate, 1, 0);
    ck_assert_int_eq(kc_http_curl_create(&options, testlib_pool, &http, &err), KC_FAULT);
    options.timeout_ms = 1000;
    options.gate = &none;
    ck_assert_int_eq(kc_http_curl_create(&options, testlib_pool, &http, &err), KC_FAULT);
    ck_assert_int_eq(err.reason, KC_ERR_CONFIG);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static TCase *tcase_make(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 300);
    suite_add_tcase(suite, tcase);
    return tcase;
}

/* ---------------------------------------------------------------- names */

static uint32_t name_hangs, lookups, at_second; /* the fake name server's */
static uint32_t silent_first; /* an address at which nothing answers, not even by a refusal */

static int look_up(void *context, const char *host, kc_resolver_address_t *out, size_t max)
{
    static const struct timespec moment = {0, 5000000};
    struct sockaddr_in *address = (struct sockaddr_in *)&out->socket;

    (void)context;
    (void)__atomic_add_fetch(&lookups, 1, __ATOMIC_RELAXED);
    if (strcmp(host, "keycloak.test") != 0)
        return 0;
    while (__atomic_load_n(&name_hangs, __ATOMIC_ACQUIRE))
        (void)nanosleep(&moment, NULL);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr =
        htonl(__atomic_load_n(&at_second, __ATOMIC_ACQUIRE) ? 0x7f000002 : 0x7f000001);
    out->len = sizeof(*address);
    if (!silent_first)
        return 1;
    ck_assert_uint_ge(max, 2);
    out[1] = out[0];
    address->sin_addr.s_addr = htonl(0x7f000003);
    return 2;
}

static void http_make_with_names(int64_t timeout_ms)
{
    const kc_resolver_options_t options = {.lookup = look_up, .period_ms = 20, .retry_ms = 20};

    name_hangs = lookups = at_second = 0;
    ck_assert_int_eq(kc_resolver_create(&options, testlib_pool, &resolver, &err), KC_OK);
    http_make(timeout_ms, 8);
    script.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    listener = listener_start(serve_script, &script);
}

static kc_rc_t fetch_from(const char *host)
{
    const char *url =
        apr_psprintf(testlib_pool, "http://%s:%d/path?query=canary", host, listener_port(listener));
    kc_http_request_t request = {.url = url};

    return http->perform(http, &request, testlib_pool, &response, &err);
}

START_TEST(a_name_goes_by_the_resolver_and_stays_the_host)
{
    static const char *const spellings[] = {"keycloak.test", "Keycloak.TEST"};
    size_t i;

    http_make_with_names(PATIENCE_MS);
    for (i = 0; i < 2; i++) {
        ck_assert_int_eq(fetch_from(spellings[i]), KC_OK);
        ck_assert(is_sent(apr_psprintf(testlib_pool, "\r\nHost: %s:%d\r\n", spellings[i],
                                       listener_port(listener))));
    }
    ck_assert_int_eq(fetch_from("127.0.0.1"), KC_OK);
    ck_assert_int_eq(fetch_from("localhost"), KC_OK);
    ck_assert(is_sent("\r\nHost: localhost:"));
}
END_TEST

START_TEST(a_name_server_that_hangs_costs_no_more_than_the_deadline)
{
    int64_t start;

    http_make_with_names(HASTE_MS);
    name_hangs = 1;
    start = kc_wait_limit_now();
    ck_assert_int_eq(fetch_from("keycloak.test"), KC_DOWN);
    ck_assert_int_eq(err.reason, KC_ERR_PROVIDER_DOWN);
    ck_assert_ptr_nonnull(strstr(err.detail, "the name keycloak.test is not resolved yet"));
    ck_assert_ptr_null(strstr(err.detail, "canary"));
    ck_assert_int_ge(kc_wait_limit_now() - start, HASTE_MS);
    ck_assert_int_eq(served(), 0);
    __atomic_store_n(&name_hangs, 0, __ATOMIC_RELEASE);
    kc_resolver_wait(resolver, PATIENCE_MS);
    ck_assert_int_eq(fetch_from("keycloak.test"), KC_OK);
}
END_TEST

START_TEST(a_host_that_nobody_knows_is_an_outage_at_once)
{
    http_make_with_names(600000);
    ck_assert_int_eq(fetch_from("nobody.test"), KC_DOWN);
    ck_assert_ptr_nonnull(strstr(err.detail, "the name nobody.test is no host's name"));
    ck_assert_int_eq(response.stage, KC_HTTP_STAGE_NAME);
}
END_TEST

/* A connection that was kept leads to the old address; nobody listens at the new one. */
START_TEST(a_host_that_has_moved_is_followed)
{
    uint32_t before;

    http_make_with_names(PATIENCE_MS);
    ck_assert_int_eq(fetch_from("keycloak.test"), KC_OK);
    before = kc_resolver_changes(resolver);
    __atomic_store_n(&at_second, 1, __ATOMIC_RELEASE);
    while (kc_resolver_changes(resolver) == before)
        sched_yield();
    ck_assert_int_eq(fetch_from("keycloak.test"), KC_DOWN);
    ck_assert_int_eq(served(), 1);
}
END_TEST

/* A queue of connections that is full: the kernel drops each further SYN. */
static void silent_listen(int port, int sockets[3])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int i;

    address.sin_addr.s_addr = htonl(0x7f000003);
    for (i = 0; i < 3; i++) {
        sockets[i] = socket(AF_INET, SOCK_STREAM | (i ? SOCK_NONBLOCK : 0), 0);
        ck_assert_int_ge(sockets[i], 0);
        if (i)
            (void)connect(sockets[i], (struct sockaddr *)&address, sizeof(address));
        else
            ck_assert(!bind(sockets[0], (struct sockaddr *)&address, sizeof(address)) &&
                      !listen(sockets[0], 0));
    }
}

/* A pod that is gone: its address is in the list of names for a while, and nothing comes back. */
START_TEST(the_next_address_is_tried_before_the_deadline_is_near)
{
    const kc_resolver_options_t options = {.lookup = look_up, .period_ms = 600000, .retry_ms = 20};
    kc_resolver_address_t found[KC_RESOLVER_ADDRESSES_MAX];
    int sockets[3], i;
    size_t count;
    int64_t start;

    script.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    listener = listener_start(serve_script, &script);
    silent_listen(listener_port(listener), sockets);
    name_hangs = lookups = at_second = 0;
    silent_first = 1;
    ck_assert_int_eq(kc_resolver_create(&options, testlib_pool, &resolver, &err), KC_OK);
    http_make(60000, 8);
    start = kc_wait_limit_now();
    ck_assert_int_eq(fetch_from("keycloak.test"), KC_OK);
    ck_assert_int_lt(kc_wait_limit_now() - start, 25000);
    ck_assert_int_eq(served(), 1);
    while (__atomic_load_n(&lookups, __ATOMIC_ACQUIRE) < 2)
        sched_yield();
    ck_assert_int_eq(kc_resolver_get(kc_resolver_name(resolver, "keycloak.test"), 80, 0, found,
                                     &count, KC_ERR_PROVIDER_DOWN, &err),
                     KC_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(kc_resolver_text(&found[0], testlib_pool), "127.0.0.1");
    ck_assert_str_eq(kc_resolver_text(&found[1], testlib_pool), "127.0.0.3");
    for (i = 0; i < 3; i++)
        (void)close(sockets[i]);
    silent_first = 0;
}
END_TEST

/* The limit of a connection to one of several addresses is not one for TLS. */
START_TEST(a_slow_tls_handshake_has_all_the_time)
{
    const kc_resolver_options_t options = {.lookup = look_up, .period_ms = 600000, .retry_ms = 20};
    kc_http_request_t request = {.url = NULL};
    static int blocks;
    int64_t start;

    listener = listener_start(serve_for_ever, &blocks);
    request.url = apr_psprintf(testlib_pool, "https://keycloak.test:%d/", listener_port(listener));
    name_hangs = lookups = at_second = 0;
    silent_first = 1;
    ck_assert_int_eq(kc_resolver_create(&options, testlib_pool, &resolver, &err), KC_OK);
    http_make(5000, 8);
    start = kc_wait_limit_now();
    ck_assert_int_eq(http->perform(http, &request, testlib_pool, &response, &err), KC_DOWN);
    ck_assert_int_ge(kc_wait_limit_now() - start, 4900);
    silent_first = 0;
}
END_TEST

Suite *kc_test_http_curl(void)
{
    Suite *suite = suite_create("http_curl");
    TCase *sent = tcase_make(suite, "what is sent");
    TCase *answers = tcase_make(suite, "answers");
    TCase *limits = tcase_make(suite, "limits");
    TCase *names = tcase_make(suite, "names");

    tcase_add_test(sent, gets);
    tcase_add_test(sent, posts);
    tcase_add_test(sent, refuses_a_header_in_the_authorization);
    tcase_add_test(sent, keeps_the_connection_and_forgets_the_rest);
    tcase_add_test(sent, asks_no_proxy_of_the_environment);
    tcase_add_test(sent, names_the_host_without_the_user);
    tcase_add_test(sent, asks_for_tls_where_the_url_does);
    tcase_add_loop_test(sent, speaks_http_alone, 0, COUNT(bad_urls));
    tcase_add_test(answers, follows_no_redirect);
    tcase_add_test(answers, tells_the_head_to_those_that_want_it);
    tcase_add_loop_test(answers, each_answer_is_counted_once, 0,
                        (int)(sizeof(counted) / sizeof(counted[0])));
    tcase_add_test(answers, undoes_no_compression);
    tcase_add_test(answers, reads_chunks);
    tcase_add_loop_test(answers, takes_a_body_up_to_the_cap, 0, 6);
    tcase_add_loop_test(answers, what_is_cut_short_is_no_answer, 0, COUNT(cut_answers));
    tcase_add_test(answers, nobody_there);
    tcase_add_loop_test(answers, a_connection_that_is_forbidden_is_told_from_one_that_is_refused, 0,
                        3);
    tcase_add_loop_test(answers, takes_a_larger_body_where_one_is_asked_for, 0, 2);
    tcase_add_test(limits, refuses_a_body_that_is_announced_too_long);
    tcase_add_test(limits, gives_up_when_told_to_stop);
    tcase_add_test(limits, cuts_a_body_without_end);
    tcase_add_loop_test(limits, a_slow_answer_ends_at_the_deadline, 0, COUNT(slow_heads));
    tcase_add_test(limits, silence_ends_at_the_deadline);
    tcase_add_test(limits, only_so_many_wait);
    tcase_add_test(names, a_name_goes_by_the_resolver_and_stays_the_host);
    tcase_add_test(names, a_name_server_that_hangs_costs_no_more_than_the_deadline);
    tcase_add_test(names, a_host_that_nobody_knows_is_an_outage_at_once);
    tcase_add_test(names, a_host_that_has_moved_is_followed);
    tcase_add_test(names, the_next_address_is_tried_before_the_deadline_is_near);
    tcase_add_test(names, a_slow_tls_handshake_has_all_the_time);
    tcase_add_test(limits, refuses_limits_that_are_none);
    return suite;
}
