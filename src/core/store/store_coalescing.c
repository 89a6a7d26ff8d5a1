/* A store that joins requests: callers that come while one is in progress share the next.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_coalescing.h"

#include <apr_strings.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "metrics/stopwatch.h"
#include "store/store.h"

/* A round trip costs httpd, the kernel and memcached the same for one key as for thirty. A caller
 * that finds no request in progress asks at once. A caller that comes meanwhile waits. When the
 * answer is there, one of the waiting callers asks for all of them. So each request is sent after
 * all callers that share it have come, and an answer is never older than its callers' requests.
 *
 * A request that takes long, because one of several servers hangs, does not delay others: a caller
 * that has waited for wait_ms leads another request. A pool is used by one thread at a time:
 * the leader fills the pools of the others while they wait. */

typedef enum {
    WAITING,
    LEADING, /* is to ask, or asks */
    TAKEN,   /* another caller asks for it, and writes to it: it must stay in memory */
    ANSWERED
} caller_state_t;

typedef struct caller_t {
    const char *const *keys;
    size_t count;
    kc_store_item_t *items;
    apr_pool_t *pool;
    kc_err_t err;
    kc_rc_t rc;
    int is_shared; /* others shared its request */
    caller_state_t state;
    pthread_cond_t changed;
    struct caller_t *next;
} caller_t;

typedef struct {
    kc_store_t store; /* first */
    kc_store_t *inner;
    int64_t wait_ms;
    pthread_condattr_t by_monotonic_clock;
    pthread_mutex_t lock; /* guards what follows; never held across I/O */
    int is_asking;        /* a leader is active, which will pass on the lead */
    caller_t *first;      /* waiting callers, in the order of their arrival */
    caller_t **end;
} combined_t;

static combined_t *of(kc_store_t *store)
{
    return (combined_t *)(void *)store;
}

/* The keys of several callers, each once. */
typedef struct {
    const char *keys[KC_STORE_GET_MAX];
    kc_store_item_t items[KC_STORE_GET_MAX];
    size_t count;
} question_t;

static size_t index_of(const question_t *question, const char *key)
{
    size_t i;

    for (i = 0; i < question->count; i++) {
        if (memcmp(question->keys[i], key, KC_STORE_KEY_LEN) == 0)
            break;
    }
    return i;
}

/* Adds the caller's keys: 1, or 0 when the request has no room for them all. */
static int add_keys(question_t *question, const caller_t *caller)
{
    size_t before = question->count, i;

    for (i = 0; i < caller->count; i++) {
        size_t at = index_of(question, caller->keys[i]);

        if (at == KC_STORE_GET_MAX) {
            question->count = before;
            return 0;
        }
        question->keys[at] = caller->keys[i];
        question->count += at == question->count;
    }
    return 1;
}

/* With the lock held: takes callers from the first on, as many as there is room for. */
static caller_t *take_callers(combined_t *combined, question_t *question)
{
    caller_t *taken = combined->first, **last = &taken;

    question->count = 0;
    while (*last && add_keys(question, *last)) {
        (*last)->state = TAKEN; /* also one that was just told to lead */
        last = &(*last)->next;
    }
    combined->first = *last;
    if (!combined->first)
        combined->end = &combined->first;
    *last = NULL;
    return taken;
}

/* With the lock held: a caller that has waited too long becomes the first. */
static void step_forward(combined_t *combined, caller_t *caller)
{
    caller_t **at = &combined->first;

    while (*at != caller)
        at = &(*at)->next;
    *at = caller->next;
    if (!*at)
        combined->end = at;
    caller->next = combined->first;
    combined->first = caller;
    if (!caller->next)
        combined->end = &caller->next;
    caller->state = LEADING;
}

/* With the lock held; it is released while waiting. */
static void wait_for_turn(combined_t *combined, caller_t *caller)
{
    int64_t begun = kc_stopwatch_now();
    struct timespec limit;
    int status = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += combined->wait_ms / 1000;
    limit.tv_nsec += combined->wait_ms % 1000 * 1000000;
    limit.tv_sec += limit.tv_nsec / 1000000000;
    limit.tv_nsec %= 1000000000;
    while (caller->state == WAITING && !status)
        status = pthread_cond_timedwait(&caller->changed, &combined->lock, &limit);
    if (caller->state == WAITING)
        step_forward(combined, caller);
    while (caller->state == TAKEN)
        (void)pthread_cond_wait(&caller->changed, &combined->lock);
    (void)kc_stopwatch_stop(KC_STOPWATCH_STORE, begun);
}

/* With the lock held. */
static void pass_on(combined_t *combined)
{
    combined->is_asking = combined->first != NULL;
    if (!combined->first)
        return;
    combined->first->state = LEADING;
    (void)pthread_cond_signal(&combined->first->changed);
}

