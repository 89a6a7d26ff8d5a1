/* The store in memcached: real servers that work, die and hang, and one that answers nonsense.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "listener.h"
#include "memcached_server.h"
#include "net/wait_limit.h"
#include "net/resolver.h"
#include "store/store.h"
#include "store/store_memcached.h"
#include "store/store_replicas.h"
#include "testlib.h"

Suite *kc_test_store_memcached(void);

enum { TIMEOUT_MS = 20000, HASTE_MS = 200, SLOW_MS = 1000, HEADER = 24, SERVERS = 2, DAY = 86400 };
enum {
    LATE_MS = 5000 /* the answer has twice that until it counts, however busy the machine is */
};

typedef struct {
    char text[KC_STORE_KEY_LEN + 1];
} key_text_t;

static memcached_server_t servers[SERVERS];
static kc_store_t *store;
static kc_err_t err;

static int64_t ahead; /* seconds that our clock is ahead of memcached's */

static int64_t now(void *context)
{
    (void)context;
    return (int64_t)time(NULL) + ahead;
}

/* No name server is asked: its answer could still be under way when the test ends. */
static int find_nobody(void *context, const char *host, kc_resolver_address_t *out, size_t max)
{
    (void)context;
    (void)host;
    (void)out;
    (void)max;
    return 0;
}

/* One copy of each value, so that it is known where it is. */
static kc_rc_t make_of(const char *const *texts, size_t count, int64_t timeout_ms, kc_store_t **out)
{
    kc_store_memcached_options_t options = {
        .servers = texts, .count = count, .copies = 1, .timeout_ms = timeout_ms, .now = now};
    static const kc_resolver_options_t names = {.lookup = find_nobody};

    ck_assert_int_eq(kc_resolver_create(&names, testlib_pool, &options.resolver, &err), KC_OK);
    return kc_store_replicas_create(&options, testlib_pool, out, &err);
}

static void store_make(size_t count, int64_t timeout_ms)
{
    const char *texts[SERVERS];
    size_t i;

    for (i = 0; i < count; i++)
        texts[i] = servers[i].text;
    ck_assert_int_eq(make_of(texts, count, timeout_ms, &store), KC_OK);
}

static void setup(void)
{
    testlib_setup();
    memset(&err, 0, sizeof(err));
    ahead = 0;
    memset(servers, 0, sizeof(servers));
    memcached_server_start(&servers[0], listener_free_port());
    store_make(1, TIMEOUT_MS);
}

static void setup_two(void)
{
    setup();
    memcached_server_start(&servers[1], listener_free_port());
    store_make(2, TIMEOUT_MS);
}

static void teardown(void)
{
    testlib_teardown();
    memcached_server_end(&servers[0]);
    memcached_server_end(&servers[1]);
}

/* ---------------------------------------------------------------- keys and values */

static const char version[] = "\x81\x0b\0\0\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\0"
                              "1.6.18";

/* The end of a question, which may be for several keys: opcode 0x0a. */
static int is_end(const unsigned char *request)
{
    return request[1] == 0x0a;
}

/* One request of the binary protocol, whole: TCP may bring a part of it, or two at once. 0 when
 * there is none, or it is larger than `size`. */
static int read_request(int socket, unsigned char *out, size_t size)
{
    uint32_t len;

    if (recv(socket, out, HEADER, MSG_WAITALL) != HEADER)
        return 0;
    memcpy(&len, out + 8, sizeof(len));
    len = ntohl(len);
    return !len || (len <= size - HEADER && recv(socket, out + HEADER, len, MSG_WAITALL) == len);
}

/* libmemcached asks for the version first: opcode 0x0b. 1 when that was it, and is answered. */
static int serve_version(int socket, const unsigned char *request)
{
    return request[1] == 0x0b && listener_send(socket, version, sizeof(version) - 1);
}

static key_text_t key_of(unsigned int number)
{
    key_text_t key;

    (void)snprintf(key.text, sizeof(key.text), "%064x", number);
    return key;
}

static int64_t in(int64_t seconds)
{
    return now(NULL) + seconds;
}

static kc_rc_t put_text(unsigned int number, const char *text, int64_t expires_at)
{
    key_text_t key = key_of(number);

    return kc_store_put(store, key.text, kc_buf_text(text), expires_at, &err);
}

static kc_rc_t add_text(unsigned int number, const char *text, int64_t expires_at)
{
    key_text_t key = key_of(number);

    return kc_store_add(store, key.text, kc_buf_text(text), expires_at, &err);
}

static kc_rc_t get_one(unsigned int number, kc_store_item_t *item)
{
    key_text_t key = key_of(number);
    const char *keys[] = {key.text};

    memset(item, 0x55, sizeof(*item));
    return kc_store_get(store, keys, 1, item, testlib_pool, &err);
}

