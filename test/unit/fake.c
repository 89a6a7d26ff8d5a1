/* An environment for unit tests: clock, random, log and HTTP.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <apr_strings.h>
#include <string.h>

#include "fake_store.h"

typedef struct {
    const char *url;
    kc_reason_t reason; /* KC_ERR_NONE: an answer */
    int is_once;
    int is_spent;
    int status;
    const char *content_type;
    const char *body;
    const char *location;
    const char *date;
} answer_t;

static int64_t fake_now(void *context)
{
    return ((kc_fake_t *)context)->now;
}

static int64_t fake_now_ms(void *context)
{
    const kc_fake_t *fake = context;

    return fake->now * 1000 + fake->millis;
}

static int64_t fake_elapsed_ms(void *context)
{
    return ((const kc_fake_t *)context)->elapsed;
}

/* splitmix64: a fixed sequence, so that a failing test fails again in the same way. */
static unsigned char random_byte(kc_fake_t *fake)
{
    uint64_t z = (fake->random_state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (unsigned char)(z >> 56);
}

static kc_rc_t fake_random(void *context, unsigned char *out, size_t len)
{
    kc_fake_t *fake = context;
    size_t i;

    if (fake->is_random_broken)
        return KC_FAULT;
    for (i = 0; i < len; i++) {
        if (fake->random_script.len) {
            out[i] = *fake->random_script.data++;
            fake->random_script.len--;
        } else {
            out[i] = random_byte(fake);
        }
    }
    return KC_OK;
}

static void fake_log(void *context, kc_log_level_t level, const char *line)
{
    kc_fake_t *fake = context;
    kc_fake_log_t *entry = apr_array_push(fake->log);

    entry->level = level;
    entry->text = apr_pstrdup(fake->pool, line);
}

static const char *copy(const kc_fake_t *fake, const char *text)
{
    return text ? apr_pstrdup(fake->pool, text) : NULL;
}

static void fake_audit(void *context, const kc_audit_event_t *event)
{
    kc_fake_t *fake = context;
    kc_audit_event_t *entry = apr_array_push(fake->audit);

    *entry = *event;
    entry->user = copy(fake, event->user);
    entry->sub = copy(fake, event->sub);
    entry->act = copy(fake, event->act);
    entry->by = copy(fake, event->by);
    entry->acr = copy(fake, event->acr);
    entry->sid = copy(fake, event->sid);
}

/* 1 when a request for url is what the table calls pattern. */
static int is_match(const char *pattern, const char *url)
{
    size_t len = strlen(pattern);

    if (!strcmp(pattern, url))
        return 1;
    return !strchr(pattern, '?') && !strncmp(pattern, url, len) && url[len] == '?';
}

/* The oldest unspent answer for once, else the latest lasting one. */
static answer_t *answer_find(kc_fake_http_t *http, const char *url)
{
    answer_t *answers = (answer_t *)(void *)http->answers->elts;
    answer_t *lasting = NULL;
    int i;

    for (i = 0; i < http->answers->nelts; i++) {
        if (answers[i].is_spent || !is_match(answers[i].url, url))
            continue;
        if (answers[i].is_once) {
            answers[i].is_spent = 1;
            return &answers[i];
        }
        lasting = &answers[i];
    }
    return lasting;
}

static void request_record(kc_fake_http_t *http, const kc_http_request_t *request)
{
    apr_pool_t *pool = http->fake->pool;
    kc_fake_request_t *record = apr_array_push(http->requests);

    record->url = apr_pstrdup(pool, request->url);
    record->form = apr_pstrdup(pool, request->form);
    record->authorization = apr_pstrdup(pool, request->authorization);
    record->timeout_ms = request->timeout_ms;
}

static kc_rc_t fake_perform(kc_http_t *handle, const kc_http_request_t *request, apr_pool_t *pool,
                            kc_http_response_t *response, kc_err_t *err)
{
    kc_fake_http_t *http = (kc_fake_http_t *)handle;
    const answer_t *answer;

    memset(response, 0, sizeof(*response));
    request_record(http, request);
    response->stage = http->stage;
    if (request->timeout_ms && http->takes_ms > request->timeout_ms) {
        http->fake->elapsed += request->timeout_ms;
        return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_DOWN, "fake: the time is over");
    }
    http->fake->elapsed += http->takes_ms;
    if (http->is_down)
        return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_DOWN, "fake: told to be down");
    answer = answer_find(http, request->url);
    if (!answer)
        return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_DOWN, "fake: no answer for %s", request->url);
    if (answer->reason != KC_ERR_NONE)
        return KC_FAIL(err, KC_DOWN, answer->reason, "fake: told to fail");
    if (strlen(answer->body) > (request->body_max ? request->body_max : KC_HTTP_BODY_MAX))
        return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_DOWN, "fake: the answer is too long");
    response->stage = KC_HTTP_STAGE_DONE;
    response->status = answer->status;
    response->location = request->wants_head ? answer->location : NULL;
    response->date = request->wants_head ? answer->date : NULL;
    response->content_type = apr_pstrdup(pool, answer->content_type);
    response->body = apr_pstrdup(pool, answer->body);
    response->body_len = strlen(answer->body);
    return KC_OK;
}

