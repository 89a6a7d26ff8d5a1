/* Tests of resolver.h, with name servers that answer, hang, lie and change their answers.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "net/wait_limit.h"
#include "net/resolver.h"
#include "testlib.h"

Suite *kc_test_resolver(void);

enum { PATIENCE_MS = 30000, PERIOD_MS = 5 };

/* What the fake name servers say. From malloc and never freed while a look-up may hang in it. */
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int hangs; /* look-ups wait until it is 0 */
    int waiting;
    int asked;
    int result; /* how many addresses; 0: no host; -1: no answer */
    const char *texts[KC_RESOLVER_ADDRESSES_MAX];
} names_t;

static names_t *names;
static apr_pool_t *pool; /* the resolver's */
static kc_resolver_t *resolver;
static kc_err_t err;

static int look_up(void *context, const char *host, kc_resolver_address_t *out, size_t max)
{
    names_t *told = context;
    int i, result;

    (void)pthread_mutex_lock(&told->lock);
    told->asked++;
    told->waiting++;
    (void)pthread_cond_broadcast(&told->changed);
    while (told->hangs && strcmp(host, "quick.test") != 0)
        (void)pthread_cond_wait(&told->changed, &told->lock);
    told->waiting--;
    result = told->result;
    for (i = 0; i < result && (size_t)i < max; i++) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&out[i].socket;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out[i].socket;

        if (inet_pton(AF_INET, told->texts[i], &v4->sin_addr) == 1) {
            v4->sin_family = AF_INET;
            out[i].len = sizeof(*v4);
        } else {
            ck_assert_int_eq(inet_pton(AF_INET6, told->texts[i], &v6->sin6_addr), 1);
            v6->sin6_family = AF_INET6;
            out[i].len = sizeof(*v6);
        }
    }
    (void)pthread_cond_broadcast(&told->changed);
    (void)pthread_mutex_unlock(&told->lock);
    return result;
}

static void tell(int hangs, int result, const char *first, const char *second)
{
    (void)pthread_mutex_lock(&names->lock);
    names->hangs = hangs;
    names->result = result;
    names->texts[0] = first;
    names->texts[1] = second;
    (void)pthread_cond_broadcast(&names->changed);
    (void)pthread_mutex_unlock(&names->lock);
}

/* Until so many more look-ups have begun. */
static void wait_for_lookups(int more)
{
    int wanted;

    (void)pthread_mutex_lock(&names->lock);
    wanted = names->asked + more;
    while (names->asked < wanted)
        (void)pthread_cond_wait(&names->changed, &names->lock);
    (void)pthread_mutex_unlock(&names->lock);
}

static void wait_for_a_hanging_one(void)
{
    (void)pthread_mutex_lock(&names->lock);
    while (!names->waiting)
        (void)pthread_cond_wait(&names->changed, &names->lock);
    (void)pthread_mutex_unlock(&names->lock);
}

static void setup(void)
{
    const kc_resolver_options_t options = {look_up, NULL, PERIOD_MS, PERIOD_MS};
    kc_resolver_options_t mine = options;

    testlib_setup();
    names = calloc(1, sizeof(*names));
    ck_assert_ptr_nonnull(names);
    ck_assert_int_eq(pthread_mutex_init(&names->lock, NULL), 0);
    ck_assert_int_eq(pthread_cond_init(&names->changed, NULL), 0);
    tell(0, 1, "192.0.2.1", NULL);
    mine.context = names;
    ck_assert_int_eq(apr_pool_create(&pool, testlib_pool), APR_SUCCESS);
    ck_assert_int_eq(kc_resolver_create(&mine, pool, &resolver, &err), KC_OK);
}

