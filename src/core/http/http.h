/* The back channel: one bounded HTTP exchange. http_curl.c implements it; tests have a fake.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HTTP_H
#define KC_HTTP_H

#include <apr_pools.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "metrics/metrics.h"
#include "net/resolver.h"

enum { KC_HTTP_BODY_MAX = 256 * 1024 /* bytes of an answer, unless its request allows more */ };

typedef struct kc_http_request_t {
    const char *url;           /* absolute, http or https */
    const char *form;          /* application/x-www-form-urlencoded body of a POST; NULL: a GET */
    const char *authorization; /* value of Authorization, or NULL */
    int64_t timeout_ms; /* for the whole exchange, when less than the implementation's limit; 0:
                           that limit */
    size_t body_max;    /* bytes of the answer; 0: KC_HTTP_BODY_MAX */
    int is_urgent;      /* it completes something that has begun: it is not refused because many
                           wait */
    int wants_head;     /* the response is to have date and location */
    kc_metrics_endpoint_t endpoint; /* for the metrics */
} kc_http_request_t;

/* How far an exchange has come. */
typedef enum {
    KC_HTTP_STAGE_NAME,    /* the host's name was not resolved, or nothing was tried */
    KC_HTTP_STAGE_CONNECT, /* no connection came about */
    KC_HTTP_STAGE_TLS,     /* TCP is connected; TLS failed */
    KC_HTTP_STAGE_ANSWER,  /* the request was sent; the answer is missing or cannot be used */
    KC_HTTP_STAGE_DONE
} kc_http_stage_t;

/* In the pool of the exchange. */
typedef struct kc_http_response_t {
    int status;
    const char *content_type; /* "" when absent */
    const char *body;         /* followed by a NUL that is not counted; in the pool */
    size_t body_len;          /* bytes */
    kc_http_stage_t stage;    /* filled after failures too */
    const char *address;      /* numeric, of the host that was reached; NULL: none was */
    const char *location;     /* with wants_head: the header's value; NULL: it is absent */
    const char *date;         /* the same */
} kc_http_response_t;

typedef struct kc_http_t kc_http_t;
struct kc_http_t {
    /* KC_OK: a complete answer, with any status. KC_DOWN with KC_ERR_PROVIDER_DOWN: refused,
     * unresolved, TLS failed, deadline passed, cut short, or too large. KC_DOWN with
     * KC_ERR_PROVIDER_BUSY: it was not sent, because the gate did not admit it. Redirects are not
     * followed; compressed answers are neither requested nor decompressed. The detail names the
     * host, never the query, the form or the authorization. KC_REFUSED with
     * KC_ERR_DISCOVERY_ENDPOINT: the URL is neither http nor https. The body is cleansed with pool.
     * Thread safe. */
    kc_rc_t (*perform)(kc_http_t *http, const kc_http_request_t *request, apr_pool_t *pool,
                       kc_http_response_t *response, kc_err_t *err);
};

/* A queue of waiting threads. */
typedef struct kc_turns_t {
    struct kc_turn_t *first;
    struct kc_turn_t **end;
    uint32_t count;
} kc_turns_t;

/* Limits how many threads of this process may talk to the provider at once, for all its servers,
 * and how many may wait for a slot, first come first served. A provider that hangs must leave
 * threads for other requests. */
typedef struct kc_http_gate_t {
    pthread_mutex_t lock;
    uint32_t limit;
    uint32_t queue;
    uint32_t taken;
    int is_suspect;         /* the last exchange that ended had no answer */
    int64_t moved_ms;       /* when there was last an answer, or a free slot */
    kc_turns_t waiting;     /* for a slot */
    kc_turns_t lingering;   /* without wanting a slot: they give way to threads that want one */
    uint64_t *taken_shown;  /* words that taken is written to, for the metrics; NULL: none */
    uint64_t *queued_shown; /* the same for the threads that wait */
} kc_http_gate_t;

/* After this time without any answer no thread waits for a slot any more. */
enum { KC_HTTP_GATE_STALL_MS = 2000 };

/* limit: slots, at least 1. queue: how many threads may wait. */
void kc_http_gate_init(kc_http_gate_t *gate, uint32_t limit, uint32_t queue);
/* Before threads use it: has the numbers of threads with a slot and of those that wait written to
 * these words (kc_metrics_value); either may be NULL. */
void kc_http_gate_show(kc_http_gate_t *gate, uint64_t *taken, uint64_t *queued);
/* 1 and a slot taken, or 0 at once. Thread safe. */
int kc_http_gate_enter(kc_http_gate_t *gate);
/* 1 and a slot taken, after all threads that wait already. 0 when:
 *   - time (milliseconds) has passed;
 *   - the queue is full (unless is_urgent);
 *   - *stop is not 0 (NULL: never);
 *   - there has been no answer for KC_HTTP_GATE_STALL_MS; or at once, when the last exchange
 *     failed.
 *
 * Thread safe. */
int kc_http_gate_wait(kc_http_gate_t *gate, int64_t time, int is_urgent, const uint32_t *stop);
/* Waits for time (milliseconds) without a slot, as one of the threads that may wait, and returns 1.
 * 0 at once when the queue is full, or as soon as a thread comes that waits for a slot: any client
 * can cause this waiting. Thread safe. */
int kc_http_gate_linger(kc_http_gate_t *gate, int64_t time);
/* Passes the slot to the next thread that waits. */
void kc_http_gate_leave(kc_http_gate_t *gate);
/* Waits for a slot for a request that may take limit_ms in all, or its own timeout_ms when that is
 * less: the wait is part of that time. KC_OK: *timed is the request with the time that is left, and
 * kc_http_gate_leave has to follow. KC_DOWN, KC_ERR_PROVIDER_BUSY: no slot, or no time is left. */
kc_rc_t kc_http_gate_admit(kc_http_gate_t *gate, const kc_http_request_t *request, int64_t limit_ms,
                           const uint32_t *stop, kc_http_request_t *timed, kc_err_t *err);
/* Before leaving, after an exchange: tells whether it was answered. */
void kc_http_gate_tell(kc_http_gate_t *gate, int is_answered);

#endif
