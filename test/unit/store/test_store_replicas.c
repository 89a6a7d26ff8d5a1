/* The store in several memcached servers: real ones that die, hang, and come back with old values
 * or none. SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "listener.h"
#include "memcached_server.h"
#include "session/session_idle.h"
#include "store/store.h"
#include "metrics/stopwatch.h"
#include "store/store_replicas.h"
#include "testlib.h"

Suite *kc_test_store_replicas(void);

enum { SERVERS = 3, KEYS = 40, FEW = 12, TIMEOUT_MS = 20000, HASTE_MS = 200, TRIES_MAX = 6000 };

typedef struct {
    char text[KC_STORE_KEY_LEN + 1];
} key_text_t;

static memcached_server_t servers[SERVERS];
static kc_store_t *store, *alone[SERVERS]; /* all of them, and each by itself */
static kc_err_t err;
static int64_t skew; /* seconds that our clock is ahead */
static int went, came;
static kc_breaker_t *breakers; /* of stores that are made; NULL: each has its own */
static kc_metrics_t *metrics;  /* the same */

static int64_t now(void *context)
{
    (void)context;
    return (int64_t)time(NULL) + skew;
}

static void hear(void *context, const char *server, int is_up, const char *why)
{
    (void)context;
    ck_assert_ptr_nonnull(strstr(server, "127.0.0.1:"));
    ck_assert_ptr_nonnull(why);
    /* of this server, not of another */
    ck_assert(is_up || strstr(why, server));
    went += !is_up;
    came += is_up;
}

static kc_store_t *make(size_t first, size_t count, size_t copies, int64_t timeout_ms)
{
    const char *texts[SERVERS];
    kc_store_memcached_options_t options = {
        .servers = texts,
        .count = count,
        .copies = copies,
        .timeout_ms = timeout_ms,
        .breakers = breakers,
        .now = now,
        .metrics = metrics,
        .report = hear,
    };
    kc_store_t *made;
    size_t i;

    for (i = 0; i < count; i++)
        texts[i] = servers[first + i].text;
    ck_assert_int_eq(kc_store_replicas_create(&options, testlib_pool, &made, &err), KC_OK);
    return made;
}

static void setup(void)
{
    size_t i;

    testlib_setup();
    memset(servers, 0, sizeof(servers));
    skew = went = came = 0;
    breakers = NULL;
    metrics = NULL;
    for (i = 0; i < SERVERS; i++) {
        memcached_server_start(&servers[i], listener_free_port());
        alone[i] = make(i, 1, 1, TIMEOUT_MS);
    }
    store = make(0, SERVERS, 2, TIMEOUT_MS);
}

static void teardown(void)
{
    size_t i;

    testlib_teardown();
    for (i = 0; i < SERVERS; i++)
        memcached_server_end(&servers[i]);
}

/* Random in both ends, as real keys are. */
static key_text_t key_of(unsigned int number)
{
    key_text_t key;

    (void)snprintf(key.text, sizeof(key.text), "%08x%048x%08x", number * 2654435761u, number,
                   number * 40503u + 12345u);
    return key;
}

static key_text_t reversed(key_text_t key)
{
    key_text_t back = key;
    size_t i;

    for (i = 0; i < KC_STORE_KEY_LEN; i++)
        back.text[i] = key.text[KC_STORE_KEY_LEN - 1 - i];
    return back;
}

static kc_rc_t put(kc_store_t *at, key_text_t key, const char *text)
{
    return kc_store_put(at, key.text, kc_buf_text(text), now(NULL) + 600, &err);
}

/* The text under a key; NULL: none. */
static const char *get(kc_store_t *at, key_text_t key, kc_rc_t *rc)
{
    const char *keys[] = {key.text};
    kc_store_item_t item;

    *rc = kc_store_get(at, keys, 1, &item, testlib_pool, &err);
    return item.value.data ? kc_buf_dup_text(item.value, testlib_pool) : NULL;
}

