/* Tests of shm_lock.h: waiting for a lock while its owner continues, and getting it when the owner
 * dies.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/shm_lock.h"
#include "testlib.h"

Suite *kc_test_shm_lock(void);

enum { LONG_MS = 100000 };

static pthread_mutex_t *mutex;
static pid_t owner;

/* A child that has the lock and is stopped; it gives it back when it goes on. */
static void setup(void)
{
    int64_t none = 0;
    int status = 0;

    testlib_setup();
    mutex = mmap(NULL, sizeof(*mutex), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(mutex != MAP_FAILED);
    ck_assert_int_eq(kc_shm_lock_init(mutex), 0);
    owner = fork();
    ck_assert_int_ge(owner, 0);
    if (!owner) {
        if (kc_shm_lock_take(mutex, &none))
            _exit(1);
        (void)raise(SIGSTOP);
        kc_shm_lock_give(mutex);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(owner, &status, WUNTRACED), owner);
    ck_assert(WIFSTOPPED(status));
}

static void teardown(void)
{
    (void)kill(owner, SIGKILL);
    (void)waitpid(owner, NULL, 0);
    testlib_teardown();
}

START_TEST(who_does_not_wait_is_told_at_once)
{
    int64_t wait_ms = 0;

    ck_assert_int_eq(kc_shm_lock_take(mutex, &wait_ms), EBUSY);
}
END_TEST

START_TEST(wait_ends)
{
    int64_t wait_ms = 250;

    ck_assert_int_eq(kc_shm_lock_take(mutex, &wait_ms), ETIMEDOUT);
    ck_assert_int_eq(wait_ms, 0);
}
END_TEST

static void *send_signal(void *number)
{
    (void)kill(owner, *(int *)number);
    return NULL;
}

/* Sooner or later than the wait begins. */
static int take_while(int number)
{
    int64_t wait_ms = LONG_MS;
    pthread_t thread;
    int status;

    ck_assert_int_eq(pthread_create(&thread, NULL, send_signal, &number), 0);
    status = kc_shm_lock_take(mutex, &wait_ms);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_gt(wait_ms, 0);
    return status;
}

START_TEST(an_owner_that_goes_on_is_waited_for)
{
    ck_assert_int_eq(take_while(SIGCONT), 0);
    kc_shm_lock_give(mutex);
}
END_TEST

START_TEST(an_owner_that_dies_leaves_the_lock)
{
    int64_t wait_ms = 0;

    ck_assert_int_eq(take_while(SIGKILL), EOWNERDEAD);
    ck_assert_int_eq(kc_shm_lock_mended(mutex), 0);
    kc_shm_lock_give(mutex);
    ck_assert_int_eq(kc_shm_lock_take(mutex, &wait_ms), 0);
    kc_shm_lock_give(mutex);
}
END_TEST

Suite *kc_test_shm_lock(void)
{
    Suite *suite = suite_create("shm_lock");
    TCase *tests = tcase_create("owners");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 150);
    tcase_add_test(tests, who_does_not_wait_is_told_at_once);
    tcase_add_test(tests, wait_ends);
    tcase_add_test(tests, an_owner_that_goes_on_is_waited_for);
    tcase_add_test(tests, an_owner_that_dies_leaves_the_lock);
    suite_add_tcase(suite, tests);
    return suite;
}
