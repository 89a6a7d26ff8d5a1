/* An environment for unit tests: a clock, random, log, stores and HTTP that tests control, and that
 * record what they were asked.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_FAKE_H
#define KC_FAKE_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/audit.h"
#include "env.h"

#define KC_FAKE_NOW 1700000000 /* where the clock starts, in seconds since 1970 */

enum { KC_FAKE_NEVER = -1 };

/* One value in a fake store. Tests may change it in place. */
typedef struct kc_fake_entry_t {
    char key[KC_STORE_KEY_LEN + 1]; /* "": the slot is free */
    unsigned char *data;
    size_t len;
    int64_t expires_at;
} kc_fake_entry_t;

/* A store in memory. Not thread safe. */
typedef struct kc_fake_store_t {
    kc_store_t store; /* first: the vtable's functions cast back */
    struct kc_fake_t *fake;
    apr_array_header_t *entries; /* of kc_fake_entry_t */
    int is_down;                 /* every call answers KC_DOWN with KC_ERR_STORE_DOWN */
    int is_silent;               /* it tells no expiry, as memcached does not */
    int is_partial;              /* others, who do not answer, may have what is not there */
    int down_after; /* so many more calls succeed, then all are down; KC_FAKE_NEVER: never */
    int gets, keys_asked, puts, adds, touches, drops; /* calls, failed ones too */
} kc_fake_store_t;

/* What HTTP was asked. All strings are copies; form and authorization are NULL when they were. */
typedef struct kc_fake_request_t {
    const char *url;
    const char *form;
    const char *authorization;
    int64_t timeout_ms;
} kc_fake_request_t;

/* Answers from a table. Not thread safe. */
typedef struct kc_fake_http_t {
    kc_http_t http; /* first */
    struct kc_fake_t *fake;
    apr_array_header_t *answers;  /* private */
    apr_array_header_t *requests; /* of kc_fake_request_t, in order */
    int is_down;                  /* every request answers KC_DOWN with KC_ERR_PROVIDER_DOWN */
    kc_http_stage_t stage;        /* how far requests come that fail */
    int64_t takes_ms; /* so long each request takes by elapsed, or until its time is over */
} kc_fake_http_t;

typedef struct kc_fake_log_t {
    kc_log_level_t level;
    const char *text;
} kc_fake_log_t;

typedef struct kc_fake_t {
    kc_env_t env; /* what the code under test gets; its context is this struct */
    apr_pool_t *pool;
    int64_t now;              /* set it at will */
    int64_t millis;           /* what now_ms adds to it */
    int64_t elapsed;          /* what elapsed_ms says */
    int is_random_broken;     /* random then answers KC_FAULT */
    kc_bytes_t random_script; /* given out first; then a fixed sequence that never repeats */
    uint64_t random_state;
    apr_array_header_t *log;   /* of kc_fake_log_t */
    apr_array_header_t *audit; /* of kc_audit_event_t, with copies of the texts */
    kc_fake_store_t sessions;  /* env.sessions */
    kc_fake_store_t host;      /* env.host */
    kc_fake_http_t http;       /* env.http */
} kc_fake_t;

/* A whole world in pool: stores empty and up, no HTTP answers, the clock at KC_FAKE_NOW. */
kc_fake_t *kc_fake_make(apr_pool_t *pool);

/* The next random bytes (copied); afterwards the fixed sequence goes on. */
void kc_fake_random(kc_fake_t *fake, const void *bytes, size_t len);

/* The answer to every request for url, compared whole, or also without its query when url has none.
 * A later answer replaces an earlier one. body may be NULL: empty. All arguments are copied. */
void kc_fake_answer(kc_fake_t *fake, const char *url, int status, const char *content_type,
                    const char *body);
/* The same for one request; those wait in a queue, and go before the lasting answer. */
void kc_fake_answer_once(kc_fake_t *fake, const char *url, int status, const char *content_type,
                         const char *body);
/* A lasting answer with these headers (NULL: absent), which requests get that want the head. */
void kc_fake_answer_head(kc_fake_t *fake, const char *url, int status, const char *location,
                         const char *date);
/* A lasting KC_DOWN with reason (KC_ERR_PROVIDER_DOWN, KC_ERR_PROVIDER_BUSY); an answer replaces
 * it. */
void kc_fake_answer_down(kc_fake_t *fake, const char *url, kc_reason_t reason);
/* How many requests url had (compared as above; NULL: all), and the last of them (NULL: none). */
int kc_fake_request_count(const kc_fake_t *fake, const char *url);
const kc_fake_request_t *kc_fake_request_last(const kc_fake_t *fake, const char *url);

/* The live or expired entry of key, or NULL; the nth entry (0 first) of those in the store, or
 * NULL. */
kc_fake_entry_t *kc_fake_store_entry(kc_fake_store_t *store, const char *key);
kc_fake_entry_t *kc_fake_store_nth(kc_fake_store_t *store, int index);
/* Entries that are there and not expired. */
int kc_fake_store_count(kc_fake_store_t *store);

/* 1 when a log line contains text. */
int kc_fake_log_has(const kc_fake_t *fake, const char *text);

#endif
