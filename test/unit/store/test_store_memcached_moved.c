/* A memcached server that gets another address while connections to the old one are idle.
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <check.h>
#include <dlfcn.h>
#include <libmemcached/memcached.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "listener.h"
#include "memcached_server.h"
#include "store/store_memcached.h"
#include "store/store_replicas.h"
#include "testlib.h"

Suite *kc_test_store_memcached_moved(void);

enum { TIMEOUT_MS = 20000, PERIOD_MS = 5, IDLE = 3, TRIES_MAX = 6000 };

static const char key[] = "00000000000000000000000000000000000000000000000000000000000000aa";

static memcached_server_t process;
static kc_resolver_t *resolver;
static kc_store_memcached_t *server;
static char text[32];
static uint32_t is_moved; /* the host's name leads to where nobody is */
static kc_err_t err;

static int look_up(void *context, const char *host, kc_resolver_address_t *out, size_t max)
{
    struct sockaddr_in *address = (struct sockaddr_in *)&out->socket;

    (void)context;
    (void)host;
    (void)max;
    address->sin_family = AF_INET;
    out->len = sizeof(*address);
    return inet_pton(AF_INET,
                     __atomic_load_n(&is_moved, __ATOMIC_ACQUIRE) ? "127.0.0.9" : "127.0.0.1",
                     &address->sin_addr);
}

static int64_t now(void *context)
{
    (void)context;
    return (int64_t)time(NULL);
}

static kc_rc_t drop(void)
{
    const kc_store_memcached_command_t command = {KC_STORE_MEMCACHED_DROP, key, {NULL, 0}, 0, 0};
    kc_breaker_fault_t fault;
    kc_wait_limit_t limit;
    const kc_wait_limit_time_t spare = {&limit, NULL};

    kc_wait_limit_start(&limit, TIMEOUT_MS, NULL);
    return kc_store_memcached_do(server, &command, &spare, &fault, &err);
}

/* ---------------------------------------------------------------- a step in between */

/* What another thread does while this one closes its first connection; NULL: nothing. */
static void (*meanwhile)(void);

/* In the place of libmemcached's. */
void memcached_free(memcached_st *handle)
{
    void (*real)(memcached_st *);
    void (*once)(void) = meanwhile;

    *(void **)&real = dlsym(RTLD_NEXT, "memcached_free");
    ck_assert(real != NULL);
    meanwhile = NULL;
    if (once)
        once();
    real(handle);
}

/* ---------------------------------------------------------------- tests */

static void setup(void)
{
    const kc_resolver_options_t options = {look_up, NULL, PERIOD_MS, PERIOD_MS};
    const kc_store_memcached_options_t server_options = {.now = now};
    kc_resolver_address_t found[KC_RESOLVER_ADDRESSES_MAX];
    size_t count;

    testlib_setup();
    memset(&process, 0, sizeof(process));
    meanwhile = NULL;
    is_moved = 0;
    memcached_server_start(&process, listener_free_port());
    ck_assert_int_eq(kc_resolver_create(&options, testlib_pool, &resolver, &err), KC_OK);
    (void)snprintf(text, sizeof(text), "store.test:%d", process.port);
    ck_assert_int_eq(
        kc_store_memcached_open(text, &server_options, resolver, testlib_pool, &server, &err),
        KC_OK);
    ck_assert_int_eq(kc_resolver_get(kc_resolver_name(resolver, "store.test"), 1, TIMEOUT_MS, found,
                                     &count, KC_ERR_STORE_DOWN, &err),
                     KC_OK);
}

static void teardown(void)
{
    testlib_teardown();
    memcached_server_end(&process);
}

/* As many connections as questions at the same time. */
static void leave_idle(void)
{
    kc_store_memcached_get_t gets[IDLE];
    kc_store_memcached_item_t item;
    kc_wait_limit_t limit;
    const kc_wait_limit_time_t spare = {&limit, NULL};
    size_t i;

    kc_wait_limit_start(&limit, TIMEOUT_MS, NULL);
    for (i = 0; i < IDLE; i++) {
        memset(&gets[i], 0, sizeof(gets[i]));
        gets[i].server = server;
        gets[i].keys[0] = key;
        gets[i].count = 1;
        ck_assert_int_eq(kc_store_memcached_send(&gets[i], &spare, &err), KC_OK);
    }
    for (i = 0; i < IDLE; i++)
        ck_assert_int_eq(kc_store_memcached_receive(&gets[i], &spare, &item, testlib_pool, &err),
                         KC_OK);
}

static void move(void)
{
    const struct timespec span = {0, 10000000};
    kc_resolver_name_t *name = kc_resolver_name(resolver, "store.test");
    uint32_t before = kc_resolver_version(name), tries = 0;

    __atomic_store_n(&is_moved, 1, __ATOMIC_RELEASE);
    while (kc_resolver_version(name) == before) {
        ck_assert_uint_lt(tries++, TRIES_MAX);
        (void)nanosleep(&span, NULL);
    }
}

START_TEST(a_server_that_has_moved_is_asked_at_its_new_address)
{
    leave_idle();
    ck_assert_int_eq(drop(), KC_OK);
    move();
    ck_assert_int_eq(drop(), KC_DOWN);
}
END_TEST

static kc_rc_t others; /* what another thread was told */

static void drop_too(void)
{
    others = drop();
}

/* Nobody knows whose the old address is by now. */
START_TEST(nobody_takes_an_old_connection_while_they_are_closed)
{
    leave_idle();
    move();
    others = KC_OK;
    meanwhile = drop_too;
    ck_assert_int_eq(drop(), KC_DOWN);
    ck_assert_ptr_null(meanwhile);
    ck_assert_int_eq(others, KC_DOWN);
    ck_assert_int_eq(drop(), KC_DOWN);
}
END_TEST

Suite *kc_test_store_memcached_moved(void)
{
    Suite *suite = suite_create("store_memcached_moved");
    TCase *tests = tcase_create("store_memcached_moved");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_server_that_has_moved_is_asked_at_its_new_address);
    tcase_add_test(tests, nobody_takes_an_old_connection_while_they_are_closed);
    suite_add_tcase(suite, tests);
    return suite;
}
