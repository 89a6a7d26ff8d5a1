/* Tests of metadata.h for all children of a host: one fetch for all, the background, log lines, and
 * moved clocks.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <check.h>
#include <string.h>

#include "fake_site.h"
#include "provider/metadata.h"
#include "provider/metadata_shared.h"
#include "provider/token_signature.h"
#include "store/store_shm.h"
#include "testlib.h"
#include "variant.h"

Suite *kc_test_metadata_shared(void);

enum {
    CHILDREN = 4,
    THREADS = 4, /* of each */
    HOUR = 3600,
    LEASE = 3 /* seconds, with the timeout of setup */
};

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_metadata_t *child[CHILDREN];
static kc_metadata_shared_t shared;
static const kc_metadata_snapshot_t *got;
static kc_err_t last;

static const char *keys_named(const char *kid)
{
    const char *more = apr_psprintf(testlib_pool, ",\"kid\":\"%s\"", kid);

    return apr_pstrcat(testlib_pool, "{\"keys\":[", testlib_jwk(TESTLIB_P256, more), "]}", NULL);
}

static void make_keys(void)
{
    (void)testlib_key(TESTLIB_P256);
}

static kc_metadata_t *new_child(const kc_env_t *env)
{
    kc_metadata_t *metadata;

    ck_assert_int_eq(kc_metadata_create(site->conf, env, testlib_pool, &metadata, NULL), KC_OK);
    return metadata;
}

static void setup(void)
{
    int i;

    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
    site->conf->http_timeout = 50;
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""), keys_named("a"));
    for (i = 0; i < CHILDREN; i++)
        child[i] = new_child(&fake->env);
    ck_assert_int_eq(kc_metadata_shared_init(site->conf, &fake->env, testlib_pool, &shared, NULL),
                     KC_OK);
}

static kc_rc_t get(int index)
{
    memset(&last, 0, sizeof(last));
    return kc_metadata_get(child[index], testlib_pool, &got, &last);
}

/* For a request of its own, which has its own time to wait. */
static kc_rc_t select_key(int index, const char *kid)
{
    const kc_jose_key_t *key;
    apr_pool_t *request;

    ck_assert_int_eq(apr_pool_create(&request, testlib_pool), APR_SUCCESS);
    return kc_token_signature_key(child[index], "ES256", kid, request, &got, &key, &last);
}

/* A second of the background in every child. */
static void tick(void)
{
    int i;

    for (i = 0; i < CHILDREN; i++)
        kc_metadata_refresh(child[i], fake->env.http);
}

static int requests(void)
{
    return kc_fake_request_count(fake, NULL);
}

static int take_lease(void)
{
    kc_lease_t lease;

    return kc_metadata_shared_take_lease(&shared, &lease, testlib_pool);
}

/* ---------------------------------------------------------------- neighbours */

#define BASIC_ONLY ",\"token_endpoint_auth_methods_supported\":[\"client_secret_basic\"]"
#define ELSEWHERE "\"https://elsewhere.example.com/token\""

static const char origin_elsewhere[] = "https://elsewhere.example.com";

