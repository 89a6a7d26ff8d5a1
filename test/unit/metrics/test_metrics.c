/* Tests of metrics.h: every cell has a place of its own, nothing that was counted is lost, and the
 * values of a dead child are not seen.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access/decision.h"
#include "metrics/metrics.h"
#include "session/session.h"
#include "testlib.h"

Suite *kc_test_metrics(void);

enum { THREADS = 8, TIMES = 20000, PROCESSES = 3 };

static void *memory;
static kc_metrics_t *metrics;

static kc_metrics_t *attach(void)
{
    kc_metrics_t *out = NULL;

    ck_assert_int_eq(kc_metrics_attach(memory, testlib_pool, &out, NULL), KC_OK);
    return out;
}

static void setup(void)
{
    testlib_setup();
    memory =
        mmap(NULL, kc_metrics_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(memory != MAP_FAILED);
    metrics = attach();
}

static void teardown(void)
{
    (void)munmap(memory, kc_metrics_size());
    testlib_teardown();
}

static int everybody(int64_t pid)
{
    (void)pid;
    return 1;
}

static int nobody(int64_t pid)
{
    (void)pid;
    return 0;
}

/* ---------------------------------------------------------------- the table */

START_TEST(rows_do_not_overlap)
{
    const kc_metrics_row_t *row = kc_metrics_row((kc_metrics_index_t)_i), *other;
    size_t cells = row->type == KC_METRICS_GAUGE     ? 0
                   : row->type == KC_METRICS_COUNTER ? 1
                                                     : (size_t)KC_METRICS_CELLS_HISTOGRAM,
           i, count;

    for (i = 0; i < KC_METRICS_ROW_LABELS; i++) {
        (void)kc_metrics_label(row->labels[i], &count);
        cells *= count;
    }
    ck_assert_uint_le(row->from + cells, KC_METRICS_CELLS);
    if (_i + 1 < KC_METRICS_ROWS)
        ck_assert_uint_eq(kc_metrics_row((kc_metrics_index_t)(_i + 1))->from, row->from + cells);
    for (i = 0; i < KC_METRICS_ROWS; i++) {
        other = kc_metrics_row((kc_metrics_index_t)i);
        ck_assert(i == (size_t)_i || strcmp(other->name, row->name) != 0);
    }
    ck_assert_int_eq(row->is_often, row->from < KC_METRICS_OFTEN);
    ck_assert_ptr_nonnull(row->help);
}
END_TEST

/* Names by the conventions of Prometheus: units in the name, _total only where the writer puts it.
 */
START_TEST(names_follow_the_conventions)
{
    const kc_metrics_row_t *row = kc_metrics_row((kc_metrics_index_t)_i);
    size_t len = strlen(row->name);

    ck_assert_uint_eq(strspn(row->name, "abcdefghijklmnopqrstuvwxyz_0123456789"), len);
    ck_assert_ptr_null(strstr(row->name, "_total"));
    if (row->type == KC_METRICS_HISTOGRAM)
        ck_assert_str_eq(row->name + len - strlen("_seconds"), "_seconds");
    ck_assert_int_eq(row->help[strlen(row->help) - 1], '.');
}
END_TEST

START_TEST(each_label_has_different_words)
{
    size_t count, i, k;

    (void)kc_metrics_label((kc_metrics_label_t)_i, &count);
    if (_i == KC_METRICS_LABEL_SERVER)
        return;
    for (i = 0; i < count; i++) {
        const char *word = kc_metrics_word(metrics, (kc_metrics_label_t)_i, i);

        ck_assert_ptr_nonnull(word);
        for (k = 0; k < i; k++)
            ck_assert_str_ne(word, kc_metrics_word(metrics, (kc_metrics_label_t)_i, k));
    }
    ck_assert_ptr_null(kc_metrics_word(metrics, (kc_metrics_label_t)_i, count));
}
END_TEST

static const char *state_word(kc_session_state_t state)
{
    return kc_metrics_word(metrics, KC_METRICS_LABEL_STATE, (size_t)state);
}

static const char *action_word(kc_decision_t decision)
{
    return kc_metrics_word(metrics, KC_METRICS_LABEL_ACTION, (size_t)decision);
}