static const char *get(kc_resolver_name_t *name, int64_t wait_ms)
{
    kc_resolver_address_t found[KC_RESOLVER_ADDRESSES_MAX];
    const char *text = "";
    size_t count, i;

    if (kc_resolver_get(name, 80, wait_ms, found, &count, KC_ERR_STORE_DOWN, &err) != KC_OK)
        return NULL;
    for (i = 0; i < count; i++) {
        ck_assert_uint_eq(ntohs(((struct sockaddr_in *)&found[i].socket)->sin_port), 80);
        text = apr_pstrcat(testlib_pool, text, *text ? " " : "",
                           kc_resolver_text(&found[i], testlib_pool), NULL);
    }
    return text;
}

static kc_resolver_name_t *name_of(const char *host)
{
    kc_resolver_name_t *name = kc_resolver_name(resolver, host);

    ck_assert_ptr_nonnull(name);
    return name;
}

START_TEST(a_name_is_looked_up_in_the_background)
{
    kc_resolver_name_t *name = name_of("mc.test");

    ck_assert_str_eq(get(name, PATIENCE_MS), "192.0.2.1");
    ck_assert_ptr_eq(name_of("MC.test"), name);
    ck_assert_int_eq(kc_resolver_is_known(name), 1);
    tell(0, 2, "192.0.2.1", "2001:db8::1");
    while (strcmp(get(name, 0), "192.0.2.1 [2001:db8::1]") != 0)
        wait_for_lookups(1);
}
END_TEST

START_TEST(addresses_and_localhost_need_no_name_server)
{
    tell(1, 0, NULL, NULL);
    ck_assert_str_eq(get(name_of("192.0.2.7"), 0), "192.0.2.7");
    ck_assert_str_eq(get(name_of("2001:db8::7"), 0), "[2001:db8::7]");
    ck_assert_str_eq(get(name_of("localhost"), 0), "127.0.0.1 [::1]");
    ck_assert_str_eq(get(name_of("LocalHost."), 0), "127.0.0.1 [::1]");
    ck_assert_str_eq(get(name_of("a.localhost"), 0), "127.0.0.1 [::1]");
    ck_assert_int_eq(names->asked, 0);
    ck_assert_ptr_null(get(name_of("notlocalhost"), 0));
}
END_TEST

/* It hangs alone: others are resolved, and whoever asks is answered. */
static int threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;

    ck_assert_ptr_nonnull(tasks);
    while (readdir(tasks))
        count++;
    (void)closedir(tasks);
    return count;
}

START_TEST(an_address_costs_no_thread)
{
    int before = threads();

    ck_assert_str_eq(get(name_of("192.0.2.7"), 0), "192.0.2.7");
    ck_assert_int_eq(threads(), before);
}
END_TEST

START_TEST(who_asks_does_not_wait_for_a_name_server_that_hangs)
{
    kc_resolver_name_t *slow;

    tell(1, 1, "192.0.2.1", NULL);
    slow = name_of("slow.test");
    wait_for_lookups(0);
    ck_assert_ptr_null(get(slow, 0));
    ck_assert_int_eq(err.reason, KC_ERR_STORE_DOWN);
    ck_assert_str_eq(err.detail,
                     "the name slow.test is not resolved yet: no name server has answered");
    ck_assert_ptr_null(get(slow, 20));
    ck_assert_str_eq(get(name_of("quick.test"), PATIENCE_MS), "192.0.2.1");
    ck_assert_ptr_null(get(slow, 0));
    tell(0, 1, "192.0.2.1", NULL);
    ck_assert_str_eq(get(slow, PATIENCE_MS), "192.0.2.1");
}
END_TEST