static int is_text(kc_store_t *at, key_text_t key, const char *text)
{
    kc_rc_t rc;
    const char *found = get(at, key, &rc);

    ck_assert_int_eq(rc, KC_OK);
    return found && !strcmp(found, text);
}

static int copies_of(key_text_t key)
{
    int copies = 0;
    kc_rc_t rc;
    size_t i;

    for (i = 0; i < SERVERS; i++)
        copies += servers[i].pid && get(alone[i], key, &rc) != NULL;
    return copies;
}

static void put_all(void)
{
    unsigned int i;

    for (i = 0; i < KEYS; i++)
        ck_assert_int_eq(put(store, key_of(i), "x"), KC_OK);
}

static void assert_all_there(void)
{
    unsigned int i;

    for (i = 0; i < KEYS; i++)
        ck_assert(is_text(store, key_of(i), "x"));
}

static void nap(void)
{
    static const struct timespec span = {0, 10000000};

    (void)nanosleep(&span, NULL);
}

/* Until servers that failed are asked again: as many have come as went. */
static void wait_for_all(void)
{
    int tries = 0;
    unsigned int i;

    while (came < went) {
        kc_rc_t rc;

        for (i = 0; i < KEYS; i++)
            (void)get(store, key_of(i), &rc);
        ck_assert_int_lt(tries++, TRIES_MAX);
        nap();
    }
}

/* The number of a server that has the key. */
static size_t holder(key_text_t key)
{
    kc_rc_t rc;
    size_t i;

    for (i = 0; i < SERVERS; i++) {
        if (get(alone[i], key, &rc))
            return i;
    }
    ck_abort_msg("nobody has it");
    return 0;
}

/* ---------------------------------------------------------------- placement */

START_TEST(each_value_has_as_many_copies_as_configured)
{
    size_t copies;
    unsigned int i;

    for (copies = 1; copies <= 3; copies++) {
        store = make(0, SERVERS, copies, TIMEOUT_MS);
        for (i = 0; i < KEYS; i++) {
            key_text_t key = key_of(i + (unsigned int)copies * 1000);

            ck_assert_int_eq(put(store, key, "x"), KC_OK);
            ck_assert_int_eq(copies_of(key), (int)copies);
        }
    }
}
END_TEST

START_TEST(all_servers_have_their_share)
{
    unsigned int i;
    int shares[SERVERS] = {0};

    store = make(0, SERVERS, 1, TIMEOUT_MS);
    for (i = 0; i < 300; i++) {
        ck_assert_int_eq(put(store, key_of(i), "x"), KC_OK);
        shares[holder(key_of(i))]++;
    }
    for (i = 0; i < SERVERS; i++)
        ck_assert(shares[i] > 60 && shares[i] < 140);
}
END_TEST

START_TEST(a_key_read_backwards_is_at_the_same_servers)
{
    unsigned int i;

    store = make(0, SERVERS, 1, TIMEOUT_MS);
    for (i = 0; i < KEYS; i++) {
        ck_assert_int_eq(put(store, key_of(i), "x"), KC_OK);
        ck_assert_int_eq(put(store, reversed(key_of(i)), "y"), KC_OK);
        ck_assert_uint_eq(holder(key_of(i)), holder(reversed(key_of(i))));
    }
}
END_TEST

/* The record of a session's last use is lost with the session or not at all. */
START_TEST(a_sessions_last_use_is_at_the_same_servers)
{
    unsigned int i;
    key_text_t used;

    store = make(0, SERVERS, 1, TIMEOUT_MS);
    for (i = 0; i < KEYS; i++) {
        kc_session_idle_name(key_of(i).text, used.text);
        ck_assert_int_eq(put(store, key_of(i), "x"), KC_OK);
        ck_assert_int_eq(put(store, used, "y"), KC_OK);
        ck_assert_uint_eq(holder(key_of(i)), holder(used));
    }
}
END_TEST

