/* The effects: clock, random, log, HTTP and stores. Core reaches the outside only through them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_ENV_H
#define KC_ENV_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "http/http.h"
#include "metrics/metrics.h"
#include "store/store.h"
#include "store/view_cache.h"

struct kc_audit_event_t; /* audit/audit.h */
struct kc_conf_watch_t;

/* One for each server and child. Every callback is safe to call from several threads at once. */
typedef struct kc_env_t {
    /* Seconds since 1970-01-01 UTC. */
    int64_t (*now)(void *context);
    /* The same clock in milliseconds. */
    int64_t (*now_ms)(void *context);
    /* Milliseconds of a monotonic clock, which has no date. */
    int64_t (*elapsed_ms)(void *context);
    /* Fills out with len bytes fit for keys. After anything except KC_OK out must not be used. */
    kc_rc_t (*random)(void *context, unsigned char *out, size_t len);
    /* Logs one line without secrets, with its tag. The callback escapes foreign text in it. Only
     * kc_env_log calls it. */
    void (*log)(void *context, kc_log_level_t level, const char *line);
    /* Writes an audit event (kc_audit_tell); NULL: the server has no audit log. */
    void (*audit)(void *context, const struct kc_audit_event_t *event);
    void *context;
    int generation; /* of httpd's children: counts graceful restarts */
    kc_http_t *http;
    struct kc_conf_watch_t *files; /* of the settings, with their present content (conf_watch.h);
                                      NULL: what they were at the start */
    kc_http_gate_t *gate;    /* limits the threads that wait for the provider; NULL: no limit */
    kc_http_gate_t *waiters; /* limits the threads that wait while another request renews a session;
                                NULL: no limit */
    kc_store_t *sessions;    /* sessions, revocation entries and one-use markers: memcached or
                                shared memory */
    kc_view_cache_t *cache;  /* first tier of the sessions; NULL: the store is asked each time */
    kc_store_t *host; /* shared memory of this host: snapshots and limits common to its children */
    kc_metrics_t *metrics; /* of this host; NULL: nothing is counted */
} kc_env_t;

/* Logs "TAG: text" at the level of the reason's row in err.def, or at another level where one
 * reason has several. The text is format (as of printf) filled in, without secrets; a line is cut
 * at 4096 bytes. Thread safe. */
void kc_env_log(const kc_env_t *env, kc_reason_t reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void kc_env_log_at(const kc_env_t *env, kc_log_level_t level, kc_reason_t reason,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