/* The good server's settings, which the provider's document fits. */
static void be_good(kc_conf_t *conf)
{
    apr_array_header_t *origins = apr_array_make(testlib_pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(origins, const char *) = origin_elsewhere;
    conf->endpoint_origins = origins;
    kc_fake_site_provide(
        site, variant_of(kc_fake_site_metadata(site, BASIC_ONLY), "token_endpoint", ELSEWHERE),
        keys_named("a"));
}

static void ask_by_jwt(kc_conf_t *conf)
{
    conf->client_auth = KC_AUTH_SECRET_JWT;
}

static void allow_no_origin(kc_conf_t *conf)
{
    conf->endpoint_origins = NULL;
}

static void show_certificate(kc_conf_t *conf)
{
    conf->client_auth = KC_AUTH_TLS;
    conf->client_cert.text = "a certificate";
    conf->client_key.text = "a key";
}

static void hurry(kc_conf_t *conf)
{
    conf->http_timeout = 7;
}

static void lead_browsers_elsewhere(kc_conf_t *conf)
{
    conf->endpoint_origins = NULL;
    conf->auth_url = "https://another.example.com/auth";
}

static const struct {
    void (*change)(kc_conf_t *conf);
    int is_unfit; /* the document does not fit it */
    int is_way;   /* it asks in a way of its own */
} neighbours[] = {
    {ask_by_jwt, 1, 0},       {allow_no_origin, 1, 0}, {lead_browsers_elsewhere, 1, 0},
    {show_certificate, 1, 1}, {hurry, 0, 1},
};

enum { NEIGHBOURS = sizeof(neighbours) / sizeof(neighbours[0]) };

static kc_conf_t *neighbours_conf(int which)
{
    kc_conf_t *conf = apr_pmemdup(testlib_pool, site->conf, sizeof(*conf));

    neighbours[which].change(conf);
    return conf;
}

static kc_metadata_t *neighbour(int which)
{
    kc_metadata_t *metadata;

    ck_assert_int_eq(
        kc_metadata_create(neighbours_conf(which), &fake->env, testlib_pool, &metadata, NULL),
        KC_OK);
    return metadata;
}

static void make_good(int index)
{
    be_good(site->conf);
    child[index] = new_child(&fake->env);
}

/* threats.md R 208 */
START_TEST(what_does_not_fit_one_server_fits_the_others)
{
    kc_metadata_t *bad;

    make_good(0);
    bad = neighbour(_i);
    ck_assert_int_eq(kc_metadata_get(bad, testlib_pool, &got, &last) != KC_OK,
                     neighbours[_i].is_unfit);
    ck_assert_int_eq(get(0), KC_OK); /* in the same moment */
    fake->now += site->conf->metadata_ttl + 1;
    kc_metadata_refresh(bad, fake->env.http);
    ck_assert_int_eq(get(0), KC_OK);
    ck_assert_int_eq(got->fetched, fake->now); /* fetched anew, or by the neighbour */
}
END_TEST

/* Documents are everybody's: who finds some fetches none. */
START_TEST(documents_are_shared_with_whom_they_fit)
{
    kc_metadata_t *other;
    int asked;

    make_good(0);
    ck_assert_int_eq(get(0), KC_OK);
    asked = requests();
    other = neighbour(_i);
    ck_assert_int_eq(kc_metadata_get(other, testlib_pool, &got, &last) != KC_OK,
                     neighbours[_i].is_unfit);
    ck_assert_int_eq(requests() > asked, neighbours[_i].is_unfit);
}
END_TEST

/* The lease and the minute of unknown kids are no neighbour's to use up. */
START_TEST(no_neighbour_keeps_a_server_from_fetching)
{
    kc_metadata_shared_t mine, other;
    kc_lease_t lease;

    be_good(site->conf);
    ck_assert_int_eq(kc_metadata_shared_init(site->conf, &fake->env, testlib_pool, &mine, NULL),
                     KC_OK);
    ck_assert_int_eq(
        kc_metadata_shared_init(neighbours_conf(_i), &fake->env, testlib_pool, &other, NULL),
        KC_OK);
    ck_assert_int_eq(kc_metadata_shared_take_lease(&other, &lease, testlib_pool), 1);
    ck_assert_int_eq(kc_metadata_shared_take_lease(&mine, &lease, testlib_pool), 1);
    ck_assert_int_eq(kc_metadata_shared_take_minute(&other, 0, testlib_pool), 1);
    ck_assert_int_eq(kc_metadata_shared_take_minute(&mine, 0, testlib_pool), 1);
    ck_assert_int_eq(kc_metadata_shared_take_minute(&other, 1, testlib_pool), 1);
    ck_assert_int_eq(kc_metadata_shared_take_minute(&mine, 1, testlib_pool), 1);
    ck_assert_int_eq(kc_metadata_shared_take_minute(&mine, 1, testlib_pool), 0);
    ck_assert_str_eq(mine.documents, other.documents);
}
END_TEST

/* That the provider does not answer is told to all who ask in the same way. */
START_TEST(an_outage_is_shared_by_those_who_ask_alike)
{
    kc_metadata_t *other;
    int asked;

    make_good(0);
    other = neighbour(_i);
    fake->http.is_down = 1;
    ck_assert_int_eq(get(0), KC_DOWN);
    asked = requests();
    ck_assert_int_eq(kc_metadata_get(other, testlib_pool, &got, &last), KC_DOWN);
    ck_assert_int_eq(requests() > asked, neighbours[_i].is_way);
}
END_TEST

/* ---------------------------------------------------------------- one fetch for the host */

/* Answers slowly, or does what a test wants to happen meanwhile. */
typedef struct busy_http_t {
    kc_http_t http; /* first */
    const char *metadata, *keys;
    apr_uint32_t discoveries, key_sets;
    void (*meanwhile)(void);
} busy_http_t;

static busy_http_t busy;

static kc_rc_t busy_perform(kc_http_t *http, const kc_http_request_t *request, apr_pool_t *pool,
                            kc_http_response_t *response, kc_err_t *err)
{
    int is_keys = strcmp(request->url, KC_FAKE_JWKS) == 0;

    (void)http;
    (void)err;
    apr_atomic_inc32(is_keys ? &busy.key_sets : &busy.discoveries);
    busy.meanwhile();
    response->status = 200;
    response->content_type = "application/json";
    response->body = apr_pstrdup(pool, is_keys ? busy.keys : busy.metadata);
    response->body_len = strlen(response->body);
    return KC_OK;
}

static void be_busy(void (*meanwhile)(void))
{
    memset(&busy, 0, sizeof(busy));
    busy.http.perform = busy_perform;
    busy.metadata = kc_fake_site_metadata(site, "");
    busy.keys = keys_named("a");
    busy.meanwhile = meanwhile;
    fake->env.http = &busy.http;
}

static apr_uint32_t started, failed;

static void until_all_have_started(void)
{
    while (apr_atomic_read32(&started) < CHILDREN * THREADS)
        apr_thread_yield();
}

static void *APR_THREAD_FUNC ask(apr_thread_t *thread, void *metadata)
{
    const kc_metadata_snapshot_t *snapshot;
    apr_pool_t *pool;

    (void)thread;
    apr_atomic_inc32(&started);
    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS)
        abort();
    if (kc_metadata_get(metadata, pool, &snapshot, NULL) != KC_OK)
        apr_atomic_inc32(&failed);
    apr_pool_destroy(pool);
    return NULL;
}