static int is_text(unsigned int number, const char *text)
{
    kc_store_item_t item;

    ck_assert_msg(get_one(number, &item) == KC_OK, "%s", err.detail);
    return item.value.data && item.value.len == strlen(text) &&
           !memcmp(item.value.data, text, item.value.len);
}

static int is_absent(unsigned int number)
{
    kc_store_item_t item;

    ck_assert_int_eq(get_one(number, &item), KC_OK);
    return !item.value.data && !item.value.len && !item.expires_at;
}

/* An outage: told with the server, without the key. */
static void assert_down(kc_rc_t rc)
{
    ck_assert_int_eq(rc, KC_DOWN);
    ck_assert_int_eq(err.reason, KC_ERR_STORE_DOWN);
    ck_assert_ptr_nonnull(strstr(err.detail, "127.0.0.1:"));
    ck_assert_ptr_null(strstr(err.detail, "00000000"));
}

static void assert_all_down(unsigned int number)
{
    key_text_t key = key_of(number);
    kc_store_item_t item;

    assert_down(get_one(number, &item));
    ck_assert_ptr_null(item.value.data);
    assert_down(put_text(number, "x", in(60)));
    assert_down(add_text(number, "x", in(60)));
    assert_down(kc_store_touch(store, key.text, in(60), &err));
    assert_down(kc_store_drop(store, key.text, &err));
}

/* ---------------------------------------------------------------- a server that works */

START_TEST(keeps_values)
{
    key_text_t key = key_of(1);
    kc_store_item_t item;

    ck_assert(is_absent(1));
    ck_assert_int_eq(put_text(1, "one", in(60)), KC_OK);
    ck_assert(is_text(1, "one"));
    ck_assert_int_eq(get_one(1, &item), KC_OK);
    ck_assert_int_eq(item.expires_at, 0);
    ck_assert_int_eq(put_text(1, "", in(60)), KC_OK);
    ck_assert_int_eq(get_one(1, &item), KC_OK);
    ck_assert_ptr_nonnull(item.value.data);
    ck_assert_uint_eq(item.value.len, 0);
    ck_assert_int_eq(kc_store_drop(store, key.text, &err), KC_OK);
    ck_assert(is_absent(1));
    ck_assert_int_eq(kc_store_drop(store, key.text, &err), KC_OK);
}
END_TEST

START_TEST(adds_once)
{
    ck_assert_int_eq(add_text(2, "first", in(60)), KC_OK);
    ck_assert_int_eq(add_text(2, "second", in(60)), KC_EXISTS);
    ck_assert(is_text(2, "first"));
    ck_assert_int_eq(add_text(2, "third", in(60)), KC_EXISTS);
}
END_TEST

START_TEST(times_are_absolute)
{
    key_text_t key = key_of(3);

    ck_assert_int_eq(put_text(3, "month", in(31 * DAY)), KC_OK);
    ck_assert(is_text(3, "month"));
    ck_assert_int_eq(put_text(4, "over", in(-10)), KC_OK);
    ck_assert(is_absent(4));
    ck_assert_int_eq(put_text(4, "1970", 100), KC_OK);
    ck_assert(is_absent(4));
    ck_assert_int_eq(put_text(4, "far", INT64_MAX), KC_OK);
    ck_assert(is_text(4, "far"));
    ck_assert_int_eq(kc_store_touch(store, key.text, in(40 * DAY), &err), KC_OK);
    ck_assert(is_text(3, "month"));
    ck_assert_int_eq(kc_store_touch(store, key.text, in(-10), &err), KC_OK);
    ck_assert(is_absent(3));
    ck_assert_int_eq(kc_store_touch(store, key.text, in(60), &err), KC_MISS);
}
END_TEST

/* threats.md 211: its clock is two hours ahead or behind; by spans that does not matter. */
START_TEST(its_clock_does_not_matter)
{
    static const int64_t differences[] = {-7200, 7200, -86400, 86400};
    key_text_t key = key_of(3);

    ahead = differences[_i];
    ck_assert_int_eq(put_text(3, "x", in(600)), KC_OK);
    ck_assert(is_text(3, "x"));
    ck_assert_int_eq(kc_store_touch(store, key.text, in(30 * DAY), &err), KC_OK);
    ck_assert(is_text(3, "x"));
    ck_assert_int_eq(add_text(4, "x", in(600)), KC_OK);
    ck_assert(is_text(4, "x"));
    ck_assert_int_eq(put_text(3, "x", in(0)), KC_OK);
    ck_assert(is_absent(3));
    ck_assert_int_eq(kc_store_touch(store, key_of(4).text, in(-1), &err), KC_OK);
    ck_assert(is_absent(4));
}
END_TEST

