/* A provider's metadata and keys: which thread fetches, which wait, and what is kept.
 * SPDX-License-Identifier: Apache-2.0 */
#include "provider/metadata.h"

#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <string.h>

#include "crypto/crypto.h"
#include "provider/deadline.h"
#include "provider/metadata_fetch.h"
#include "provider/metadata_report.h"
#include "provider/metadata_shared.h"

enum {
    RETRY_MS = 500,
    RETRY_STALE_MS = KC_METADATA_SHARED_FAILURE_SECONDS * 1000,
    RETRY_BACKGROUND_MS = 10000, /* less often: requests need not try while the background thread
                                    does */
    EARLY = 5, /* the background thread fetches when less than a fifth of the age is left */
    POLL_MS = 25
};

struct kc_metadata_t {
    const kc_conf_t *conf;
    const kc_env_t *env;
    kc_metadata_shared_t shared;
    kc_metadata_report_t report; /* used only by the background thread */
    apr_thread_mutex_t *mutex;   /* guards what follows; never held across I/O */
    apr_thread_cond_t *fetched;
    kc_metadata_holder_t *current;
    int is_fetching;
    unsigned int rounds; /* of fetching */
    int64_t failed_at;   /* milliseconds since 1970 */
    kc_err_t failure;    /* of the last try; none when it succeeded */
    int is_failure_own;
};

/* One try to get newer documents. */
typedef struct attempt_t {
    kc_http_t *http;
    int64_t young;       /* seconds: documents of another child below this age are used */
    int64_t retry;       /* milliseconds: no thread tries so soon after a failure */
    int may_wait;        /* waits for another child that is fetching */
    apr_pool_t *request; /* whose time it uses (deadline.h); NULL: no request */
} attempt_t;

typedef struct outcome_t {
    kc_metadata_holder_t *fresh; /* also after a failure: old ones for a child without any */
    int64_t failed_at;           /* milliseconds since 1970 */
    int is_own;                  /* tried by this child */
    kc_err_t err;
} outcome_t;

static apr_status_t release_current(void *data)
{
    kc_metadata_t *metadata = data;

    if (metadata->current)
        (void)kc_metadata_snapshot_release(metadata->current);
    metadata->current = NULL;
    return APR_SUCCESS;
}

static int64_t now(const kc_metadata_t *metadata)
{
    return metadata->env->now(metadata->env->context);
}

static int64_t now_ms(const kc_metadata_t *metadata)
{
    return metadata->env->now_ms(metadata->env->context);
}

/* How old a snapshot may be when no newer one is available. */
static int64_t age_max(const kc_conf_t *conf)
{
    return conf->metadata_stale < conf->metadata_ttl ? conf->metadata_ttl : conf->metadata_stale;
}

/* --- one try, for all children of this host --- */

/* A full gate here, or a child that ends, is no failure of the provider. */
static kc_rc_t fetch(const kc_metadata_t *metadata, const attempt_t *attempt, kc_lease_t *lease,
                     const kc_metadata_snapshot_t *known, apr_pool_t *pool, outcome_t *outcome)
{
    const kc_metadata_shared_t *shared = &metadata->shared;
    kc_metadata_documents_t documents;
    kc_rc_t rc = kc_metadata_fetch_documents(shared, lease, attempt->http, attempt->request, pool,
                                             &documents, &outcome->err);

    if (rc == KC_OK)
        rc = kc_metadata_snapshot_make(metadata->conf, &documents, &outcome->fresh, &outcome->err);
    if (rc == KC_OK) {
        kc_metadata_shared_put(shared, &documents, documents.fetched + age_max(metadata->conf),
                               pool);
        kc_metadata_shared_drop_failure(shared);
        kc_metadata_report_left_out(metadata->conf, metadata->env, known,
                                    &outcome->fresh->snapshot);
    } else if (outcome->err.reason != KC_ERR_PROVIDER_BUSY) {
        kc_metadata_shared_put_failure(shared, rc != KC_DOWN, &outcome->err, pool);
    }
    outcome->failed_at = now_ms(metadata);
    outcome->is_own = 1;
    return rc;
}

/* Times are in seconds, and keys may be replaced in the second in which they were fetched. A time
 * in the future is from before the clock was set back. */
static int is_newer(const kc_metadata_t *metadata, const kc_metadata_documents_t *documents,
                    const kc_metadata_snapshot_t *known)
{
    unsigned char digest[KC_CRYPTO_SHA256_SIZE];

    if (!known)
        return 1;
    if (documents->fetched != known->fetched)
        return documents->fetched > known->fetched ||
               !kc_metadata_shared_is_within(metadata->env, known->fetched, INT64_MAX);
    return kc_crypto_sha256(documents->keys, digest, NULL) == KC_OK &&
           memcmp(digest, known->digest, sizeof(digest)) != 0;
}