START_TEST(a_new_server_takes_its_share_and_moves_nothing_else)
{
    kc_store_t *before = make(0, 2, 1, TIMEOUT_MS), *after = make(0, 3, 1, TIMEOUT_MS);
    unsigned int i, moved = 0;

    for (i = 0; i < 300; i++) {
        size_t was;

        ck_assert_int_eq(put(before, key_of(i), "x"), KC_OK);
        was = holder(key_of(i));
        ck_assert_int_eq(kc_store_drop(before, key_of(i).text, &err), KC_OK);
        ck_assert_int_eq(put(after, key_of(i), "x"), KC_OK);
        if (holder(key_of(i)) == was)
            continue;
        ck_assert_uint_eq(holder(key_of(i)), 2);
        moved++;
    }
    ck_assert(moved > 60 && moved < 140);
}
END_TEST

/* ---------------------------------------------------------------- servers that die */

/* threats.md J 148 */
START_TEST(a_lost_server_loses_nothing)
{
    unsigned int i;

    put_all();
    memcached_server_end(&servers[1]);
    assert_all_there();
    ck_assert_int_eq(went, 1);
    /* and soon there are two copies again, on those that are left */
    assert_all_there();
    for (i = 0; i < KEYS; i++)
        ck_assert_int_eq(copies_of(key_of(i)), 2);
}
END_TEST

START_TEST(a_server_that_comes_back_empty_is_given_its_copies)
{
    unsigned int i;

    put_all();
    memcached_server_end(&servers[1]);
    memcached_server_start(&servers[1], servers[1].port);
    assert_all_there();
    wait_for_all();
    assert_all_there();
    for (i = 0; i < KEYS; i++)
        ck_assert_int_eq(copies_of(key_of(i)), 2);
}
END_TEST

START_TEST(a_copy_that_was_put_back_lives_as_long_as_a_new_one)
{
    key_text_t key = key_of(1);
    size_t lost;

    ck_assert_int_eq(kc_store_put(store, key.text, kc_buf_text("x"), now(NULL) + 300, &err), KC_OK);
    lost = holder(key);
    ck_assert_int_eq(kc_store_touch(store, key.text, now(NULL) + 600, &err), KC_OK);
    ck_assert_int_eq(kc_store_drop(alone[lost], key.text, &err), KC_OK);
    ck_assert(is_text(store, key, "x"));
    ck_assert(is_text(alone[lost], key, "x"));
}
END_TEST

START_TEST(writes_go_on_without_a_server)
{
    memcached_server_end(&servers[0]);
    memset(&err, 0, sizeof(err));
    put_all();
    ck_assert_int_eq(err.reason, KC_ERR_NONE); /* the others' yes is no failure */
    assert_all_there();
}
END_TEST

START_TEST(a_miss_takes_a_home_that_says_so)
{
    kc_store_t *first_two = make(0, 2, 2, TIMEOUT_MS);
    key_text_t key = key_of(7);
    kc_rc_t rc;

    ck_assert_ptr_null(get(first_two, key, &rc));
    ck_assert_int_eq(rc, KC_OK);
    memcached_server_end(&servers[0]);
    ck_assert_ptr_null(get(first_two, key, &rc));
    ck_assert_int_eq(rc, KC_OK);
    memcached_server_end(&servers[1]);
    ck_assert_ptr_null(get(first_two, key, &rc));
    ck_assert_int_eq(rc, KC_DOWN);
    ck_assert_int_eq(err.reason, KC_ERR_STORE_DOWN);
}
END_TEST

/* Its only home is dead: whether it exists nobody knows, whatever a third server says. */
START_TEST(a_stranger_knows_of_no_miss)
{
    unsigned int i;
    kc_rc_t rc;

    store = make(0, SERVERS, 1, TIMEOUT_MS);
    put_all();
    for (i = 0; holder(key_of(i)) != 0; i++)
        ck_assert_uint_lt(i, KEYS);
    memcached_server_end(&servers[0]);
    ck_assert_ptr_null(get(store, key_of(i), &rc));
    ck_assert_int_eq(rc, KC_DOWN);
    ck_assert_ptr_null(get(store, key_of(i), &rc));
    ck_assert_int_eq(rc, KC_DOWN);
}
END_TEST

