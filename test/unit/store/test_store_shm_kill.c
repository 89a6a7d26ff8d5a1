/* The store in shared memory when processes die while they hold its lock.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store/store.h"
#include "store/store_shm.h"
#include "testlib.h"
#include "values.h"

Suite *kc_test_store_shm_kill(void);

enum { SIZE = 64 * 1024 * 1024, START = 1000000, KILLS = 100 };

static int64_t now;
static kc_store_t *store;
static kc_err_t err;

static int64_t clock_now(void *context)
{
    return *(int64_t *)context;
}

static void setup(void)
{
    testlib_setup();
    now = START;
    memset(&err, 0, sizeof(err));
    ck_assert_int_eq(kc_store_shm_create(SIZE, clock_now, &now, testlib_pool, &store, &err), KC_OK);
}

/* How much the writers have written; shared. */
static unsigned int *written;

/* Until it is killed. The lock may be held longer than it waits for it, by one who is not run. */
static void writer(unsigned int seed)
{
    for (;;) {
        unsigned int number = values_random(&seed) % 16;
        kc_rc_t rc = values_put(store, number, seed, values_size((seed >> 3) % 7), START + 1000);

        if (rc != KC_OK && rc != KC_DOWN)
            _exit(1);
        (void)__atomic_add_fetch(written, rc == KC_OK, __ATOMIC_SEQ_CST);
    }
}

static void nap(long nanoseconds)
{
    struct timespec span = {0, nanoseconds};

    (void)nanosleep(&span, NULL);
}

static void wait_for_writers(void)
{
    unsigned int tries = 0;

    while (__atomic_exchange_n(written, 0, __ATOMIC_SEQ_CST) == 0) {
        ck_assert_uint_lt(tries++, 60000);
        nap(1000000);
    }
}

START_TEST(a_killed_writer_loses_and_tears_nothing)
{
    unsigned int kill_index, i;

    written =
        mmap(NULL, sizeof(*written), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(written != MAP_FAILED);
    for (i = 0; i < 16; i++)
        ck_assert_int_eq(values_put(store, i, 0, 1500, START + 1000), KC_OK);
    for (kill_index = 0; kill_index < KILLS; kill_index++) {
        pid_t pids[2];
        int status = 0;

        for (i = 0; i < 2; i++) {
            pids[i] = fork();
            ck_assert_int_ge(pids[i], 0);
            if (!pids[i])
                writer(kill_index * 2 + i);
        }
        wait_for_writers();
        nap(200000 + (long)(kill_index * 7919 % 1000) * 1000);
        for (i = 0; i < 2; i++) {
            ck_assert_int_eq(kill(pids[i], SIGKILL), 0);
            ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
            ck_assert(WIFSIGNALED(status));
        }
        for (i = 0; i < 16; i++)
            ck_assert(values_is_there(store, i));
    }
}
END_TEST

static unsigned char *edge; /* after 700 readable bytes there is no memory */

static void edge_make(void)
{
    long page = sysconf(_SC_PAGESIZE);
    unsigned char *pages =
        mmap(NULL, (size_t)page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert(pages != MAP_FAILED);
    memset(pages, 'x', (size_t)page);
    ck_assert_int_eq(mprotect(pages + page, (size_t)page, PROT_NONE), 0);
    edge = pages + page - 700;
}

static void stop_there(int signal_number)
{
    (void)signal_number;
    (void)raise(SIGSTOP);
}

/* A child that dies, or stops, in the middle of copying a value, with the lock in its hand. */
static pid_t caught_writing(unsigned int number, void (*on_fault)(int))
{
    values_key_t key = values_key(number);
    kc_bytes_t value;
    pid_t pid;

    edge_make();
    value.data = edge;
    value.len = 1500;
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid)
        return pid;
    (void)signal(SIGSEGV, on_fault);
    (void)kc_store_put(store, key.text, value, START + 10, NULL);
    _exit(0);
}

START_TEST(a_value_half_written_is_not_there)
{
    int status = 0;
    pid_t pid = caught_writing(1, SIG_DFL);

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    ck_assert(!values_is_there(store, 1));
    ck_assert_int_eq(values_put(store, 1, 1, 1500, START + 10), KC_OK);
    ck_assert(values_is_there(store, 1));
}
END_TEST

START_TEST(a_value_half_overwritten_is_still_there)
{
    int status = 0;
    pid_t pid;
    unsigned int round;

    ck_assert_int_eq(values_put(store, 1, 1, 1500, START + 10), KC_OK);
    for (round = 0; round < 20; round++) {
        pid = caught_writing(1, SIG_DFL);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status));
        ck_assert(values_is_there(store, 1));
    }
    ck_assert_int_eq(values_put(store, 1, 2, 160, START + 10), KC_OK);
    ck_assert_uint_eq(values_get(store, 1).value.len, 160);
}
END_TEST

START_TEST(a_stopped_writer_is_an_outage_and_no_hang)
{
    values_key_t key = values_key(1);
    const char *keys[] = {key.text};
    struct timespec begun, ended;
    kc_store_item_t item;
    int status = 0;
    pid_t pid;

    ck_assert_int_eq(values_put(store, 1, 1, 1500, START + 10), KC_OK);
    pid = caught_writing(1, stop_there);
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    ck_assert(WIFSTOPPED(status));
    (void)clock_gettime(CLOCK_MONOTONIC, &begun);
    ck_assert_int_eq(kc_store_get(store, keys, 1, &item, testlib_pool, &err), KC_DOWN);
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    ck_assert_int_ge(ended.tv_sec - begun.tv_sec, 3); /* one that is only slow gets on meanwhile */
    ck_assert_int_eq(err.reason, KC_ERR_STORE_DOWN);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(values_is_there(store, 1));
}
END_TEST

Suite *kc_test_store_shm_kill(void)
{
    Suite *suite = suite_create("store_shm_kill");
    TCase *tcase = tcase_create("killed processes");

    tcase_add_checked_fixture(tcase, setup, testlib_teardown);
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, a_killed_writer_loses_and_tears_nothing);
    tcase_add_test(tcase, a_value_half_written_is_not_there);
    tcase_add_test(tcase, a_value_half_overwritten_is_still_there);
    tcase_add_test(tcase, a_stopped_writer_is_an_outage_and_no_hang);
    suite_add_tcase(suite, tcase);
    return suite;
}