/* With the real store: the fake one is not for threads. */
/* What another child has fetched since is taken at once, however lately this one has failed. */
START_TEST(a_child_that_has_just_failed_takes_what_another_has_fetched)
{
    kc_fake_answer_down(fake, KC_FAKE_DISCOVERY, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(get(0), KC_DOWN);
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""), keys_named("a"));
    fake->now += 20;
    ck_assert_int_eq(get(0), KC_OK);
    kc_metadata_shared_drop_failure(&shared);
    fake->now += site->conf->metadata_stale + site->conf->metadata_ttl;
    kc_fake_answer_down(fake, KC_FAKE_DISCOVERY, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(get(1), KC_DOWN);
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""), keys_named("b"));
    kc_metadata_shared_drop_failure(&shared);
    ck_assert_int_eq(get(2), KC_OK);
    ck_assert_int_eq(get(1), KC_OK); /* in the same second */
}
END_TEST

/* Who trusts other certificates must not take over what these have brought. */
START_TEST(documents_belong_to_those_who_trust_alike)
{
    kc_metadata_shared_t other;

    site->conf->ca_file.text = "another authority";
    ck_assert_int_eq(kc_metadata_shared_init(site->conf, &fake->env, testlib_pool, &other, NULL),
                     KC_OK);
    ck_assert_str_ne(other.documents, shared.documents);
    site->conf->ca_file.text = NULL;
    ck_assert_int_eq(kc_metadata_shared_init(site->conf, &fake->env, testlib_pool, &other, NULL),
                     KC_OK);
    ck_assert_str_eq(other.documents, shared.documents);
}
END_TEST

/* A system's bundle of authorities, such as Debian's, has more than 64 KiB. */
START_TEST(many_authorities_are_no_obstacle)
{
    char *text = apr_palloc(testlib_pool, KC_CONF_FILE_MAX + 1);
    kc_metadata_shared_t one, other;

    memset(text, 'x', KC_CONF_FILE_MAX);
    text[KC_CONF_FILE_MAX] = 0;
    site->conf->ca_file.text = text;
    site->conf->client_auth = KC_AUTH_TLS;
    site->conf->client_cert.text = text;
    site->conf->client_key.text = text;
    ck_assert_int_eq(kc_metadata_shared_init(site->conf, &fake->env, testlib_pool, &one, NULL),
                     KC_OK);
    site->conf->ca_file.text = apr_pstrcat(testlib_pool, text + 1, "y", NULL);
    ck_assert_int_eq(kc_metadata_shared_init(site->conf, &fake->env, testlib_pool, &other, NULL),
                     KC_OK);
    ck_assert_str_ne(other.documents, one.documents);
}
END_TEST

START_TEST(all_threads_of_all_children_lead_to_one_fetch)
{
    apr_thread_t *threads[CHILDREN * THREADS];
    apr_status_t status;
    int i;

    site->conf->http_timeout = 20000;
    ck_assert_int_eq(
        kc_store_shm_create(1024 * 1024, fake->env.now, fake, testlib_pool, &fake->env.host, NULL),
        KC_OK);
    started = failed = 0;
    be_busy(until_all_have_started);
    for (i = 0; i < CHILDREN * THREADS; i++)
        ck_assert_int_eq(
            apr_thread_create(&threads[i], NULL, ask, child[i % CHILDREN], testlib_pool),
            APR_SUCCESS);
    for (i = 0; i < CHILDREN * THREADS; i++)
        ck_assert_int_eq(apr_thread_join(&status, threads[i]), APR_SUCCESS);
    ck_assert_uint_eq(failed, 0);
    ck_assert_uint_eq(busy.discoveries, 1);
    ck_assert_uint_eq(busy.key_sets, 1);
}
END_TEST