START_TEST(with_all_servers_gone_everything_is_down)
{
    key_text_t key = key_of(1);
    int round;
    kc_rc_t rc;
    size_t i;

    for (i = 0; i < SERVERS; i++)
        memcached_server_end(&servers[i]);
    for (round = 0; round < 3; round++) {
        ck_assert_ptr_null(get(store, key, &rc));
        ck_assert_int_eq(rc, KC_DOWN);
        ck_assert_int_eq(put(store, key, "x"), KC_DOWN);
        ck_assert_int_eq(kc_store_add(store, key.text, kc_buf_text("x"), now(NULL) + 60, &err),
                         KC_DOWN);
        ck_assert_int_eq(kc_store_touch(store, key.text, now(NULL) + 60, &err), KC_DOWN);
        ck_assert_int_eq(kc_store_drop(store, key.text, &err), KC_DOWN);
        ck_assert_int_eq(err.reason, KC_ERR_STORE_DOWN);
        ck_assert_ptr_nonnull(strstr(err.detail, "127.0.0.1:"));
    }
    ck_assert_int_eq(went, SERVERS);
}
END_TEST

static kc_rc_t probe(void)
{
    memset(&err, 0, sizeof(err));
    return kc_store_probe(store, testlib_pool, &err);
}

START_TEST(a_probe_is_content_with_one_server_that_answers)
{
    int tries = 0;
    size_t i;

    ck_assert_int_eq(probe(), KC_OK);
    for (i = 1; i < SERVERS; i++) {
        memcached_server_end(&servers[i]);
        ck_assert_int_eq(probe(), KC_OK);
    }
    memcached_server_end(&servers[0]);
    ck_assert_int_eq(probe(), KC_DOWN);
    ck_assert_int_eq(err.reason, KC_ERR_STORE_DOWN);
    ck_assert_ptr_nonnull(strstr(err.detail, "127.0.0.1:"));
    ck_assert_int_eq(probe(), KC_DOWN);
    ck_assert_ptr_nonnull(strstr(err.detail, "is marked down"));
    ck_assert_int_eq(went, SERVERS);
    memcached_server_start(&servers[1], servers[1].port);
    while (probe() != KC_OK) {
        ck_assert_int_lt(tries++, TRIES_MAX);
        nap();
    }
    ck_assert_int_eq(came, 1);
}
END_TEST

/* ---------------------------------------------------------------- servers that hang */

