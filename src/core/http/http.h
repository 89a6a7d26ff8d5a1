/* The back channel: one bounded HTTP exchange. http_curl.c implements it, tests fake it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HTTP_H
#define KC_HTTP_H

#include <apr_pools.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/resolver.h"

enum { KC_HTTP_BODY_MAX = 256 * 1024 /* bytes of an answer, unless its request says more */ };

typedef struct kc_http_request_t {
    const char *url;  /* absolute, http or https */
    const char *form; /* application/x-www-form-urlencoded body: makes it a POST; NULL: a GET */
    const char *authorization; /* value of Authorization, or NULL */
    int64_t timeout_ms; /* for the whole exchange, where that is less than the implementation's;
                           0: that one */
    size_t body_max;    /* bytes of the answer; 0: KC_HTTP_BODY_MAX */
    int is_urgent;      /* what was begun depends on it: it is not turned away by how many wait */
} kc_http_request_t;

typedef struct kc_http_response_t {
    int status;
    const char *content_type; /* "" when absent */
    const char *body;         /* followed by a NUL that is not counted; in the pool */
    size_t body_len;          /* bytes */
} kc_http_response_t;

typedef struct kc_http_t kc_http_t;
struct kc_http_t {
    /* KC_OK: a whole answer, whatever its status. KC_DOWN with KC_ERR_PROVIDER_DOWN: refused,
     * unresolved, TLS failed, deadline passed, cut short, over its largest size; with
     * KC_ERR_PROVIDER_BUSY: it was not sent, for the gate let it not in. Redirects are not
     * followed, compressed answers not asked for nor undone. The detail names the host, never the
     * query, the form or the authorization. KC_REFUSED with KC_ERR_DISCOVERY_ENDPOINT: the URL is
     * neither http nor https. The body is cleansed with pool. Thread safe. */
    kc_rc_t (*perform)(kc_http_t *http, const kc_http_request_t *request, apr_pool_t *pool,
                       kc_http_response_t *response, kc_err_t *err);
};

/* Who waits, the first first. */
typedef struct kc_turns_t {
    struct kc_turn_t *first;
    struct kc_turn_t **end;
    uint32_t count;
} kc_turns_t;

/* How many threads of this process may talk to the provider at once, over all its servers, and how
 * many may wait for their turn, in the order in which they came: a provider that hangs must leave
 * threads for everybody else. */
typedef struct kc_http_gate_t {
    pthread_mutex_t lock;
    uint32_t limit;
    uint32_t queue;
    uint32_t taken;
    int is_suspect;       /* the last one that left has had no answer */
    int64_t moved_ms;     /* when there was an answer last, or a place */
    kc_turns_t waiting;   /* for a place */
    kc_turns_t lingering; /* for none: they give way to who waits for one */
} kc_http_gate_t;

/* So long nobody has been answered: then nobody waits any more for a turn. */
enum { KC_HTTP_GATE_STALL_MS = 2000 };

/* limit: at least 1; queue: so many may wait. */
void kc_http_gate_init(kc_http_gate_t *gate, uint32_t limit, uint32_t queue);
/* 1 and a place taken, or 0 at once. Thread safe. */
int kc_http_gate_enter(kc_http_gate_t *gate);
/* 1 and a place taken, after all who wait already; 0 when the time (milliseconds) is over, as many
 * as may wait already (is_urgent: no matter), *stop is not 0 (NULL: never), or the queue does not
 * move: nobody has been answered for KC_HTTP_GATE_STALL_MS, or, when the last exchange was in vain,
 * at once. Thread safe. */
int kc_http_gate_wait(kc_http_gate_t *gate, int64_t time, int is_urgent, const uint32_t *stop);
/* Waits so long (milliseconds) without a turn, as one of the many that may wait, and returns 1; 0
 * at once when those wait already, or as soon as somebody comes who waits for a place: strangers
 * linger as long as they like. Thread safe. */
int kc_http_gate_linger(kc_http_gate_t *gate, int64_t time);
/* Gives the place to the next who waits. */
void kc_http_gate_leave(kc_http_gate_t *gate);
/* Before that, by who has exchanged something: whether it was answered. */
void kc_http_gate_tell(kc_http_gate_t *gate, int is_answered);

#endif