START_TEST(a_dead_owners_lease_ends_by_itself)
{
    ck_assert(take_lease());
    ck_assert_int_eq(get(0), KC_DOWN); /* waits as long as a fetch may take, and no longer */
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_BUSY);
    fake->now += LEASE - 1;
    tick();
    ck_assert_int_eq(requests(), 0);
    fake->now += 1;
    ck_assert_int_eq(get(0), KC_OK);
    ck_assert_int_eq(requests(), 2);
    ck_assert(take_lease()); /* it has been given back */
}
END_TEST

static int64_t hasty_now(void *context)
{
    kc_fake_t *world = context;
    static int calls;

    world->now += ++calls % 8 == 0;
    return world->now;
}

START_TEST(who_waits_takes_over_when_the_lease_ends)
{
    site->conf->http_timeout = 5000; /* and no request waits longer than that */
    ck_assert(take_lease());
    fake->env.now = hasty_now;
    ck_assert_int_eq(get(0), KC_OK);
    ck_assert_int_eq(requests(), 2);
}
END_TEST

static void assert_leased(void)
{
    fake->now += LEASE - 1;
    ck_assert(!take_lease());
}

START_TEST(the_lease_outlives_both_exchanges)
{
    be_busy(assert_leased);
    ck_assert_int_eq(get(0), KC_OK);
    ck_assert_uint_eq(busy.key_sets, 1);
}
END_TEST

START_TEST(who_waits_takes_a_place_before_the_provider)
{
    kc_http_gate_t gate;

    kc_http_gate_init(&gate, 1, 0);
    ck_assert(kc_http_gate_enter(&gate));
    ck_assert(take_lease());
    fake->env.gate = &gate;
    ck_assert_int_eq(get(0), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_BUSY);
    ck_assert_uint_eq(gate.taken, 1);
    gate.taken = 0;
    ck_assert_int_eq(get(0), KC_DOWN);
    ck_assert_uint_eq(gate.taken, 0);
}
END_TEST

START_TEST(who_has_old_ones_does_not_wait_for_the_owner)
{
    int64_t began;

    tick();
    fake->now += site->conf->metadata_ttl;
    ck_assert(take_lease());
    site->conf->http_timeout = 60000;
    began = apr_time_now();
    ck_assert_int_eq(get(0), KC_OK);
    ck_assert_int_lt(apr_time_now() - began, apr_time_from_sec(60));
    ck_assert_int_eq(requests(), 2);
}
END_TEST

/* ---------------------------------------------------------------- failures */

START_TEST(a_failure_counts_for_all_children)
{
    int i;

    kc_fake_answer(fake, KC_FAKE_JWKS, 200, "application/json", "{}");
    for (i = 0; i < CHILDREN; i++) {
        ck_assert_int_eq(get(i), KC_DOWN);
        ck_assert_int_eq(last.reason, KC_ERR_KEYS);
        ck_assert_uint_gt(strlen(last.detail), 0);
    }
    ck_assert_int_eq(requests(), 2);
    fake->now += 1;
    for (i = 0; i < CHILDREN; i++)
        ck_assert_int_eq(get(i), KC_DOWN);
    ck_assert_int_eq(requests(), 4);
}
END_TEST

START_TEST(a_failure_is_over_when_a_fetch_goes_well)
{
    site->conf->metadata_ttl = 5;
    fake->http.is_down = 1;
    ck_assert_int_eq(get(0), KC_DOWN);
    fake->http.is_down = 0;
    fake->now += 1;
    ck_assert_int_eq(get(0), KC_OK);
    ck_assert_int_eq(get(1), KC_OK);
    fake->now += 5;
    ck_assert_int_eq(get(1), KC_OK);
    ck_assert_int_eq(got->fetched, fake->now);
}
END_TEST

START_TEST(too_many_in_one_child_are_no_failure_of_the_provider)
{
    kc_fake_answer_down(fake, KC_FAKE_DISCOVERY, KC_ERR_PROVIDER_BUSY);
    ck_assert_int_eq(get(0), KC_DOWN);
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""), keys_named("a"));
    ck_assert_int_eq(get(1), KC_OK);
}
END_TEST