static int find_shared(const kc_metadata_t *metadata, const kc_metadata_snapshot_t *known,
                       int64_t limit, apr_pool_t *pool, kc_metadata_documents_t *out)
{
    return kc_metadata_shared_get(&metadata->shared, pool, out) && is_newer(metadata, out, known) &&
           now(metadata) - out->fetched < limit;
}

/* Uses documents that another child fetched less than `limit` seconds ago, if they are newer than
 * the known ones (NULL: none). Documents that cannot be used count as absent. */
static int adopt(const kc_metadata_t *metadata, const kc_metadata_snapshot_t *known, int64_t limit,
                 apr_pool_t *pool, kc_metadata_holder_t **out)
{
    kc_metadata_documents_t documents;

    return find_shared(metadata, known, limit, pool, &documents) &&
           kc_metadata_snapshot_make(metadata->conf, &documents, out, NULL) == KC_OK;
}

/* KC_MISS: another child is fetching. After getting the lease, looks once more at what others
 * fetched, so that nothing is fetched that has just come. */
static kc_rc_t look(const kc_metadata_t *metadata, const attempt_t *attempt,
                    const kc_metadata_snapshot_t *known, apr_pool_t *pool, outcome_t *outcome)
{
    const kc_metadata_shared_t *shared = &metadata->shared;
    kc_lease_t lease;
    int is_ours = kc_metadata_shared_take_lease(shared, &lease, pool);
    int64_t retry = is_ours ? attempt->retry : RETRY_STALE_MS;
    kc_rc_t rc = KC_MISS;

    if (adopt(metadata, known, attempt->young, pool, &outcome->fresh))
        rc = KC_OK;
    else if (kc_metadata_shared_get_failure(shared, retry, pool, &outcome->failed_at,
                                            &outcome->err))
        rc = KC_DOWN;
    else if (is_ours)
        rc = fetch(metadata, attempt, &lease, known, pool, outcome);
    if (is_ours)
        kc_lease_give(&lease, pool);
    return rc;
}

/* How long a fetch may take and the request may wait, in milliseconds. */
static int64_t wait_limit(const kc_metadata_t *metadata, apr_pool_t *request)
{
    int64_t whole = 2 * metadata->conf->http_timeout + 1000;
    int64_t left = kc_deadline_left(metadata->env, request, metadata->conf->http_timeout);

    return left < whole ? left : whole;
}

/* Looks again until the child that is fetching is done. The number of rounds is limited, so that a
 * moved clock cannot prolong it. */
static kc_rc_t look_again(const kc_metadata_t *metadata, const attempt_t *attempt,
                          const kc_metadata_snapshot_t *known, apr_pool_t *pool, outcome_t *outcome)
{
    kc_http_gate_t *gate = metadata->env->gate;
    int64_t left = wait_limit(metadata, attempt->request) / POLL_MS;
    kc_rc_t rc = KC_MISS;

    while (rc == KC_MISS && left-- > 0) {
        if (gate && !kc_http_gate_enter(gate))
            return KC_MISS;
        apr_sleep(apr_time_from_msec(POLL_MS));
        if (gate)
            kc_http_gate_leave(gate); /* fetching takes a slot of its own */
        rc = look(metadata, attempt, known, pool, outcome);
    }
    return rc;
}

static kc_rc_t renew(const kc_metadata_t *metadata, const attempt_t *attempt,
                     const kc_metadata_snapshot_t *known, outcome_t *outcome)
{
    apr_pool_t *pool;
    kc_rc_t rc;

    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS)
        return KC_FAIL(&outcome->err, KC_FAULT, KC_ERR_INTERNAL,
                       "no memory for the provider's metadata");
    rc = look(metadata, attempt, known, pool, outcome);
    if (rc == KC_MISS && attempt->may_wait)
        rc = look_again(metadata, attempt, known, pool, outcome);
    if (rc != KC_OK && !known)
        (void)adopt(metadata, known, age_max(metadata->conf), pool, &outcome->fresh);
    apr_pool_destroy(pool);
    return rc;
}