kc_fake_t *kc_fake_make(apr_pool_t *pool)
{
    kc_fake_t *fake = apr_pcalloc(pool, sizeof(*fake));

    fake->pool = pool;
    fake->now = KC_FAKE_NOW;
    fake->log = apr_array_make(pool, 16, sizeof(kc_fake_log_t));
    fake->audit = apr_array_make(pool, 16, sizeof(kc_audit_event_t));
    kc_fake_store_init(&fake->sessions, fake);
    kc_fake_store_init(&fake->host, fake);
    fake->http.http.perform = fake_perform;
    fake->http.fake = fake;
    fake->http.answers = apr_array_make(pool, 16, sizeof(answer_t));
    fake->http.requests = apr_array_make(pool, 16, sizeof(kc_fake_request_t));
    fake->env.now = fake_now;
    fake->env.now_ms = fake_now_ms;
    fake->env.elapsed_ms = fake_elapsed_ms;
    fake->env.random = fake_random;
    fake->env.log = fake_log;
    fake->env.audit = fake_audit;
    fake->env.context = fake;
    fake->env.http = &fake->http.http;
    fake->env.sessions = &fake->sessions.store;
    fake->env.host = &fake->host.store;
    (void)kc_metrics_attach(apr_pcalloc(fake->pool, kc_metrics_size()), fake->pool,
                            &fake->env.metrics, NULL);
    return fake;
}

void kc_fake_random(kc_fake_t *fake, const void *bytes, size_t len)
{
    fake->random_script.data = apr_pmemdup(fake->pool, bytes, len);
    fake->random_script.len = len;
}

static answer_t *answer_push(kc_fake_t *fake, const char *url, int is_once)
{
    answer_t *answer = apr_array_push(fake->http.answers);

    memset(answer, 0, sizeof(*answer));
    answer->url = apr_pstrdup(fake->pool, url);
    answer->is_once = is_once;
    return answer;
}

static void answer_fill(kc_fake_t *fake, answer_t *answer, int status, const char *content_type,
                        const char *body)
{
    answer->status = status;
    answer->content_type = apr_pstrdup(fake->pool, content_type ? content_type : "");
    answer->body = apr_pstrdup(fake->pool, body ? body : "");
}

void kc_fake_answer(kc_fake_t *fake, const char *url, int status, const char *content_type,
                    const char *body)
{
    answer_fill(fake, answer_push(fake, url, 0), status, content_type, body);
}

void kc_fake_answer_once(kc_fake_t *fake, const char *url, int status, const char *content_type,
                         const char *body)
{
    answer_fill(fake, answer_push(fake, url, 1), status, content_type, body);
}

void kc_fake_answer_head(kc_fake_t *fake, const char *url, int status, const char *location,
                         const char *date)
{
    answer_t *answer = answer_push(fake, url, 0);

    answer_fill(fake, answer, status, "text/html", "");
    answer->location = apr_pstrdup(fake->pool, location);
    answer->date = apr_pstrdup(fake->pool, date);
}

void kc_fake_answer_down(kc_fake_t *fake, const char *url, kc_reason_t reason)
{
    answer_push(fake, url, 0)->reason = reason;
}

int kc_fake_request_count(const kc_fake_t *fake, const char *url)
{
    const kc_fake_request_t *requests = (const void *)fake->http.requests->elts;
    int count = 0;
    int i;

    for (i = 0; i < fake->http.requests->nelts; i++)
        count += !url || is_match(url, requests[i].url);
    return count;
}

const kc_fake_request_t *kc_fake_request_last(const kc_fake_t *fake, const char *url)
{
    const kc_fake_request_t *requests = (const void *)fake->http.requests->elts;
    int i;

    for (i = fake->http.requests->nelts - 1; i >= 0; i--) {
        if (!url || is_match(url, requests[i].url))
            return &requests[i];
    }
    return NULL;
}

int kc_fake_log_has(const kc_fake_t *fake, const char *text)
{
    const kc_fake_log_t *lines = (const void *)fake->log->elts;
    int i;

    for (i = 0; i < fake->log->nelts; i++) {
        if (strstr(lines[i].text, text))
            return 1;
    }
    return 0;
}