START_TEST(words_follow_the_enums)
{
    ck_assert_int_eq(KC_METRICS_STATES, KC_SESSION_STATES);
    ck_assert_int_eq(KC_METRICS_ACTIONS, KC_DECISION_ASK_AGAIN + 1);
    ck_assert_str_eq(state_word(KC_SESSION_NONE), "none");
    ck_assert_str_eq(state_word(KC_SESSION_LIVE), "live");
    ck_assert_str_eq(state_word(KC_SESSION_STALE), "stale");
    ck_assert_str_eq(state_word(KC_SESSION_ENDED), "ended");
    ck_assert_str_eq(state_word(KC_SESSION_UNKNOWN), "unknown");
    ck_assert_str_eq(state_word(KC_SESSION_WEAK), "weak");
    ck_assert_str_eq(state_word(KC_SESSION_REFUSED), "refused");
    ck_assert_str_eq(action_word(KC_DECISION_ALLOW), "allow");
    ck_assert_str_eq(action_word(KC_DECISION_ALLOW_ANONYMOUS), "allow_anonymous");
    ck_assert_str_eq(action_word(KC_DECISION_LOGIN), "login");
    ck_assert_str_eq(action_word(KC_DECISION_DENY), "deny");
    ck_assert_str_eq(action_word(KC_DECISION_RETURN_TO_PAGE), "return_to_page");
    ck_assert_str_eq(action_word(KC_DECISION_END_SESSION), "end_session");
    ck_assert_str_eq(action_word(KC_DECISION_SKIP_LOGOUT), "skip_logout");
    ck_assert_str_eq(action_word(KC_DECISION_UNAVAILABLE), "unavailable");
    ck_assert_str_eq(action_word(KC_DECISION_ASK_AGAIN), "ask_again");
    ck_assert_str_eq(kc_metrics_word(NULL, KC_METRICS_LABEL_TAG, KC_ERR_INTERNAL), "KC0001");
    ck_assert_str_eq(kc_metrics_word(NULL, KC_METRICS_LABEL_TAG, KC_ERR_NONE), "");
}
END_TEST

START_TEST(each_cell_has_its_own_place)
{
    size_t i;

    for (i = 0; i < KC_METRICS_CELLS; i++)
        kc_metrics_add(metrics, i, i + 1);
    for (i = 0; i < KC_METRICS_CELLS; i++)
        ck_assert_uint_eq(kc_metrics_get(metrics, i), i + 1);
    kc_metrics_add(metrics, KC_METRICS_CELLS, 1);
    kc_metrics_add(NULL, 0, 1);
    ck_assert_uint_eq(kc_metrics_get(metrics, 0), 1);
    ck_assert_uint_eq(kc_metrics_get(metrics, KC_METRICS_CELLS), 0);
    ck_assert_uint_eq(kc_metrics_get(NULL, 0), 0);
}
END_TEST

START_TEST(a_cell_is_found_by_its_words)
{
    const size_t cell = KC_METRICS_CELL(sign_outs, KC_METRICS_OPERATOR, KC_METRICS_REFUSED, 7);
    const size_t begin = kc_metrics_row(KC_METRICS_ROW_sign_outs)->from;
    const size_t call = KC_METRICS_CELL(store_calls, 3, KC_METRICS_DROP, 0);

    ck_assert_uint_eq(cell - begin, (3 * KC_METRICS_OUTCOMES + 1) * (size_t)KC_ERR_COUNT + 7);
    ck_assert_uint_eq(call - kc_metrics_row(KC_METRICS_ROW_store_calls)->from,
                      (3 * KC_METRICS_OPERATIONS + 4) * (size_t)KC_METRICS_CELLS_HISTOGRAM);
}
END_TEST

/* ---------------------------------------------------------------- histograms */

static const struct {
    int64_t spent;
    size_t bucket;
} observations[] = {{-5, 0},   {0, 0},        {250, 0},       {251, 1},       {1000, 2},
                    {1001, 3}, {9999999, 14}, {10000000, 14}, {10000001, 15}, {INT64_MAX / 2, 15}};

START_TEST(an_observation_falls_into_one_bucket)
{
    const size_t cell = KC_METRICS_CELL(provider_calls, KC_METRICS_TOKEN, 0, 0);
    int64_t spent = observations[_i].spent;
    size_t i;

    kc_metrics_observe(metrics, cell, spent);
    for (i = 0; i < KC_METRICS_BUCKETS; i++)
        ck_assert_uint_eq(kc_metrics_get(metrics, cell + i), i == observations[_i].bucket);
    ck_assert_uint_eq(kc_metrics_get(metrics, cell + KC_METRICS_BUCKETS),
                      spent < 0 ? 0 : (uint64_t)spent);
}
END_TEST

START_TEST(buckets_grow)
{
    size_t i;

    for (i = 1; i < KC_METRICS_BUCKETS - 1; i++)
        ck_assert_int_gt(kc_metrics_bucket(i), kc_metrics_bucket(i - 1));
    ck_assert_int_eq(kc_metrics_bucket(KC_METRICS_BUCKETS - 1), -1);
    ck_assert_int_eq(kc_metrics_bucket(KC_METRICS_BUCKETS), -1);
}
END_TEST