/* Notes the expiry of a write, and says that it is done. */
static void serve_expiry(int socket, void *context)
{
    static const char tail[] = "\0\0\0\0\0\0\0\0\0\0LAST\0\0\0\0\0\0\0\0";
    unsigned char request[4096], answer[HEADER] = {0x81};
    uint32_t *expiry = context;

    while (read_request(socket, request, sizeof(request))) {
        const unsigned char *at = request + HEADER + request[4] - 4;

        if (serve_version(socket, request))
            continue;
        *expiry = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        memcpy(answer + 2, tail, HEADER - 2);
        answer[1] = request[1];
        if (!listener_send(socket, answer, HEADER))
            return;
    }
}

START_TEST(spans_go_up_to_thirty_days)
{
    uint32_t expiry = 0;
    listener_t *listener = listener_start(serve_expiry, &expiry);

    memcached_server_end(&servers[0]);
    servers[0].text = apr_psprintf(testlib_pool, "127.0.0.1:%d", listener_port(listener));
    store_make(1, TIMEOUT_MS);
    ahead = -(int64_t)time(NULL) + 1000000000; /* as good as a clock that stands still */
    ck_assert_int_eq(put_text(1, "x", in(60)), KC_OK);
    ck_assert_uint_le(expiry, 60);
    ck_assert_uint_ge(expiry, 1);
    ck_assert_int_eq(kc_store_touch(store, key_of(1).text, in(30 * DAY), &err), KC_OK);
    ck_assert_uint_le(expiry, 30 * DAY);
    ck_assert_uint_ge(expiry, 30 * DAY - 60);
    ck_assert_int_eq(put_text(1, "x", in(30 * DAY + 600)), KC_OK);
    ck_assert_uint_ge(expiry, 1000000000 + 30 * DAY + 600);
    listener_stop(listener);
}
END_TEST

START_TEST(keeps_large_values)
{
    unsigned char *data = apr_palloc(testlib_pool, KC_STORE_VALUE_MAX);
    key_text_t key = key_of(5);
    kc_bytes_t value = {data, 200 * 1024};
    kc_store_item_t item;
    size_t i;

    for (i = 0; i < KC_STORE_VALUE_MAX; i++)
        data[i] = (unsigned char)(i * 31 >> 3);
    ck_assert_int_eq(kc_store_put(store, key.text, value, in(60), &err), KC_OK);
    ck_assert_int_eq(get_one(5, &item), KC_OK);
    ck_assert_uint_eq(item.value.len, value.len);
    ck_assert_mem_eq(item.value.data, data, value.len);
    value.len = KC_STORE_VALUE_MAX;
    ck_assert_int_eq(kc_store_put(store, key.text, value, in(60), &err), KC_OK);
    ck_assert_int_eq(get_one(5, &item), KC_OK);
    ck_assert_uint_eq(item.value.len, KC_STORE_VALUE_MAX);
    ck_assert_mem_eq(item.value.data, data, value.len);
}
END_TEST

/* By memcached's text protocol, as others may write. */
static void put_by_another(const char *key, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char *data = apr_palloc(testlib_pool, size + 1);
    char answer[8];
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(data, 'x', size);
    data[size] = '\0';
    address.sin_port = htons((uint16_t)servers[0].port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listener_send_text(fd, apr_psprintf(testlib_pool,
                                                         "set %s 0 0 %" APR_SIZE_T_FMT "\r\n%s\r\n",
                                                         key, size, data)),
                     1);
    ck_assert_int_eq(recv(fd, answer, sizeof(answer), MSG_WAITALL), 8);
    ck_assert_mem_eq(answer, "STORED\r\n", 8);
    (void)close(fd);
}

/* What somebody else has put there is none of ours, and no outage either. */
START_TEST(a_value_larger_than_ours_is_absent)
{
    size_t size = _i ? 1000000 : KC_STORE_VALUE_MAX + 1;
    key_text_t key = key_of(6);
    key_text_t next = key_of(7);
    const char *keys[] = {key.text, next.text};
    kc_store_item_t items[2];

    put_by_another(key.text, size);
    ck_assert(is_absent(6));
    ck_assert_int_eq(put_text(7, "next", in(60)), KC_OK);
    ck_assert_int_eq(kc_store_get(store, keys, 2, items, testlib_pool, &err), KC_OK);
    ck_assert_ptr_null(items[0].value.data);
    ck_assert_uint_eq(items[1].value.len, 4);
    ck_assert(is_text(7, "next"));
    ck_assert_int_eq(put_text(6, "ours", in(60)), KC_OK);
    ck_assert(is_text(6, "ours"));
}
END_TEST