/* Called with the mutex held and no thread fetching; releases it meanwhile. */
static kc_rc_t renew_unlocked(kc_metadata_t *metadata, const attempt_t *attempt, outcome_t *outcome)
{
    kc_metadata_holder_t *old = metadata->current, *replaced;
    kc_rc_t rc;

    memset(outcome, 0, sizeof(*outcome));
    outcome->failed_at = now_ms(metadata);
    metadata->is_fetching = 1;
    apr_thread_mutex_unlock(metadata->mutex);
    rc = renew(metadata, attempt, old ? &old->snapshot : NULL, outcome);
    apr_thread_mutex_lock(metadata->mutex);
    metadata->is_fetching = 0;
    metadata->rounds++;
    replaced = metadata->current; /* another one, if there was none before: see take_over */
    if (outcome->fresh)
        metadata->current = outcome->fresh;
    if (rc == KC_OK) /* err may name a key that was left out */
        memset(&outcome->err, 0, sizeof(outcome->err));
    if (rc != KC_MISS) {
        metadata->failed_at = outcome->failed_at;
        metadata->failure = outcome->err;
        metadata->is_failure_own = outcome->is_own;
    }
    apr_thread_cond_broadcast(metadata->fetched);
    if (outcome->fresh && replaced)
        (void)kc_metadata_snapshot_release(replaced);
    return rc;
}

/* --- one try at a time, for all threads of this child --- */

static int is_young(const kc_metadata_t *metadata, int64_t seconds)
{
    return metadata->current && kc_metadata_shared_is_within(
                                    metadata->env, metadata->current->snapshot.fetched, seconds);
}

static int is_usable(const kc_metadata_t *metadata)
{
    return metadata->current &&
           now(metadata) - metadata->current->snapshot.fetched < age_max(metadata->conf);
}

static int has_failed(const kc_metadata_t *metadata)
{
    return metadata->failure.reason != KC_ERR_NONE;
}

static int has_failed_within(const kc_metadata_t *metadata, int64_t milliseconds)
{
    return has_failed(metadata) &&
           kc_metadata_shared_is_within_ms(metadata->env, metadata->failed_at, milliseconds);
}

/* Waits until the thread that fetches is done. Does not wait when too many wait already: a provider
 * that hangs must leave threads for other requests. */
static void wait_for_fetch(kc_metadata_t *metadata, apr_pool_t *request)
{
    apr_interval_time_t deadline = apr_time_from_msec(wait_limit(metadata, request));
    kc_http_gate_t *gate = metadata->env->gate;
    unsigned int round = metadata->rounds;
    apr_status_t status = APR_SUCCESS;

    if (gate && !kc_http_gate_enter(gate))
        return;
    while (round == metadata->rounds && status == APR_SUCCESS)
        status = apr_thread_cond_timedwait(metadata->fetched, metadata->mutex, deadline);
    if (gate)
        kc_http_gate_leave(gate);
}

/* With the mutex held and no usable snapshot: takes what another child may have fetched meanwhile.
 * Costs a look into shared memory. */
static void take_over(kc_metadata_t *metadata)
{
    kc_metadata_holder_t *old = metadata->current, *fresh;
    apr_pool_t *pool;

    /* what was there at the start is checked by the thread that fetches */
    if ((metadata->is_fetching && old) ||
        apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS)
        return;
    if (adopt(metadata, old ? &old->snapshot : NULL, age_max(metadata->conf), pool, &fresh)) {
        metadata->current = fresh;
        if (old)
            (void)kc_metadata_snapshot_release(old);
    }
    apr_pool_destroy(pool);
}

/* With the mutex held: makes the current snapshot a fresh one, or the best available. With an old
 * one to fall back on, tries are rare, because each makes one user wait. When the last try failed,
 * only the thread that tries waits for the provider. */
static void freshen(kc_metadata_t *metadata, apr_pool_t *request)
{
    int is_ready = is_usable(metadata);
    attempt_t attempt = {metadata->env->http, metadata->conf->metadata_ttl,
                         is_ready ? RETRY_STALE_MS : RETRY_MS, !is_ready, request};
    outcome_t outcome;

    if (is_young(metadata, attempt.young))
        return;
    if (has_failed_within(metadata, attempt.retry)) {
        if (!is_ready)
            take_over(metadata);
        return;
    }
    if (!metadata->is_fetching)
        (void)renew_unlocked(metadata, &attempt, &outcome);
    else if (!is_ready && has_failed(metadata))
        take_over(metadata);
    else if (!is_ready)
        wait_for_fetch(metadata, request);
}

static kc_rc_t fail(const kc_metadata_t *metadata, kc_err_t *err)
{
    if (!has_failed(metadata))
        return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_BUSY, "still waiting for %s",
                       metadata->conf->issuer);
    if (err)
        *err = metadata->failure;
    return KC_DOWN;
}

kc_rc_t kc_metadata_get(kc_metadata_t *metadata, apr_pool_t *pool,
                        const kc_metadata_snapshot_t **out, kc_err_t *err)
{
    kc_rc_t rc = KC_OK;

    apr_thread_mutex_lock(metadata->mutex);
    freshen(metadata, pool);
    if (is_usable(metadata))
        kc_metadata_snapshot_hold(metadata->current, pool, out);
    else
        rc = fail(metadata, err);
    apr_thread_mutex_unlock(metadata->mutex);
    return rc;
}