/* K 149: its next try may hang. */
START_TEST(nobody_waits_for_a_provider_that_has_failed)
{
    site->conf->http_timeout = 60000;
    fake->http.is_down = 1;
    ck_assert_int_eq(get(0), KC_DOWN);
    fake->now += 5;
    ck_assert(take_lease());
    ck_assert_int_eq(get(0), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(get(1), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(requests(), 1);
}
END_TEST

START_TEST(a_damaged_failure_of_others_is_passed_over)
{
    kc_fake_entry_t *entry;
    size_t whole, len;

    fake->http.is_down = 1;
    ck_assert_int_eq(get(0), KC_DOWN);
    fake->http.is_down = 0;
    entry = kc_fake_store_entry(&fake->host, shared.failure);
    whole = entry->len;
    ck_assert_uint_gt(whole, 12);
    for (len = 0; len < 12; len++) {
        int64_t failed_at;

        entry->len = len;
        ck_assert(!kc_metadata_shared_get_failure(&shared, 10000, testlib_pool, &failed_at, &last));
    }
    entry->len = whole;
    entry->data[11] = 0xff; /* a reason that is none */
    ck_assert_int_eq(get(1), KC_OK);
}
END_TEST

START_TEST(an_older_generation_has_no_say)
{
    kc_env_t env = fake->env;

    fake->http.is_down = 1;
    ck_assert_int_eq(get(0), KC_DOWN);
    fake->http.is_down = 0;
    ck_assert(take_lease());
    env.generation = 1;
    child[0] = new_child(&env);
    ck_assert_int_eq(get(0), KC_OK);
}
END_TEST

/* ---------------------------------------------------------------- the background */

START_TEST(the_background_keeps_all_children_fresh_and_no_request_fetches)
{
    int64_t second;
    int i, rounds = 0;

    fake->env.http = NULL; /* of requests */
    for (second = 0; second < 3 * site->conf->metadata_ttl; second++) {
        for (i = 0; i < CHILDREN; i++)
            kc_metadata_refresh(child[i], &fake->http.http);
        for (i = 0; second > 0 && i < CHILDREN; i++)
            ck_assert_int_eq(get(i), KC_OK);
        rounds += second % (site->conf->metadata_ttl / 5 * 4) == 0;
        fake->now++;
    }
    ck_assert_int_eq(rounds, 4);
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_DISCOVERY), rounds);
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_JWKS), rounds);
}
END_TEST

START_TEST(after_a_failure_the_background_tries_each_ten_seconds)
{
    int second;

    tick();
    fake->http.is_down = 1;
    fake->now += site->conf->metadata_ttl;
    for (second = 0; second < 100; second++) {
        tick();
        ck_assert_int_eq(get(second % CHILDREN), KC_OK);
        fake->now++;
    }
    ck_assert_int_eq(requests(), 2 + 10);
    fake->http.is_down = 0;
    tick();
    ck_assert_int_eq(get(0), KC_OK);
    ck_assert_int_eq(got->fetched, fake->now);
}
END_TEST

/* httpd was started before the provider: what nobody can go on without is looked for often, but by
 * one child alone. */
START_TEST(with_nothing_to_go_on_with_the_background_tries_each_half_second)
{
    int i;

    fake->http.is_down = 1;
    for (i = 0; i < 50; i++) { /* five seconds */
        tick();
        fake->millis += 100;
    }
    ck_assert_int_eq(requests(), 10);
    fake->http.is_down = 0;
    tick();
    ck_assert_int_eq(requests(), 12);
    for (i = 0; i < CHILDREN; i++)
        ck_assert_int_eq(get(i), KC_OK);
    ck_assert_int_eq(requests(), 12);
}
END_TEST

/* ---------------------------------------------------------------- a probe of readiness */

static kc_rc_t probe(int index)
{
    memset(&last, 0, sizeof(last));
    return kc_metadata_probe(child[index], fake->env.http, &last);
}

START_TEST(a_probe_is_content_with_what_is_known_however_old)
{
    ck_assert_int_eq(probe(0), KC_OK);
    ck_assert_int_eq(requests(), 2);
    ck_assert_int_eq(probe(0), KC_OK);
    ck_assert_int_eq(probe(1), KC_OK); /* what the other child has fetched */
    fake->http.is_down = 1;
    fake->now += site->conf->metadata_stale - 1;
    ck_assert_int_eq(probe(0), KC_OK);
    ck_assert_int_eq(probe(1), KC_OK);
    ck_assert_int_eq(requests(), 2);
    fake->now += 1;
    ck_assert_int_eq(probe(0), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(requests(), 3);
}
END_TEST

START_TEST(probes_fetch_at_most_each_half_second)
{
    int i;

    fake->http.is_down = 1;
    for (i = 0; i < 100; i++) {
        ck_assert_int_eq(probe(i % CHILDREN), KC_DOWN);
        ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_DOWN);
    }
    ck_assert_int_eq(requests(), 1);
    fake->http.is_down = 0;
    fake->millis += 499;
    ck_assert_int_eq(probe(0), KC_DOWN);
    ck_assert_int_eq(probe(1), KC_DOWN);
    ck_assert_int_eq(requests(), 1);
    fake->millis += 1;
    ck_assert_int_eq(probe(0), KC_OK);
    ck_assert_int_eq(requests(), 3);
}
END_TEST