/* Keys 10 to 17, of which the even ones have values. */
static void assert_several(void)
{
    key_text_t texts[KC_STORE_GET_MAX];
    const char *keys[KC_STORE_GET_MAX];
    kc_store_item_t items[KC_STORE_GET_MAX];
    unsigned int i;

    for (i = 0; i < KC_STORE_GET_MAX; i++) {
        texts[i] = key_of(10 + i);
        keys[i] = texts[i].text;
        if (i % 2 == 0)
            ck_assert_int_eq(put_text(10 + i, texts[i].text + 32, in(60)), KC_OK);
    }
    ck_assert_int_eq(kc_store_get(store, keys, KC_STORE_GET_MAX, items, testlib_pool, &err), KC_OK);
    for (i = 0; i < KC_STORE_GET_MAX; i++) {
        ck_assert_int_eq(items[i].value.data == NULL, i % 2);
        if (items[i].value.data)
            ck_assert_mem_eq(items[i].value.data, texts[i].text + 32, 32);
    }
}

START_TEST(gets_several)
{
    key_text_t key = key_of(10);
    const char *twice[] = {key.text, key.text};
    kc_store_item_t items[2];

    assert_several();
    ck_assert_int_eq(kc_store_get(store, twice, 2, items, testlib_pool, &err), KC_OK);
    ck_assert_mem_eq(items[0].value.data, key.text + 32, 32);
    ck_assert_mem_eq(items[1].value.data, key.text + 32, 32);
}
END_TEST

START_TEST(spreads_over_two_servers)
{
    unsigned int i;
    unsigned int count = 0;

    assert_several();
    for (i = 0; i < 100; i++)
        ck_assert_int_eq(put_text(i, "x", in(60)), KC_OK);
    store_make(1, TIMEOUT_MS);
    for (i = 0; i < 100; i++)
        count += is_text(i, "x") ? 1 : 0;
    ck_assert_uint_gt(count, 20);
    ck_assert_uint_lt(count, 80);
}
END_TEST

/* The order in which the servers are configured does not matter. */
START_TEST(places_keys_by_server_and_not_by_order)
{
    memcached_server_t first;
    unsigned int i;

    for (i = 0; i < 50; i++)
        ck_assert_int_eq(put_text(i, "x", in(60)), KC_OK);
    first = servers[0];
    servers[0] = servers[1];
    servers[1] = first;
    store_make(2, TIMEOUT_MS);
    for (i = 0; i < 50; i++)
        ck_assert(is_text(i, "x"));
}
END_TEST

enum { RACERS = 8, RACES = 50 };

static void *race(void *context)
{
    unsigned int *won = context;
    unsigned int i;

    for (i = 0; i < RACES; i++) {
        key_text_t key = key_of(1000 + i);
        kc_rc_t rc = kc_store_add(store, key.text, kc_buf_text("mine"), in(60), NULL);

        if (rc == KC_OK)
            (*won)++;
        else if (rc != KC_EXISTS)
            return context;
    }
    return NULL;
}

START_TEST(one_of_many_adds_wins)
{
    pthread_t threads[RACERS];
    unsigned int won[RACERS] = {0};
    unsigned int sum = 0;
    int i;

    for (i = 0; i < RACERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &won[i]), 0);
    for (i = 0; i < RACERS; i++) {
        void *result = NULL;

        ck_assert_int_eq(pthread_join(threads[i], &result), 0);
        ck_assert_ptr_null(result);
        sum += won[i];
    }
    ck_assert_uint_eq(sum, RACES);
}
END_TEST

/* ---------------------------------------------------------------- servers that die */

START_TEST(a_killed_server_is_down_and_not_empty)
{
    unsigned int i;

    ck_assert_int_eq(put_text(1, "one", in(60)), KC_OK);
    memcached_server_end(&servers[0]);
    for (i = 0; i < 3; i++)
        assert_all_down(1);
}
END_TEST

START_TEST(a_server_that_never_was_is_down)
{
    memcached_server_end(&servers[0]);
    store_make(1, TIMEOUT_MS);
    assert_all_down(1);
    ck_assert_ptr_nonnull(strstr(err.detail, servers[0].text));
}
END_TEST

/* Old connections are dead, but the server is not: nobody notices. */
START_TEST(a_restarted_server_is_up_at_once)
{
    key_text_t key = key_of(1);

    ck_assert_int_eq(put_text(1, "one", in(60)), KC_OK);
    memcached_server_end(&servers[0]);
    memcached_server_start(&servers[0], servers[0].port);
    ck_assert(is_absent(1));
    memcached_server_end(&servers[0]);
    memcached_server_start(&servers[0], servers[0].port);
    ck_assert_int_eq(put_text(1, "two", in(60)), KC_OK);
    ck_assert(is_text(1, "two"));
    memcached_server_end(&servers[0]);
    memcached_server_start(&servers[0], servers[0].port);
    ck_assert_int_eq(kc_store_touch(store, key.text, in(60), &err), KC_MISS);
}
END_TEST

