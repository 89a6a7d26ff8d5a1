/* The effects: clock, random, log, HTTP and stores. Core reaches the world through this alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_ENV_H
#define KC_ENV_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "http/http.h"
#include "store/store.h"
#include "store/view_cache.h"

/* One for each server and child; every callback is safe to call from several threads at once. */
typedef struct kc_env_t {
    /* Seconds since 1970-01-01 UTC. */
    int64_t (*now)(void *context);
    /* The same clock in milliseconds. */
    int64_t (*now_ms)(void *context);
    /* Milliseconds of a clock that nobody sets; it has no date. */
    int64_t (*elapsed_ms)(void *context);
    /* Fills out with len bytes fit for keys; anything but KC_OK means that nothing may be used. */
    kc_rc_t (*random)(void *context, unsigned char *out, size_t len);
    /* One line without secrets, with its tag; foreign text in it is escaped by the callback. */
    void (*log)(void *context, kc_log_level_t level, const char *line);
    void *context;
    int generation; /* of httpd's children: counts graceful restarts */
    kc_http_t *http;
    kc_http_gate_t *gate;    /* before everything that waits for the provider; NULL: none */
    kc_http_gate_t *waiters; /* before who waits for a session that another renews; NULL: none */
    kc_store_t *sessions;    /* sessions, marks and one-use markers: memcached or shared memory */
    kc_view_cache_t *cache;  /* first tier of the sessions; NULL: the store is asked each time */
    kc_store_t *host; /* shared memory of this host: snapshots and limits common to its children */
} kc_env_t;

#endif