START_TEST(results_have_outcomes)
{
    ck_assert_int_eq(kc_metrics_outcome(KC_OK), KC_METRICS_DONE);
    ck_assert_int_eq(kc_metrics_outcome(KC_MISS), KC_METRICS_RESTARTED);
    ck_assert_int_eq(kc_metrics_outcome(KC_REFUSED), KC_METRICS_REFUSED);
    ck_assert_int_eq(kc_metrics_outcome(KC_DOWN), KC_METRICS_UNAVAILABLE);
    ck_assert_int_eq(kc_metrics_outcome(KC_FAULT), KC_METRICS_UNAVAILABLE);
}
END_TEST

/* ---------------------------------------------------------------- threads, processes, restarts */

static void *count(void *data)
{
    int i;

    (void)data;
    for (i = 0; i < TIMES; i++) {
        kc_metrics_add(metrics, KC_METRICS_CELL(requests, KC_SESSION_LIVE, KC_DECISION_ALLOW, 0),
                       1);
        kc_metrics_add(metrics, KC_METRICS_CELL(sessions_created, 0, 0, 0), 1);
    }
    return NULL;
}

static void count_in_threads(void)
{
    pthread_t threads[THREADS];
    int i;

    for (i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

START_TEST(threads_of_all_processes_count_exactly)
{
    const uint64_t all = (uint64_t)PROCESSES * THREADS * TIMES;
    pid_t children[PROCESSES];
    int i, status;

    for (i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            kc_metrics_enter(metrics, getpid(), nobody);
            count_in_threads();
            (void)kill(getpid(), SIGKILL); /* it ends as no child should */
        }
        ck_assert_int_gt(children[i], 0);
    }
    for (i = 0; i < PROCESSES; i++) {
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    ck_assert_uint_eq(
        kc_metrics_get(metrics, KC_METRICS_CELL(requests, KC_SESSION_LIVE, KC_DECISION_ALLOW, 0)),
        all);
    ck_assert_uint_eq(kc_metrics_get(metrics, KC_METRICS_CELL(sessions_created, 0, 0, 0)), all);
}
END_TEST

START_TEST(counts_go_on_after_a_restart)
{
    kc_metrics_t *next;

    kc_metrics_add(metrics, 0, 3);
    ck_assert_uint_eq(kc_metrics_claim(metrics, "one:11211"), 0);
    ck_assert_uint_eq(kc_metrics_claim(metrics, "two:11211"), 1);
    next = attach();
    kc_metrics_add(next, 0, 4);
    ck_assert_uint_eq(kc_metrics_get(next, 0), 7);
    ck_assert_uint_eq(kc_metrics_get(metrics, 0), 7);
    ck_assert_uint_eq(kc_metrics_server(next, "two:11211"), 1);
}
END_TEST

START_TEST(memory_of_another_version_is_not_used)
{
    uint64_t *words = memory;
    kc_metrics_t *next;
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};

    words[_i]++;
    ck_assert_int_eq(kc_metrics_attach(memory, testlib_pool, &next, &err), KC_REFUSED);
    memset(memory, 0, kc_metrics_size());
    ck_assert_int_eq(kc_metrics_attach(memory, testlib_pool, &next, &err), KC_OK);
}
END_TEST

/* ---------------------------------------------------------------- servers */

START_TEST(servers_have_words_as_long_as_there_is_room)
{
    char name[KC_METRICS_SERVER_SIZE + 2];
    size_t i;

    ck_assert_ptr_null(kc_metrics_word(metrics, KC_METRICS_LABEL_SERVER, 0));
    memset(name, 'x', sizeof(name));
    name[KC_METRICS_SERVER_SIZE] = '\0';
    ck_assert_uint_eq(kc_metrics_claim(metrics, name), KC_METRICS_SERVER_MAX);
    ck_assert_uint_eq(kc_metrics_claim(metrics, ""), KC_METRICS_SERVER_MAX);
    for (i = 0; i < KC_METRICS_SERVER_MAX; i++) {
        (void)snprintf(name, sizeof(name), "host-%zu", i);
        ck_assert_uint_eq(kc_metrics_claim(metrics, name), i);
        ck_assert_uint_eq(kc_metrics_claim(metrics, name), i);
        ck_assert_str_eq(kc_metrics_word(metrics, KC_METRICS_LABEL_SERVER, i), name);
    }
    ck_assert_uint_eq(kc_metrics_claim(metrics, "one-more"), KC_METRICS_SERVER_MAX);
    ck_assert_uint_eq(kc_metrics_server(metrics, "one-more"), KC_METRICS_SERVER_MAX);
    ck_assert_uint_eq(kc_metrics_server(NULL, "host-1"), KC_METRICS_SERVER_MAX);
    ck_assert_str_eq(kc_metrics_word(metrics, KC_METRICS_LABEL_SERVER, KC_METRICS_SERVER_MAX),
                     "other");
}
END_TEST

/* ---------------------------------------------------------------- children */

static int is_even(int64_t pid)
{
    return pid % 2 == 0;
}

START_TEST(values_of_living_children_are_added_up)
{
    kc_metrics_t *one = attach(), *two = attach(), *three = attach();

    kc_metrics_enter(one, 2, everybody);
    kc_metrics_enter(two, 4, everybody);
    kc_metrics_enter(three, 5, everybody);
    kc_metrics_set(kc_metrics_value(one, KC_METRICS_STREAMS), 10);
    kc_metrics_set(kc_metrics_value(two, KC_METRICS_STREAMS), 200);
    kc_metrics_set(kc_metrics_value(three, KC_METRICS_STREAMS), 3000);
    kc_metrics_set(kc_metrics_value(one, KC_METRICS_QUEUED), 7);
    ck_assert_uint_eq(kc_metrics_sum(metrics, KC_METRICS_STREAMS, everybody), 3210);
    ck_assert_uint_eq(kc_metrics_sum(metrics, KC_METRICS_STREAMS, is_even), 210);
    kc_metrics_leave(two);
    ck_assert_uint_eq(kc_metrics_sum(metrics, KC_METRICS_STREAMS, everybody), 3010);
    /* the place of a dead child is taken, without its values */
    kc_metrics_enter(two, 8, is_even);
    kc_metrics_set(kc_metrics_value(two, KC_METRICS_STREAMS), 1);
    ck_assert_uint_eq(kc_metrics_sum(metrics, KC_METRICS_STREAMS, is_even), 11);
    ck_assert_uint_eq(kc_metrics_sum(metrics, KC_METRICS_QUEUED, is_even), 7);
    ck_assert_uint_eq(kc_metrics_sum(NULL, KC_METRICS_STREAMS, everybody), 0);
}
END_TEST

START_TEST(a_number_that_is_used_again_has_one_place)
{
    kc_metrics_t *dead = attach(), *fresh = attach();

    kc_metrics_enter(metrics, 1, everybody);
    kc_metrics_enter(dead, 2, everybody);
    kc_metrics_set(kc_metrics_value(dead, KC_METRICS_STREAMS), 5);
    kc_metrics_leave(metrics);
    kc_metrics_enter(fresh, 2, everybody);
    ck_assert_uint_eq(kc_metrics_sum(metrics, KC_METRICS_STREAMS, everybody), 0);
}
END_TEST

START_TEST(a_child_without_a_place_harms_nobody)
{
    kc_metrics_t *late = attach();
    int64_t i;

    for (i = 0; i < KC_METRICS_CHILDREN; i++)
        kc_metrics_enter(attach(), 100 + i, everybody);
    kc_metrics_enter(late, 99, everybody);
    kc_metrics_set(kc_metrics_value(late, KC_METRICS_STREAMS), 5);
    kc_metrics_set(kc_metrics_value(NULL, KC_METRICS_STREAMS), 5);
    ck_assert_uint_eq(kc_metrics_sum(metrics, KC_METRICS_STREAMS, everybody), 0);
    kc_metrics_leave(late);
    kc_metrics_leave(NULL);
    kc_metrics_enter(NULL, 99, everybody);
}
END_TEST

Suite *kc_test_metrics(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tcase = tcase_create("metrics");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, rows_do_not_overlap, 0, KC_METRICS_ROWS);
    tcase_add_loop_test(tcase, names_follow_the_conventions, 0, KC_METRICS_ROWS);
    tcase_add_loop_test(tcase, each_label_has_different_words, 0, KC_METRICS_LABELS);
    tcase_add_test(tcase, words_follow_the_enums);
    tcase_add_test(tcase, each_cell_has_its_own_place);
    tcase_add_test(tcase, a_cell_is_found_by_its_words);
    tcase_add_loop_test(tcase, an_observation_falls_into_one_bucket, 0,
                        (int)(sizeof(observations) / sizeof(observations[0])));
    tcase_add_test(tcase, buckets_grow);
    tcase_add_test(tcase, results_have_outcomes);
    tcase_add_test(tcase, threads_of_all_processes_count_exactly);
    tcase_add_test(tcase, counts_go_on_after_a_restart);
    tcase_add_loop_test(tcase, memory_of_another_version_is_not_used, 0, 2);
    tcase_add_test(tcase, servers_have_words_as_long_as_there_is_room);
    tcase_add_test(tcase, values_of_living_children_are_added_up);
    tcase_add_test(tcase, a_number_that_is_used_again_has_one_place);
    tcase_add_test(tcase, a_child_without_a_place_harms_nobody);
    suite_add_tcase(suite, tcase);
    return suite;
}