START_TEST(one_of_two_dead_is_no_miss)
{
    key_text_t texts[KC_STORE_GET_MAX];
    const char *keys[KC_STORE_GET_MAX];
    kc_store_item_t items[KC_STORE_GET_MAX];
    unsigned int i, down = 0, up = 0, lost = 0;

    for (i = 0; i < 40; i++)
        ck_assert_int_eq(put_text(i, "x", in(600)), KC_OK);
    memcached_server_end(&servers[1]);
    for (i = 0; i < 40; i++) {
        kc_rc_t rc = get_one(i, &items[0]);

        ck_assert(rc == KC_DOWN || (rc == KC_OK && items[0].value.data));
        if (rc == KC_DOWN)
            lost = i;
        down += rc == KC_DOWN;
        up += rc == KC_OK;
    }
    ck_assert_uint_gt(down, 5);
    ck_assert_uint_gt(up, 5);
    for (i = 0; i < KC_STORE_GET_MAX; i++) {
        texts[i] = key_of(lost + i); /* at least one of them is at the dead server */
        keys[i] = texts[i].text;
    }
    assert_down(kc_store_get(store, keys, KC_STORE_GET_MAX, items, testlib_pool, &err));
    ck_assert_ptr_nonnull(strstr(err.detail, servers[1].text));
    for (i = 0; i < KC_STORE_GET_MAX; i++)
        ck_assert_ptr_null(items[i].value.data);
}
END_TEST

/* ---------------------------------------------------------------- servers that hang */

START_TEST(a_stopped_server_is_down_and_not_empty)
{
    ck_assert_int_eq(put_text(1, "one", in(600)), KC_OK);
    store_make(1, HASTE_MS);
    memcached_server_stop(&servers[0]);
    assert_all_down(1);
    ck_assert_int_eq(kill(servers[0].pid, SIGCONT), 0);
    store_make(1, TIMEOUT_MS);
    ck_assert_int_eq(put_text(1, "two", in(60)), KC_OK);
    ck_assert(is_text(1, "two"));
}
END_TEST

START_TEST(one_of_two_stopped_is_no_miss)
{
    kc_store_item_t items[2];
    unsigned int i, down = 0;

    /* So many that either server has some: their ports decide which, and change. */
    for (i = 0; i < 200; i++)
        ck_assert_int_eq(put_text(i, "x", in(600)), KC_OK);
    store_make(2, HASTE_MS);
    memcached_server_stop(&servers[1]);
    for (i = 0; i < 200; i += 2) {
        key_text_t first = key_of(i);
        key_text_t second = key_of(i + 1);
        const char *keys[] = {first.text, second.text};
        kc_rc_t rc = kc_store_get(store, keys, 2, items, testlib_pool, &err);

        ck_assert(rc == KC_DOWN || (rc == KC_OK && items[0].value.data && items[1].value.data));
        down += rc == KC_DOWN;
    }
    ck_assert_uint_gt(down, 2);
}
END_TEST

static void nap(void)
{
    static const struct timespec span = {0, 10000000};

    (void)nanosleep(&span, NULL);
}

/* The answer to one request never becomes the answer to another. */
START_TEST(a_late_answer_meets_nobody)
{
    unsigned int round;

    ck_assert_int_eq(put_text(1, "one", in(600)), KC_OK);
    ck_assert_int_eq(put_text(2, "two", in(600)), KC_OK);
    store_make(1, HASTE_MS);
    for (round = 0; round < 3; round++) {
        kc_store_item_t item;
        unsigned int tries = 0;

        memcached_server_stop(&servers[0]);
        assert_down(get_one(1, &item));
        ck_assert_int_eq(kill(servers[0].pid, SIGCONT), 0);
        while (get_one(2, &item) != KC_OK) { /* it is left alone for a moment */
            ck_assert_uint_lt(tries++, 6000);
            nap();
        }
        ck_assert_uint_eq(item.value.len, 3);
        ck_assert_mem_eq(item.value.data, "two", 3);
    }
}
END_TEST

/* ---------------------------------------------------------------- servers that talk nonsense */

typedef struct {
    const char *name;
    const char *bytes; /* sent for each request; NULL: an HTTP answer */
    size_t len;
} nonsense_t;

#define BYTES(text) text, sizeof(text) - 1