static int64_t milliseconds(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* threats.md J 142 */
/* Two processes of a host: what one finds out the other knows, and one probe is for both. */
START_TEST(who_shares_breakers_learns_from_others)
{
    kc_breaker_t shared[SERVERS] = {{0, 0, 0, 0}};
    kc_store_t *one, *other;
    key_text_t key = key_of(3);
    kc_rc_t rc;

    breakers = shared;
    one = make(0, 1, 1, TIMEOUT_MS);
    other = make(0, 1, 1, TIMEOUT_MS);
    ck_assert_int_eq(put(one, key, "x"), KC_OK);
    memcached_server_end(&servers[0]);
    (void)get(one, key, &rc);
    ck_assert_int_eq(rc, KC_DOWN);
    ck_assert_int_eq(went, 1);
    (void)get(other, key, &rc);
    ck_assert_int_eq(rc, KC_DOWN);
    ck_assert_int_eq(went, 1);
    memcached_server_start(&servers[0], servers[0].port);
    store = one;
    wait_for_all();
    ck_assert_int_eq(put(other, key, "y"), KC_OK);
    ck_assert_int_eq(came, 1);
    ck_assert(is_text(other, key, "y"));
}
END_TEST

/* How many calls of a server were counted. */
static uint64_t calls(size_t word, kc_metrics_operation_t operation)
{
    const size_t cell = KC_METRICS_CELL(store_calls, word, operation, 0);
    uint64_t sum = 0;
    size_t i;

    for (i = 0; i < KC_METRICS_BUCKETS; i++)
        sum += kc_metrics_get(metrics, cell + i);
    return sum;
}

static uint64_t failures(size_t word)
{
    return kc_metrics_get(metrics, KC_METRICS_CELL(store_failures, word, KC_METRICS_LATE, 0)) +
           kc_metrics_get(metrics, KC_METRICS_CELL(store_failures, word, KC_METRICS_WRONG, 0));
}

START_TEST(calls_are_counted_by_server)
{
    kc_store_t *counted;
    kc_rc_t rc;
    int64_t waited;

    ck_assert_int_eq(kc_metrics_attach(apr_pcalloc(testlib_pool, kc_metrics_size()), testlib_pool,
                                       &metrics, NULL),
                     KC_OK);
    ck_assert_uint_eq(kc_metrics_claim(metrics, servers[0].text), 0);
    counted = make(0, 2, 2, TIMEOUT_MS); /* the second one has no word */
    waited = kc_stopwatch_total(KC_STOPWATCH_STORE);
    ck_assert_int_eq(put(counted, key_of(1), "x"), KC_OK);
    ck_assert_str_eq(get(counted, key_of(1), &rc), "x");
    ck_assert_int_eq(kc_store_drop(counted, key_of(1).text, &err), KC_OK);
    ck_assert_uint_eq(calls(0, KC_METRICS_PUT), 1);
    ck_assert_uint_eq(calls(0, KC_METRICS_GET), 1);
    ck_assert_uint_eq(calls(0, KC_METRICS_DROP), 1);
    ck_assert_uint_eq(calls(0, KC_METRICS_ADD), 0);
    ck_assert_uint_eq(calls(KC_METRICS_SERVER_MAX, KC_METRICS_PUT), 1);
    ck_assert_uint_eq(failures(0), 0);
    ck_assert_int_gt(kc_stopwatch_total(KC_STOPWATCH_STORE), waited);
    memcached_server_end(&servers[0]);
    ck_assert_int_eq(put(counted, key_of(1), "x"), KC_OK);
    ck_assert_uint_eq(failures(0), 1);
    ck_assert_uint_eq(failures(KC_METRICS_SERVER_MAX), 0);
}
END_TEST

START_TEST(a_hung_server_is_waited_for_once)
{
    int64_t start;
    int round;

    store = make(0, SERVERS, 2, HASTE_MS);
    put_all();
    memcached_server_stop(&servers[1]);
    start = milliseconds();
    for (round = 0; round < 10; round++)
        assert_all_there();
    /* Once, and one probe after 100, 200, 400 and each 500 ms; by far not for each of its keys. */
    ck_assert_int_lt(milliseconds() - start, 10 * KEYS / SERVERS * HASTE_MS / 4);
    ck_assert_int_eq(went, 1);
    ck_assert_int_eq(kill(servers[1].pid, SIGCONT), 0);
    wait_for_all();
    ck_assert_int_eq(came, 1);
    assert_all_there();
}
END_TEST

/* It wakes up with what it had when it fell asleep: the newer value counts, and it is given it. */
START_TEST(an_old_copy_gives_way_to_the_new_one)
{
    key_text_t key = key_of(3);
    size_t sleeper;

    store = make(0, SERVERS, 2, HASTE_MS);
    ck_assert_int_eq(put(store, key, "old"), KC_OK);
    sleeper = holder(key);
    memcached_server_stop(&servers[sleeper]);
    skew = 2;
    ck_assert_int_eq(put(store, key, "new"), KC_OK);
    ck_assert(is_text(store, key, "new"));
    ck_assert_int_eq(kill(servers[sleeper].pid, SIGCONT), 0);
    wait_for_all();
    ck_assert(is_text(store, key, "new"));
    ck_assert(is_text(alone[sleeper], key, "new"));
}
END_TEST

/* The mark of a session that was ended while one of its homes was asleep. */
START_TEST(what_one_copy_says_counts)
{
    key_text_t key = key_of(4), mark = reversed(key_of(4));
    const char *keys[] = {key.text, mark.text};
    kc_store_item_t items[2];
    size_t home;

    ck_assert_int_eq(put(store, key, "x"), KC_OK);
    home = holder(key);
    ck_assert_int_eq(put(alone[home], mark, "1"), KC_OK);
    ck_assert_int_eq(kc_store_get(store, keys, 2, items, testlib_pool, &err), KC_OK);
    ck_assert_ptr_nonnull(items[0].value.data);
    ck_assert_ptr_nonnull(items[1].value.data);
    ck_assert_int_eq(copies_of(mark), 2);
}
END_TEST

/* ---------------------------------------------------------------- what must not be lost */

static kc_rc_t put_sure(key_text_t key)
{
    const kc_store_write_t mark = {key.text, kc_buf_text("1"), now(NULL) + 600, KC_STORE_CRITICAL,
                                   0};

    memset(&err, 0, sizeof(err));
    return kc_store_write(store, &mark, &err);
}

static void wake_all(void)
{
    size_t i;

    for (i = 0; i < SERVERS; i++)
        ck_assert_int_eq(kill(servers[i].pid, SIGCONT), 0);
}

/* The first of a key's homes, as a store with one copy has it. */
static size_t first_home(size_t count, key_text_t key)
{
    kc_store_t *single = make(0, count, 1, TIMEOUT_MS);
    size_t found;

    ck_assert_int_eq(put(single, key, "x"), KC_OK);
    found = holder(key);
    ck_assert_int_eq(kc_store_drop(single, key.text, &err), KC_OK);
    return found;
}

typedef struct {
    size_t count, copies, hanging;
} outage_t;

static const outage_t outages[] = {{2, 1, 1}, {2, 2, 1}, {3, 1, 1}, {3, 1, 2},
                                   {3, 2, 1}, {3, 2, 2}, {3, 3, 1}, {3, 3, 2}};

/* Whether each is taken or refused, of those that were taken none is lost. */
START_TEST(what_was_surely_put_while_servers_hang_is_there_when_they_are_back)
{
    const outage_t *outage = &outages[_i];
    kc_rc_t taken[FEW];
    unsigned int i;
    size_t k;

    store = make(0, outage->count, outage->copies, HASTE_MS);
    for (k = 0; k < outage->hanging; k++)
        memcached_server_stop(&servers[k]);
    for (i = 0; i < FEW; i++) {
        taken[i] = put_sure(key_of(i));
        ck_assert(taken[i] == KC_OK || taken[i] == KC_DOWN);
        ck_assert(taken[i] == KC_OK || err.reason == KC_ERR_STORE_DOWN);
    }
    wake_all();
    store = make(0, outage->count, outage->copies, TIMEOUT_MS);
    for (i = 0; i < FEW; i++)
        ck_assert(taken[i] != KC_OK || is_text(store, key_of(i), "1"));
}
END_TEST

/* With one of two or two of three homes each is taken, without any none. */
START_TEST(half_of_the_homes_are_enough_for_what_is_surely_put)
{
    const outage_t *outage = &outages[_i];
    unsigned int i;
    int count = 0;
    size_t k;

    store = make(0, outage->count, outage->copies, TIMEOUT_MS);
    for (k = 0; k < outage->hanging; k++)
        memcached_server_end(&servers[k]);
    for (i = 0; i < KEYS; i++)
        count += put_sure(key_of(i)) == KC_OK;
    if (outage->copies == 1 || (outage->copies == 2 && outage->hanging == 2))
        ck_assert(count > 0 && count < KEYS); /* as their homes are */
    else
        ck_assert_int_eq(count, outage->copies == 3 && outage->hanging == 2 ? 0 : KEYS);
}
END_TEST

/* Also with those that would have it only while its homes fail. */
START_TEST(what_was_surely_put_is_everywhere)
{
    unsigned int i;

    for (i = 0; i < KEYS; i++) {
        ck_assert_int_eq(put_sure(key_of(i)), KC_OK);
        ck_assert_int_eq(copies_of(key_of(i)), SERVERS);
    }
}
END_TEST

/* One that is marked down is asked all the same: it is a logout that waits. */
START_TEST(a_home_that_is_passed_by_is_tried_once_more)
{
    key_text_t key = key_of(9);
    size_t home = first_home(2, key);
    kc_rc_t rc;

    store = make(0, 2, 1, TIMEOUT_MS);
    memcached_server_end(&servers[home]);
    (void)get(store, key, &rc);
    ck_assert_int_eq(rc, KC_DOWN);
    ck_assert_int_eq(put_sure(key), KC_DOWN);
    ck_assert_ptr_nonnull(strstr(err.detail, "127.0.0.1:"));
    memcached_server_start(&servers[home], servers[home].port);
    ck_assert_int_eq(put_sure(key), KC_OK);
    ck_assert(is_text(alone[home], key, "1"));
}
END_TEST

START_TEST(what_is_not_there_is_in_doubt_while_a_home_is_silent)
{
    key_text_t there = key_of(1), absent = key_of(2);
    const char *keys[] = {there.text, absent.text};
    kc_store_item_t items[2];

    store = make(0, 2, 2, TIMEOUT_MS);
    ck_assert_int_eq(put(store, there, "x"), KC_OK);
    ck_assert_int_eq(kc_store_get(store, keys, 2, items, testlib_pool, &err), KC_OK);
    ck_assert(!items[0].is_partial && !items[1].is_partial);
    memcached_server_end(&servers[0]);
    ck_assert_int_eq(kc_store_get(store, keys, 2, items, testlib_pool, &err), KC_OK);
    ck_assert_ptr_nonnull(items[0].value.data);
    ck_assert_ptr_null(items[1].value.data);
    ck_assert(!items[0].is_partial && items[1].is_partial);
    memcached_server_start(&servers[0], servers[0].port);
    store = make(0, 2, 2, TIMEOUT_MS);
    ck_assert_int_eq(kc_store_get(store, keys, 2, items, testlib_pool, &err), KC_OK);
    ck_assert(!items[1].is_partial);
}
END_TEST

/* ---------------------------------------------------------------- verbs */

START_TEST(an_add_that_is_there_anywhere_is_there)
{
    key_text_t key = key_of(5);
    kc_bytes_t text = kc_buf_text("x");
    unsigned int i;
    size_t first;

    ck_assert_int_eq(kc_store_add(store, key.text, text, now(NULL) + 60, &err), KC_OK);
    ck_assert_int_eq(copies_of(key), 2);
    first = holder(key);
    for (i = 0; i < SERVERS; i++) {
        if (i != first)
            ck_assert_int_eq(kc_store_drop(alone[i], key.text, &err), KC_OK);
    }
    ck_assert_int_eq(kc_store_add(store, key.text, text, now(NULL) + 60, &err), KC_EXISTS);
}
END_TEST

START_TEST(a_drop_reaches_every_copy)
{
    key_text_t key = key_of(6);
    size_t home;

    ck_assert_int_eq(put(store, key, "x"), KC_OK);
    home = holder(key);
    memcached_server_end(&servers[home]);
    ck_assert_int_eq(put(store, key, "x"), KC_OK); /* a substitute has it now */
    memcached_server_start(&servers[home], servers[home].port);
    ck_assert_int_eq(put(alone[home], key, "x"), KC_OK);
    ck_assert_int_eq(copies_of(key), 3);
    wait_for_all();
    ck_assert_int_eq(kc_store_drop(store, key.text, &err), KC_OK);
    ck_assert_int_eq(copies_of(key), 0);
}
END_TEST

START_TEST(a_touch_reaches_every_copy)
{
    key_text_t key = key_of(8);

    ck_assert_int_eq(kc_store_touch(store, key.text, now(NULL) + 60, &err), KC_MISS);
    ck_assert_int_eq(put(store, key, "x"), KC_OK);
    ck_assert_int_eq(kc_store_touch(store, key.text, 1000, &err), KC_OK);
    ck_assert_int_eq(copies_of(key), 0);
}
END_TEST

START_TEST(options_that_make_no_sense_are_refused)
{
    const char *texts[] = {"localhost"};
    const kc_store_memcached_options_t good = {
        .servers = texts, .count = 1, .copies = 2, .timeout_ms = 50, .now = now};
    kc_store_memcached_options_t options[6] = {good, good, good, good, good, good};
    kc_store_memcached_options_t least = good, most = good;
    kc_store_t *none = NULL;
    size_t i;

    options[0].copies = 0;
    options[1].copies = 4;
    options[2].user = "kubeflow";
    options[3].password = "secret";
    options[4].timeout_ms = 0;
    options[5].timeout_ms = 60001;
    for (i = 0; i < 6; i++)
        ck_assert_int_eq(kc_store_replicas_create(&options[i], testlib_pool, &none, &err),
                         KC_FAULT);
    least.timeout_ms = 1;
    least.copies = 1;
    most.timeout_ms = 60000;
    most.copies = 3;
    ck_assert_int_eq(kc_store_replicas_create(&least, testlib_pool, &none, &err), KC_OK);
    ck_assert_int_eq(kc_store_replicas_create(&most, testlib_pool, &none, &err), KC_OK);
    ck_assert_int_eq(kc_store_replicas_create(&good, testlib_pool, &none, &err), KC_OK);
}
END_TEST

static TCase *tcase_make(Suite *suite, const char *name, void (*up)(void), void (*down)(void))
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, up, down);
    tcase_set_timeout(tcase, 300);
    suite_add_tcase(suite, tcase);
    return tcase;
}