START_TEST(what_was_known_stays_when_nobody_answers)
{
    static const int results[] = {0, -1};
    kc_resolver_name_t *name = name_of("mc.test");
    uint32_t version;
    size_t i;

    ck_assert_str_eq(get(name, PATIENCE_MS), "192.0.2.1");
    version = kc_resolver_version(name);
    for (i = 0; i < 2; i++) {
        tell(0, results[i], NULL, NULL);
        wait_for_lookups(3);
        ck_assert_str_eq(get(name, 0), "192.0.2.1");
    }
    tell(1, -1, NULL, NULL);
    wait_for_lookups(1);
    ck_assert_str_eq(get(name, 0), "192.0.2.1");
    ck_assert_uint_eq(kc_resolver_version(name), version);
    tell(0, 1, "192.0.2.2", NULL);
    while (strcmp(get(name, 0), "192.0.2.2") != 0)
        wait_for_lookups(1);
    ck_assert_uint_ne(kc_resolver_version(name), version);
}
END_TEST

START_TEST(the_order_of_addresses_is_no_change)
{
    kc_resolver_name_t *name;
    uint32_t changes;

    tell(0, 2, "192.0.2.1", "192.0.2.2");
    name = name_of("mc.test");
    ck_assert_str_eq(get(name, PATIENCE_MS), "192.0.2.1 192.0.2.2");
    changes = kc_resolver_changes(resolver);
    tell(0, 2, "192.0.2.2", "192.0.2.1");
    wait_for_lookups(3);
    ck_assert_str_eq(get(name, 0), "192.0.2.1 192.0.2.2");
    ck_assert_uint_eq(kc_resolver_changes(resolver), changes);
}
END_TEST

START_TEST(the_address_that_answered_comes_first)
{
    kc_resolver_name_t *name;
    uint32_t changes;

    tell(0, 2, "192.0.2.2", "192.0.2.20");
    name = name_of("mc.test");
    ck_assert_str_eq(get(name, PATIENCE_MS), "192.0.2.2 192.0.2.20");
    changes = kc_resolver_changes(resolver);
    kc_resolver_prefer(name, "192.0.2.20");
    ck_assert_str_eq(get(name, 0), "192.0.2.20 192.0.2.2");
    kc_resolver_prefer(name, "192.0.2.20");
    kc_resolver_prefer(name, "192.0.2.3");
    kc_resolver_prefer(name, "192.0.2");
    kc_resolver_prefer(name, "::1");
    wait_for_lookups(3);
    ck_assert_str_eq(get(name, 0), "192.0.2.20 192.0.2.2");
    ck_assert_uint_eq(kc_resolver_changes(resolver), changes);
}
END_TEST

START_TEST(a_failure_says_what_failed)
{
    tell(0, 0, NULL, NULL);
    ck_assert_ptr_null(get(name_of("no.test"), PATIENCE_MS));
    ck_assert_str_eq(err.detail, "the name no.test is no host's name");
    tell(0, -1, NULL, NULL);
    ck_assert_ptr_null(get(name_of("silent.test"), PATIENCE_MS));
    ck_assert_str_eq(err.detail, "the name silent.test is not resolved: no name server answers");
}
END_TEST

START_TEST(a_change_of_any_name_is_seen)
{
    kc_resolver_name_t *first = name_of("mc-1.test");
    uint32_t before;

    ck_assert_str_eq(get(first, PATIENCE_MS), "192.0.2.1");
    before = kc_resolver_changes(resolver);
    tell(0, 1, "192.0.2.9", NULL);
    while (strcmp(get(first, 0), "192.0.2.9") != 0)
        wait_for_lookups(1);
    ck_assert_uint_ne(kc_resolver_changes(resolver), before);
}
END_TEST

static int asked(void)
{
    int count;

    (void)pthread_mutex_lock(&names->lock);
    count = names->asked;
    (void)pthread_mutex_unlock(&names->lock);
    return count;
}

/* Each new name wakes who looks them up; those that are known are not due for a while. */
START_TEST(a_name_is_not_looked_up_before_its_period_is_over)
{
    const kc_resolver_options_t options = {look_up, names, 600000, 600000};
    int i;

    ck_assert_int_eq(kc_resolver_create(&options, pool, &resolver, &err), KC_OK);
    for (i = 1; i <= 5; i++) {
        ck_assert_str_eq(get(name_of(apr_psprintf(testlib_pool, "mc-%d.test", i)), PATIENCE_MS),
                         "192.0.2.1");
        ck_assert_int_eq(asked(), i);
    }
}
END_TEST