static const nonsense_t nonsense[] = {
    {"http", BYTES("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")},
    {"zeros", BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")},
    {"text", BYTES("END\r\nERROR\r\nSERVER_ERROR out of memory\r\nEND\r\n")},
    {"end", BYTES("")},
    {"short", BYTES("\x81\x0d\0")},
    {"unknown opcode", BYTES("\x81\x77\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")},
    {"busy", BYTES("\x81\x0d\0\0\0\0\0\x85\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0busy")},
    {"no memory", BYTES("\x81\x0d\0\0\0\0\0\x82\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")},
    {"another key", BYTES("\x81\x0d\0\3\4\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0keyv"
                          "\x81\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")},
};

static void serve_nonsense(int socket, void *context)
{
    const nonsense_t *told = context;
    unsigned char request[4096];

    while (read_request(socket, request, sizeof(request))) {
        if (!serve_version(socket, request) &&
            (!listener_send(socket, told->bytes, told->len) || !told->len))
            return;
    }
}

START_TEST(nonsense_is_an_outage)
{
    listener_t *listener = listener_start(serve_nonsense, (void *)(uintptr_t)&nonsense[_i]);
    unsigned int i;

    memcached_server_end(&servers[0]);
    servers[0].text = apr_psprintf(testlib_pool, "127.0.0.1:%d", listener_port(listener));
    store_make(1, HASTE_MS);
    for (i = 0; i < 2; i++) {
        kc_store_item_t item;

        assert_down(get_one(1, &item));
        ck_assert_ptr_null(item.value.data);
    }
    listener_stop(listener);
}
END_TEST

/* Answers the first key that it is asked for, again and again. */
static void serve_without_end(int socket, void *context)
{
    static const char head[] = "\x81\x0d\0\x40\4\0\0\0\0\0\0\x45\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    unsigned char request[4096], answer[sizeof(head) - 1 + KC_STORE_KEY_LEN + 1];

    (void)context;
    while (read_request(socket, request, sizeof(request))) {
        memcpy(answer, head, sizeof(head) - 1);
        memcpy(answer + sizeof(head) - 1, request + HEADER, KC_STORE_KEY_LEN);
        answer[sizeof(answer) - 1] = 'v';
        while (request[1] != 0x0b && listener_send(socket, answer, sizeof(answer)))
            ;
        if (!serve_version(socket, request))
            return;
    }
}

START_TEST(an_answer_without_end_is_cut)
{
    listener_t *listener = listener_start(serve_without_end, NULL);
    key_text_t one = key_of(1), two = key_of(2);
    const char *keys[] = {one.text, two.text};
    kc_store_item_t items[2];

    memcached_server_end(&servers[0]);
    servers[0].text = apr_psprintf(testlib_pool, "127.0.0.1:%d", listener_port(listener));
    store_make(1, HASTE_MS);
    assert_down(kc_store_get(store, keys, 2, items, testlib_pool, &err));
    listener_stop(listener);
}
END_TEST

/* ---------------------------------------------------------------- servers that are slow */

/* Answers a question for one key with "v". delay_ms: before the answer. */
typedef struct {
    int64_t delay_ms;
    int delays; /* so many answers are delayed, then no more */
    int served;
} slow_t;

static void wait_ms(int64_t milliseconds)
{
    const struct timespec span = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    (void)nanosleep(&span, NULL);
}

static void serve_slowly(int socket, void *context)
{
    static const char head[] = "\x81\x0d\0\x40\4\0\0\0\0\0\0\x45\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    static const char end[] = "\x81\x0a\0\0\0\0\0\0\0\0\0\0LAST\0\0\0\0\0\0\0\0";
    unsigned char request[4096], answer[sizeof(head) - 1 + KC_STORE_KEY_LEN + 1 + HEADER];
    slow_t *slow = context;

    while (read_request(socket, request, sizeof(request))) {
        if (serve_version(socket, request))
            continue;
        if (!is_end(request)) {
            memcpy(answer + sizeof(head) - 1, request + HEADER, KC_STORE_KEY_LEN);
            continue;
        }
        memcpy(answer, head, sizeof(head) - 1);
        answer[sizeof(answer) - HEADER - 1] = 'v';
        memcpy(answer + sizeof(answer) - HEADER, end, HEADER);
        if (slow->delays-- > 0)
            wait_ms(slow->delay_ms);
        slow->served++;
        if (!listener_send(socket, answer, sizeof(answer)))
            return;
    }
}

static listener_t *start_slow(slow_t *slow, int64_t timeout_ms)
{
    listener_t *listener = listener_start(serve_slowly, slow);

    memcached_server_end(&servers[0]);
    servers[0].text = apr_psprintf(testlib_pool, "127.0.0.1:%d", listener_port(listener));
    store_make(1, timeout_ms);
    return listener;
}

/* One late answer is no outage: neither for who waits for it nor for anybody else. */
START_TEST(a_late_answer_is_an_answer)
{
    slow_t slow = {.delay_ms = LATE_MS + 100, .delays = 1};
    listener_t *listener = start_slow(&slow, LATE_MS);
    int i;

    for (i = 0; i < 3; i++)
        ck_assert(is_text(1, "v"));
    ck_assert_int_eq(slow.served, 3);
    ck_assert_int_eq(listener_count(listener), 1); /* the connection was kept as well */
    listener_stop(listener);
}
END_TEST

/* Answers the keys that it is asked for one after the other, each in time. */
static void serve_one_by_one(int socket, void *context)
{
    static const char head[] = "\x81\x0d\0\x40\4\0\0\0\0\0\0\x45\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    unsigned char request[4096], answer[sizeof(head) + KC_STORE_KEY_LEN];
    int *answered = context;
    unsigned int i;

    while (read_request(socket, request, sizeof(request))) {
        if (serve_version(socket, request) || !is_end(request))
            continue;
        for (i = 0; i < KC_STORE_GET_MAX; i++) {
            memcpy(answer, head, sizeof(head) - 1);
            memcpy(answer + sizeof(head) - 1, key_of(i).text, KC_STORE_KEY_LEN);
            answer[sizeof(answer) - 1] = 'v';
            wait_ms(HASTE_MS / 2);
            if (!listener_send(socket, answer, sizeof(answer)))
                return;
            (*answered)++;
        }
    }
}

/* Each answer comes in time, all together never: the time is the operation's. */
START_TEST(answers_one_by_one_are_given_up)
{
    int answered = 0;
    listener_t *listener = listener_start(serve_one_by_one, &answered);
    kc_store_item_t items[KC_STORE_GET_MAX];
    key_text_t texts[KC_STORE_GET_MAX];
    const char *keys[KC_STORE_GET_MAX];
    unsigned int i;

    for (i = 0; i < KC_STORE_GET_MAX; i++) {
        texts[i] = key_of(i);
        keys[i] = texts[i].text;
    }
    memcached_server_end(&servers[0]);
    servers[0].text = apr_psprintf(testlib_pool, "127.0.0.1:%d", listener_port(listener));
    store_make(1, HASTE_MS);
    assert_down(kc_store_get(store, keys, KC_STORE_GET_MAX, items, testlib_pool, &err));
    ck_assert_ptr_nonnull(strstr(err.detail, "no answer in time"));
    listener_stop(listener);
    ck_assert_int_lt(answered, KC_STORE_GET_MAX);
}
END_TEST

/* A process that is stopped for longer than the time is, and when. */
typedef struct {
    pid_t asker;
    int is_asking; /* as soon as its question is out; else as soon as it has connected */
} frozen_t;

/* The answer lies in the socket when the process goes on, or is not there at once. */
static void serve_and_freeze(int socket, void *context)
{
    const frozen_t *frozen = context;
    slow_t slow = {.delay_ms = HASTE_MS, .delays = frozen->is_asking ? 0 : 1};
    unsigned char first[HEADER];

    while (recv(socket, first, HEADER, MSG_PEEK | MSG_WAITALL) == HEADER && frozen->is_asking &&
           serve_version(socket, first))
        (void)read_request(socket, first, HEADER);
    (void)kill(frozen->asker, SIGSTOP);
    serve_slowly(socket, &slow);
}

START_TEST(time_in_which_this_process_was_stopped_does_not_count)
{
    frozen_t frozen = {.is_asking = _i};
    listener_t *listener = listener_start(serve_and_freeze, &frozen);
    int status, go[2];
    char byte = 'x';

    ck_assert_int_eq(pipe(go), 0);
    servers[0].text = apr_psprintf(testlib_pool, "127.0.0.1:%d", listener_port(listener));
    frozen.asker = fork();
    if (!frozen.asker) {
        store_make(1, SLOW_MS);
        _exit(read(go[0], &byte, 1) == 1 && is_text(1, "v") ? 0 : 1);
    }
    ck_assert_int_gt(frozen.asker, 0);
    ck_assert_int_eq(write(go[1], &byte, 1), 1);
    ck_assert_int_eq(waitpid(frozen.asker, &status, WUNTRACED), frozen.asker);
    ck_assert(WIFSTOPPED(status));
    wait_ms((KC_WAIT_LIMIT_SLICES + 1) * SLOW_MS);
    ck_assert_int_eq(kill(frozen.asker, SIGCONT), 0);
    ck_assert_int_eq(waitpid(frozen.asker, &status, 0), frozen.asker);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    listener_stop(listener);
}
END_TEST

/* A clock that jumps, as it looks to a process that was stopped. */
static int64_t jumping_now(void *jumped_ms)
{
    return kc_wait_limit_now() + *(const int64_t *)jumped_ms;
}

START_TEST(a_process_that_was_stopped_before_it_waited_waits_all_the_same)
{
    const kc_store_memcached_options_t options = {.now = now};
    const kc_resolver_options_t names = {.lookup = find_nobody};
    slow_t slow = {.delay_ms = HASTE_MS, .delays = 1};
    listener_t *listener = listener_start(serve_slowly, &slow);
    key_text_t key = key_of(1);
    kc_store_memcached_get_t get = {.keys = {key.text}, .count = 1};
    int64_t jumped_ms = 0;
    const kc_wait_limit_world_t world = {jumping_now, &jumped_ms};
    kc_wait_limit_t limit;
    const kc_wait_limit_time_t time = {&limit, NULL};
    kc_store_memcached_item_t item;
    kc_resolver_t *resolver;

    ck_assert_int_eq(kc_resolver_create(&names, testlib_pool, &resolver, &err), KC_OK);
    ck_assert_int_eq(
        kc_store_memcached_open(apr_psprintf(testlib_pool, "127.0.0.1:%d", listener_port(listener)),
                                &options, resolver, testlib_pool, &get.server, &err),
        KC_OK);
    kc_wait_limit_start(&limit, TIMEOUT_MS, &world);
    ck_assert_msg(kc_store_memcached_send(&get, &time, &err) == KC_OK, "%s", err.detail);
    jumped_ms = _i ? 10 * TIMEOUT_MS : KC_WAIT_LIMIT_SLICES * TIMEOUT_MS;
    ck_assert_msg(kc_store_memcached_receive(&get, &time, &item, testlib_pool, &err) == KC_OK, "%s",
                  err.detail);
    ck_assert_int_eq(listener_count(listener), 1);
    listener_stop(listener);
}
END_TEST

/* ---------------------------------------------------------------- configuration */

static const char *const good_servers[] = {"localhost",      "memcached-0.memcached:11211",
                                           "10.0.0.1:1",     "[::1]:65535",
                                           "[fe80::1%eth0]", "a_b"};
static const char *const bad_servers[] = {
    "",          ":11211",   "host:",     "host:0", "host:65536", "host:999999999999",
    "host:12x",  "host:-1",  "host: 1",   "ho st",  "::1",        "[::1",
    "[]:1",      "[::1]1",   "/tmp/sock", "a/b:1",  "host\n",     "host:1:2",
    "[g::1]:x1", "user@host"};

START_TEST(takes_good_servers)
{
    ck_assert_int_eq(make_of(&good_servers[_i], 1, 50, &store), KC_OK);
}
END_TEST

START_TEST(refuses_malformed_servers)
{
    const char *texts[] = {"localhost", bad_servers[_i]};
    kc_store_t *none = NULL;

    ck_assert_int_eq(make_of(texts, 2, 50, &none), KC_FAULT);
    ck_assert_int_eq(err.reason, KC_ERR_CONFIG);
    ck_assert_ptr_null(none);
}
END_TEST

START_TEST(refuses_none_and_no_time)
{
    const char *texts[] = {"localhost"};
    kc_store_t *none = NULL;

    ck_assert_int_eq(make_of(texts, 0, 50, &none), KC_FAULT);
    ck_assert_int_eq(make_of(texts, 1, 0, &none), KC_FAULT);
    ck_assert_int_eq(err.reason, KC_ERR_CONFIG);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static TCase *tcase_make(Suite *suite, const char *name, void (*up)(void), void (*down)(void))
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, up, down);
    tcase_set_timeout(tcase, 300);
    suite_add_tcase(suite, tcase);
    return tcase;
}