START_TEST(a_probe_that_may_not_fetch_looks_alone)
{
    ck_assert_int_eq(kc_metadata_probe(child[0], NULL, &last), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_BUSY);
    ck_assert_int_eq(requests(), 0);
    ck_assert_int_eq(get(1), KC_OK);
    ck_assert_int_eq(kc_metadata_probe(child[0], NULL, &last), KC_OK);
    ck_assert_int_eq(requests(), 2);
}
END_TEST

static void probe_meanwhile(void)
{
    ck_assert_int_eq(probe(0), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_BUSY);
    ck_assert_int_eq(probe(1), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_BUSY);
}

/* With a wait limit of a minute this would not end in time. */
START_TEST(a_probe_waits_for_nobody_who_fetches)
{
    site->conf->http_timeout = 60000;
    be_busy(probe_meanwhile);
    kc_metadata_refresh(child[0], &busy.http);
    ck_assert_uint_eq(busy.discoveries, 1);
    ck_assert_uint_eq(busy.key_sets, 1);
    ck_assert_int_eq(probe(0), KC_OK);
    ck_assert_int_eq(probe(1), KC_OK);
}
END_TEST

static void ask_meanwhile(void)
{
    kc_env_t *env = &fake->env;
    kc_http_t *http = env->http;

    env->http = NULL; /* a request that fetched now would end here */
    ck_assert_int_eq(get(0), KC_OK);
    ck_assert_int_eq(got->fetched, KC_FAKE_NOW);
    ck_assert_int_eq(get(1), KC_OK);
    env->http = http;
}

/* K 149 */
START_TEST(requests_go_on_while_the_background_hangs)
{
    tick();
    tick();
    fake->now += site->conf->metadata_ttl;
    site->conf->http_timeout = 60000;
    be_busy(ask_meanwhile);
    kc_metadata_refresh(child[0], &busy.http);
    ck_assert_uint_eq(busy.key_sets, 1);
}
END_TEST

static void ask_in_vain(void)
{
    ck_assert_int_eq(get(0), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_DOWN);
}

START_TEST(sign_ins_are_told_at_once_while_the_background_tries_again)
{
    fake->http.is_down = 1;
    tick();
    fake->now += 10;
    site->conf->http_timeout = 60000;
    be_busy(ask_in_vain);
    kc_metadata_refresh(child[0], &busy.http);
    ck_assert_uint_eq(busy.key_sets, 1);
    ck_assert_int_eq(get(0), KC_OK);
}
END_TEST

static void ask_for_what_another_has_put(void)
{
    const kc_metadata_documents_t documents = {kc_buf_text(busy.metadata), kc_buf_text(busy.keys),
                                               fake->env.now(fake->env.context)};

    kc_metadata_shared_put(&shared, &documents, documents.fetched + HOUR, testlib_pool);
    ck_assert_int_eq(get(0), KC_OK);
}

START_TEST(what_another_child_has_is_taken_while_this_one_tries_again)
{
    fake->http.is_down = 1;
    tick();
    fake->now += 10;
    be_busy(ask_for_what_another_has_put);
    kc_metadata_refresh(child[0], &busy.http);
    ck_assert_uint_eq(busy.key_sets, 1);
    ck_assert_int_eq(get(0), KC_OK);
}
END_TEST

static void assert_logged(int index, kc_log_level_t level, const char *tag, const char *text)
{
    const kc_fake_log_t *lines = (const void *)fake->log->elts;

    tick();
    tick();
    ck_assert_int_eq(fake->log->nelts, index + 1);
    ck_assert_int_eq(lines[index].level, level);
    ck_assert_ptr_nonnull(strstr(lines[index].text, tag));
    ck_assert_ptr_nonnull(strstr(lines[index].text, KC_FAKE_ISSUER));
    ck_assert_ptr_nonnull(strstr(lines[index].text, text));
}