static void answer(const question_t *question, caller_t *caller, const caller_t *leader)
{
    size_t i;

    caller->rc = leader->rc;
    caller->err = leader->err;
    caller->is_shared = question->count > caller->count;
    for (i = 0; leader->rc == KC_OK && i < caller->count; i++) {
        kc_store_item_t *item = &caller->items[i];

        *item = question->items[index_of(question, caller->keys[i])];
        if (item->value.data && caller != leader)
            item->value.data = apr_pmemdup(caller->pool, item->value.data, item->value.len);
    }
}

/* Asks for the first waiting callers, of which the caller is one. Called and left with the lock
 * held. */
static void lead(combined_t *combined, caller_t *leader)
{
    question_t question;
    caller_t *callers = take_callers(combined, &question), *caller;

    (void)pthread_mutex_unlock(&combined->lock);
    memset(question.items, 0, question.count * sizeof(*question.items));
    leader->rc = combined->inner->vtable->get(combined->inner, question.keys, question.count,
                                              question.items, leader->pool, &leader->err);
    for (caller = callers; caller; caller = caller->next)
        answer(&question, caller, leader);
    (void)pthread_mutex_lock(&combined->lock);
    pass_on(combined);
    while (callers) {
        caller = callers;
        callers = caller->next; /* read it before the signal: afterwards the caller may be gone */
        caller->state = ANSWERED;
        if (caller != leader)
            (void)pthread_cond_signal(&caller->changed);
    }
}

static kc_rc_t combined_get(kc_store_t *store, const char *const *keys, size_t count,
                            kc_store_item_t *items, apr_pool_t *pool, kc_err_t *err)
{
    combined_t *combined = of(store);
    caller_t caller = {.keys = keys, .count = count, .items = items, .pool = pool};

    if (pthread_cond_init(&caller.changed, &combined->by_monotonic_clock))
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "store: no condition to wait for");
    (void)pthread_mutex_lock(&combined->lock);
    *combined->end = &caller;
    combined->end = &caller.next;
    if (!combined->is_asking)
        caller.state = LEADING;
    combined->is_asking = 1;
    if (caller.state == WAITING)
        wait_for_turn(combined, &caller);
    if (caller.state == LEADING)
        lead(combined, &caller);
    (void)pthread_mutex_unlock(&combined->lock);
    (void)pthread_cond_destroy(&caller.changed);
    /* perhaps only the keys of others failed */
    if (caller.rc != KC_OK && caller.is_shared)
        return combined->inner->vtable->get(combined->inner, keys, count, items, pool, err);
    if (caller.rc != KC_OK && err)
        *err = caller.err;
    return caller.rc;
}

static kc_rc_t combined_put(kc_store_t *store, const char *key, kc_bytes_t value,
                            int64_t expires_at, kc_err_t *err)
{
    return of(store)->inner->vtable->put(of(store)->inner, key, value, expires_at, err);
}

static kc_rc_t combined_add(kc_store_t *store, const char *key, kc_bytes_t value,
                            int64_t expires_at, kc_err_t *err)
{
    return of(store)->inner->vtable->add(of(store)->inner, key, value, expires_at, err);
}

static kc_rc_t combined_touch(kc_store_t *store, const char *key, int64_t expires_at, kc_err_t *err)
{
    return of(store)->inner->vtable->touch(of(store)->inner, key, expires_at, err);
}

static kc_rc_t combined_drop(kc_store_t *store, const char *key, kc_err_t *err)
{
    return of(store)->inner->vtable->drop(of(store)->inner, key, err);
}

static kc_rc_t combined_probe(kc_store_t *store, const char *key, apr_pool_t *pool, kc_err_t *err)
{
    kc_store_t *inner = of(store)->inner;

    return inner->vtable->probe ? inner->vtable->probe(inner, key, pool, err) : KC_OK;
}

static kc_rc_t combined_write(kc_store_t *store, const kc_store_write_t *write, kc_err_t *err)
{
    return kc_store_write(of(store)->inner, write, err);
}

static const kc_store_vtable_t vtable = {"combined",     combined_get,   combined_put,
                                         combined_add,   combined_touch, combined_drop,
                                         combined_probe, combined_write};

static apr_status_t destroy(void *data)
{
    combined_t *combined = data;

    (void)pthread_mutex_destroy(&combined->lock);
    (void)pthread_condattr_destroy(&combined->by_monotonic_clock);
    return APR_SUCCESS;
}

kc_rc_t kc_store_coalescing_create(kc_store_t *inner, int64_t wait_ms, apr_pool_t *pool,
                                   kc_store_t **out, kc_err_t *err)
{
    combined_t *combined = apr_pcalloc(pool, sizeof(*combined));

    if (pthread_mutex_init(&combined->lock, NULL) ||
        pthread_condattr_init(&combined->by_monotonic_clock) ||
        pthread_condattr_setclock(&combined->by_monotonic_clock, CLOCK_MONOTONIC))
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "store: no lock can be made");
    apr_pool_cleanup_register(pool, combined, destroy, apr_pool_cleanup_null);
    combined->store.vtable = &vtable;
    combined->inner = inner;
    combined->wait_ms = wait_ms;
    combined->end = &combined->first;
    *out = &combined->store;
    return KC_OK;
}