Suite *kc_test_store_memcached(void)
{
    Suite *suite = suite_create("store_memcached");
    TCase *one = tcase_make(suite, "one server", setup, teardown);
    TCase *two = tcase_make(suite, "two servers", setup_two, teardown);
    TCase *texts = tcase_make(suite, "configuration", testlib_setup, testlib_teardown);

    tcase_add_test(one, keeps_values);
    tcase_add_test(one, adds_once);
    tcase_add_test(one, times_are_absolute);
    tcase_add_loop_test(one, its_clock_does_not_matter, 0, 4);
    tcase_add_test(one, spans_go_up_to_thirty_days);
    tcase_add_test(one, keeps_large_values);
    tcase_add_loop_test(one, a_value_larger_than_ours_is_absent, 0, 2);
    tcase_add_test(one, gets_several);
    tcase_add_test(one, one_of_many_adds_wins);
    tcase_add_test(one, a_killed_server_is_down_and_not_empty);
    tcase_add_test(one, a_server_that_never_was_is_down);
    tcase_add_test(one, a_restarted_server_is_up_at_once);
    tcase_add_test(one, a_stopped_server_is_down_and_not_empty);
    tcase_add_test(one, a_late_answer_meets_nobody);
    tcase_add_loop_test(one, nonsense_is_an_outage, 0, COUNT(nonsense));
    tcase_add_test(one, an_answer_without_end_is_cut);
    tcase_add_test(one, a_late_answer_is_an_answer);
    tcase_add_test(one, answers_one_by_one_are_given_up);
    tcase_add_loop_test(one, time_in_which_this_process_was_stopped_does_not_count, 0, 2);
    tcase_add_loop_test(one, a_process_that_was_stopped_before_it_waited_waits_all_the_same, 0, 2);
    tcase_add_test(two, spreads_over_two_servers);
    tcase_add_test(two, places_keys_by_server_and_not_by_order);
    tcase_add_test(two, one_of_two_dead_is_no_miss);
    tcase_add_test(two, one_of_two_stopped_is_no_miss);
    tcase_add_loop_test(texts, takes_good_servers, 0, COUNT(good_servers));
    tcase_add_loop_test(texts, refuses_malformed_servers, 0, COUNT(bad_servers));
    tcase_add_test(texts, refuses_none_and_no_time);
    return suite;
}