Suite *kc_test_store_replicas(void)
{
    Suite *suite = suite_create("store_replicas");
    TCase *tests = tcase_make(suite, "three servers", setup, teardown);

    tcase_add_test(tests, each_value_has_as_many_copies_as_configured);
    tcase_add_test(tests, all_servers_have_their_share);
    tcase_add_test(tests, a_key_read_backwards_is_at_the_same_servers);
    tcase_add_test(tests, a_sessions_last_use_is_at_the_same_servers);
    tcase_add_test(tests, a_new_server_takes_its_share_and_moves_nothing_else);
    tcase_add_test(tests, a_lost_server_loses_nothing);
    tcase_add_test(tests, a_server_that_comes_back_empty_is_given_its_copies);
    tcase_add_test(tests, a_copy_that_was_put_back_lives_as_long_as_a_new_one);
    tcase_add_test(tests, writes_go_on_without_a_server);
    tcase_add_test(tests, a_miss_takes_a_home_that_says_so);
    tcase_add_test(tests, a_stranger_knows_of_no_miss);
    tcase_add_test(tests, with_all_servers_gone_everything_is_down);
    tcase_add_test(tests, a_probe_is_content_with_one_server_that_answers);
    tcase_add_test(tests, who_shares_breakers_learns_from_others);
    tcase_add_test(tests, calls_are_counted_by_server);
    tcase_add_test(tests, a_hung_server_is_waited_for_once);
    tcase_add_test(tests, an_old_copy_gives_way_to_the_new_one);
    tcase_add_test(tests, what_one_copy_says_counts);
    tcase_add_loop_test(tests, what_was_surely_put_while_servers_hang_is_there_when_they_are_back,
                        0, (int)(sizeof(outages) / sizeof(outages[0])));
    tcase_add_loop_test(tests, half_of_the_homes_are_enough_for_what_is_surely_put, 0,
                        (int)(sizeof(outages) / sizeof(outages[0])));
    tcase_add_test(tests, what_was_surely_put_is_everywhere);
    tcase_add_test(tests, a_home_that_is_passed_by_is_tried_once_more);
    tcase_add_test(tests, what_is_not_there_is_in_doubt_while_a_home_is_silent);
    tcase_add_test(tests, an_add_that_is_there_anywhere_is_there);
    tcase_add_test(tests, a_drop_reaches_every_copy);
    tcase_add_test(tests, a_touch_reaches_every_copy);
    tests = tcase_make(suite, "options", testlib_setup, testlib_teardown);
    tcase_add_test(tests, options_that_make_no_sense_are_refused);
    return suite;
}