START_TEST(a_look_up_that_hangs_is_followed_by_none)
{
    tell(1, 1, "192.0.2.1", NULL);
    (void)name_of("slow.test");
    wait_for_a_hanging_one();
    (void)name_of("quick.test"); /* due again and again */
    wait_for_lookups(6);
    (void)pthread_mutex_lock(&names->lock);
    ck_assert_int_eq(names->waiting, 1);
    (void)pthread_mutex_unlock(&names->lock);
    tell(0, 1, "192.0.2.1", NULL);
}
END_TEST

START_TEST(takes_no_more_names_than_it_may)
{
    char longer[KC_RESOLVER_HOST_MAX + 2];
    int i;

    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    ck_assert_ptr_null(kc_resolver_name(resolver, ""));
    ck_assert_ptr_null(kc_resolver_name(resolver, longer));
    for (i = 0; i < KC_RESOLVER_NAMES_MAX; i++)
        (void)name_of(apr_psprintf(testlib_pool, "10.0.%d.%d", i / 256, i % 256));
    ck_assert_ptr_null(kc_resolver_name(resolver, "10.1.1.1"));
    ck_assert_ptr_nonnull(kc_resolver_name(resolver, "10.0.0.1"));
}
END_TEST

/* The look-up returns when resolver and pool are long gone. */
START_TEST(it_ends_at_once_and_what_hangs_hangs_alone)
{
    tell(1, 1, "192.0.2.1", NULL);
    (void)name_of("slow.test");
    wait_for_a_hanging_one();
    apr_pool_destroy(pool);
    tell(0, 1, "192.0.2.1", NULL);
    (void)pthread_mutex_lock(&names->lock);
    while (names->waiting)
        (void)pthread_cond_wait(&names->changed, &names->lock);
    (void)pthread_mutex_unlock(&names->lock);
}
END_TEST

START_TEST(the_system_resolves_as_well)
{
    kc_resolver_t *real;
    kc_resolver_name_t *name;

    ck_assert_int_eq(kc_resolver_create(NULL, pool, &real, &err), KC_OK);
    name = kc_resolver_name(real, "name.invalid"); /* RFC 6761 section 6.4 */
    ck_assert_ptr_nonnull(name);
    ck_assert_ptr_null(get(name, 0));
    kc_resolver_doubt(name);
    kc_resolver_wait(real, 1);
}
END_TEST

Suite *kc_test_resolver(void)
{
    Suite *suite = suite_create("resolver");
    TCase *tests = tcase_create("resolver");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_name_is_looked_up_in_the_background);
    tcase_add_test(tests, addresses_and_localhost_need_no_name_server);
    tcase_add_test(tests, an_address_costs_no_thread);
    tcase_add_test(tests, who_asks_does_not_wait_for_a_name_server_that_hangs);
    tcase_add_test(tests, what_was_known_stays_when_nobody_answers);
    tcase_add_test(tests, the_order_of_addresses_is_no_change);
    tcase_add_test(tests, the_address_that_answered_comes_first);
    tcase_add_test(tests, a_failure_says_what_failed);
    tcase_add_test(tests, a_name_is_not_looked_up_before_its_period_is_over);
    tcase_add_test(tests, a_look_up_that_hangs_is_followed_by_none);
    tcase_add_test(tests, a_change_of_any_name_is_seen);
    tcase_add_test(tests, takes_no_more_names_than_it_may);
    tcase_add_test(tests, it_ends_at_once_and_what_hangs_hangs_alone);
    tcase_add_test(tests, the_system_resolves_as_well);
    suite_add_tcase(suite, tests);
    return suite;
}