kc_rc_t kc_metadata_probe(kc_metadata_t *metadata, kc_http_t *http, kc_err_t *err)
{
    attempt_t attempt = {http, metadata->conf->metadata_ttl, RETRY_MS, 0, NULL};
    outcome_t outcome;
    kc_rc_t rc = KC_OK;

    apr_thread_mutex_lock(metadata->mutex);
    if (!is_usable(metadata))
        take_over(metadata);
    if (!is_usable(metadata) && http && !metadata->is_fetching &&
        !has_failed_within(metadata, attempt.retry))
        (void)renew_unlocked(metadata, &attempt, &outcome);
    if (!is_usable(metadata))
        rc = fail(metadata, err);
    apr_thread_mutex_unlock(metadata->mutex);
    return rc;
}

/* One fetch for an unknown kid. What another child has fetched since costs no call, so that is
 * looked for first, and does not count against the limit. */
void kc_metadata_renew_for_kid(kc_metadata_t *metadata, const kc_metadata_snapshot_t *known,
                               int is_foreign, apr_pool_t *pool)
{
    attempt_t attempt = {metadata->env->http, metadata->conf->metadata_ttl, RETRY_MS, 1, pool};
    outcome_t outcome = {0};
    kc_metadata_documents_t shared;

    apr_thread_mutex_lock(metadata->mutex);
    if (metadata->is_fetching)
        wait_for_fetch(metadata, pool);
    else if (&metadata->current->snapshot == known &&
             (find_shared(metadata, known, attempt.young, pool, &shared) ||
              kc_metadata_shared_take_minute(&metadata->shared, is_foreign, pool)))
        (void)renew_unlocked(metadata, &attempt, &outcome);
    if (outcome.fresh && outcome.is_own &&
        memcmp(outcome.fresh->snapshot.digest, known->digest, sizeof(known->digest)) != 0)
        kc_metadata_shared_cut_minute(&metadata->shared, is_foreign);
    apr_thread_mutex_unlock(metadata->mutex);
}

/* --- in the background --- */

void kc_metadata_refresh(kc_metadata_t *metadata, kc_http_t *http)
{
    int64_t ttl = metadata->conf->metadata_ttl;
    attempt_t attempt = {http, ttl - ttl / EARLY, RETRY_MS, 0, NULL};
    outcome_t outcome;
    kc_metadata_report_t fresh;
    kc_err_t failure;

    apr_thread_mutex_lock(metadata->mutex);
    if (is_usable(metadata))
        attempt.retry = RETRY_BACKGROUND_MS;
    if (!metadata->is_fetching && !is_young(metadata, attempt.young) &&
        !has_failed_within(metadata, attempt.retry))
        (void)renew_unlocked(metadata, &attempt, &outcome);
    failure = metadata->failure;
    fresh.reason = failure.reason;
    fresh.is_usable = !failure.reason || is_usable(metadata);
    fresh.is_own = failure.reason && metadata->is_failure_own;
    apr_thread_mutex_unlock(metadata->mutex);
    kc_metadata_report_change(metadata->conf, metadata->env, &metadata->report, &fresh,
                              failure.detail);
}

/* --- creation --- */

/* A new child starts with what the others have, however old, without a call. */
static void start_warm(kc_metadata_t *metadata)
{
    apr_pool_t *pool;

    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS)
        return;
    (void)adopt(metadata, NULL, age_max(metadata->conf), pool, &metadata->current);
    apr_pool_destroy(pool);
}

int64_t kc_metadata_age(kc_metadata_t *metadata)
{
    int64_t age = -1;

    apr_thread_mutex_lock(metadata->mutex);
    if (metadata->current)
        age = now(metadata) - metadata->current->snapshot.fetched;
    apr_thread_mutex_unlock(metadata->mutex);
    return metadata->current && age < 0 ? 0 : age;
}

const kc_conf_t *kc_metadata_conf(const kc_metadata_t *metadata)
{
    return metadata->conf;
}

kc_rc_t kc_metadata_create(const kc_conf_t *conf, const kc_env_t *env, apr_pool_t *pool,
                           kc_metadata_t **out, kc_err_t *err)
{
    kc_metadata_t *metadata = apr_pcalloc(pool, sizeof(*metadata));
    kc_rc_t rc = kc_metadata_shared_init(conf, env, pool, &metadata->shared, err);

    if (rc != KC_OK)
        return rc;
    if (apr_thread_mutex_create(&metadata->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS ||
        apr_thread_cond_create(&metadata->fetched, pool) != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "no mutex for the metadata");
    metadata->conf = conf;
    metadata->env = env;
    metadata->report.is_usable = 1;
    start_warm(metadata);
    apr_pool_cleanup_register(pool, metadata, release_current, apr_pool_cleanup_null);
    *out = metadata;
    return KC_OK;
}