START_TEST(changes_are_logged_once)
{
    int i;

    tick();
    ck_assert_int_eq(fake->log->nelts, 0);
    fake->now += site->conf->metadata_ttl;
    fake->http.is_down = 1;
    assert_logged(0, KC_LOG_WARNING, "KC0201", "kept");
    for (i = 0; i < 3; i++) {
        fake->now += 10;
        kc_metadata_refresh(child[0], fake->env.http);
    }
    ck_assert_int_eq(fake->log->nelts, 1);
    fake->http.is_down = 0;
    kc_fake_answer(fake, KC_FAKE_JWKS, 200, "application/json", "{}");
    fake->now += 10;
    assert_logged(1, KC_LOG_WARNING, "KC0206", "kept");
    fake->now += site->conf->metadata_stale;
    assert_logged(2, KC_LOG_ERROR, "KC0206", "cannot be fetched");
    kc_fake_answer(fake, KC_FAKE_JWKS, 200, "application/json", keys_named("b"));
    fake->now += 10;
    assert_logged(3, KC_LOG_INFO, "KC0206", "again");
}
END_TEST

START_TEST(a_key_that_is_left_out_is_no_failure)
{
    const char *keys =
        apr_pstrcat(testlib_pool, "{\"keys\":[", testlib_private_jwk(TESTLIB_P256, ""), ",",
                    testlib_jwk(TESTLIB_P256, ""), "]}", NULL);

    kc_fake_answer(fake, KC_FAKE_JWKS, 200, "application/json", keys);
    tick();
    tick();
    ck_assert_int_eq(get(0), KC_OK);
    assert_logged(0, KC_LOG_WARNING, "KC0206", "key without kid: it has private members");
    fake->now += site->conf->metadata_ttl;
    ck_assert_int_eq(get(0), KC_OK); /* nothing is in the way of the next try */
    ck_assert_int_eq(got->fetched, fake->now);
}
END_TEST

START_TEST(a_busy_child_is_not_worth_a_line)
{
    kc_fake_answer_down(fake, KC_FAKE_DISCOVERY, KC_ERR_PROVIDER_BUSY);
    kc_metadata_refresh(child[0], fake->env.http);
    ck_assert_int_eq(requests(), 1);
    ck_assert_int_eq(fake->log->nelts, 0);
}
END_TEST

/* ---------------------------------------------------------------- clocks */

START_TEST(a_clock_that_is_set_forward_costs_one_fetch)
{
    tick();
    fake->now += HOUR;
    tick();
    tick();
    ck_assert_int_eq(requests(), 4);
    ck_assert_int_eq(get(1), KC_OK);
    ck_assert_int_eq(got->fetched, fake->now);
    ck_assert_int_eq(requests(), 4);
}
END_TEST

/* Else keys would be an hour too old before anybody looks. _i: with the background, without */
START_TEST(a_clock_that_is_set_back_costs_one_fetch)
{
    int i;

    tick();
    tick();
    fake->now -= HOUR;
    child[CHILDREN - 1] = new_child(&fake->env); /* with what seems to come from the future */
    for (i = 0; i < 2 * CHILDREN; i++) {
        if (_i)
            tick();
        ck_assert_int_eq(get(i % CHILDREN), KC_OK);
    }
    ck_assert_int_eq(got->fetched, fake->now);
    ck_assert_int_eq(requests(), 4);
}
END_TEST

START_TEST(an_outage_after_a_clock_was_set_back_keeps_the_old_ones)
{
    tick();
    fake->now -= HOUR;
    fake->http.is_down = 1;
    tick();
    ck_assert_int_eq(get(0), KC_OK);
    ck_assert_int_eq(select_key(0, "a"), KC_OK);
}
END_TEST

/* The holder has died, and its time is over by the monotonic clock. */
START_TEST(a_lease_from_the_future_does_not_bind)
{
    ck_assert(take_lease());
    fake->now -= HOUR;
    fake->elapsed += site->conf->http_timeout + 3000;
    ck_assert_int_eq(get(0), KC_OK);
    ck_assert_int_eq(requests(), 2);
}
END_TEST

START_TEST(a_failure_from_the_future_does_not_count)
{
    fake->http.is_down = 1;
    ck_assert_int_eq(get(0), KC_DOWN);
    fake->http.is_down = 0;
    fake->now -= HOUR;
    ck_assert_int_eq(get(1), KC_OK);
}
END_TEST

START_TEST(the_minute_of_unknown_kids_is_none_from_the_future)
{
    tick();
    tick();
    ck_assert_int_eq(get(0), KC_OK);
    ck_assert_int_eq(select_key(0, "x"), KC_REFUSED);
    ck_assert_int_eq(requests(), 4);
    fake->now -= HOUR;
    fake->elapsed += 60000;
    tick();
    tick();
    ck_assert_int_eq(requests(), 6);
    kc_fake_answer(fake, KC_FAKE_JWKS, 200, "application/json", keys_named("b"));
    ck_assert_int_eq(get(0), KC_OK);
    ck_assert_int_eq(select_key(0, "b"), KC_OK);
}
END_TEST

/* ---------------------------------------------------------------- suite */

static TCase *add(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_set_timeout(tests, 300);
    tcase_add_unchecked_fixture(tests, make_keys, testlib_keys_free);
    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    suite_add_tcase(suite, tests);
    return tests;
}

static void add_neighbours(TCase *tests)
{
    tcase_add_loop_test(tests, what_does_not_fit_one_server_fits_the_others, 0, NEIGHBOURS);
    tcase_add_loop_test(tests, documents_are_shared_with_whom_they_fit, 0, NEIGHBOURS);
    tcase_add_loop_test(tests, no_neighbour_keeps_a_server_from_fetching, 0, NEIGHBOURS);
    tcase_add_loop_test(tests, an_outage_is_shared_by_those_who_ask_alike, 0, NEIGHBOURS);
}

static void add_lease(TCase *tests)
{
    tcase_add_test(tests, documents_belong_to_those_who_trust_alike);
    tcase_add_test(tests, many_authorities_are_no_obstacle);
    tcase_add_test(tests, a_child_that_has_just_failed_takes_what_another_has_fetched);
    tcase_add_test(tests, all_threads_of_all_children_lead_to_one_fetch);
    tcase_add_test(tests, a_dead_owners_lease_ends_by_itself);
    tcase_add_test(tests, who_waits_takes_over_when_the_lease_ends);
    tcase_add_test(tests, the_lease_outlives_both_exchanges);
    tcase_add_test(tests, who_waits_takes_a_place_before_the_provider);
    tcase_add_test(tests, who_has_old_ones_does_not_wait_for_the_owner);
}

static void add_probes(TCase *tests)
{
    tcase_add_test(tests, a_probe_is_content_with_what_is_known_however_old);
    tcase_add_test(tests, probes_fetch_at_most_each_half_second);
    tcase_add_test(tests, a_probe_that_may_not_fetch_looks_alone);
    tcase_add_test(tests, a_probe_waits_for_nobody_who_fetches);
}

static void add_failures(TCase *tests)
{
    tcase_add_test(tests, a_failure_counts_for_all_children);
    tcase_add_test(tests, a_failure_is_over_when_a_fetch_goes_well);
    tcase_add_test(tests, too_many_in_one_child_are_no_failure_of_the_provider);
    tcase_add_test(tests, nobody_waits_for_a_provider_that_has_failed);
    tcase_add_test(tests, a_damaged_failure_of_others_is_passed_over);
    tcase_add_test(tests, an_older_generation_has_no_say);
}

static void add_background(TCase *tests)
{
    tcase_add_test(tests, the_background_keeps_all_children_fresh_and_no_request_fetches);
    tcase_add_test(tests, after_a_failure_the_background_tries_each_ten_seconds);
    tcase_add_test(tests, with_nothing_to_go_on_with_the_background_tries_each_half_second);
    tcase_add_test(tests, requests_go_on_while_the_background_hangs);
    tcase_add_test(tests, sign_ins_are_told_at_once_while_the_background_tries_again);
    tcase_add_test(tests, what_another_child_has_is_taken_while_this_one_tries_again);
    tcase_add_test(tests, changes_are_logged_once);
    tcase_add_test(tests, a_key_that_is_left_out_is_no_failure);
    tcase_add_test(tests, a_busy_child_is_not_worth_a_line);
}

static void add_clocks(TCase *tests)
{
    tcase_add_test(tests, a_clock_that_is_set_forward_costs_one_fetch);
    tcase_add_loop_test(tests, a_clock_that_is_set_back_costs_one_fetch, 0, 2);
    tcase_add_test(tests, an_outage_after_a_clock_was_set_back_keeps_the_old_ones);
    tcase_add_test(tests, a_lease_from_the_future_does_not_bind);
    tcase_add_test(tests, a_failure_from_the_future_does_not_count);
    tcase_add_test(tests, the_minute_of_unknown_kids_is_none_from_the_future);
}

Suite *kc_test_metadata_shared(void)
{
    Suite *suite = suite_create("metadata_shared");

    add_neighbours(add(suite, "neighbours"));
    add_lease(add(suite, "lease"));
    add_failures(add(suite, "failures"));
    add_probes(add(suite, "probes"));
    add_background(add(suite, "background"));
    add_clocks(add(suite, "clocks"));
    return suite;
}
