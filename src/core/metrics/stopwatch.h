/* A clock in microseconds, and how long each thread has waited for the store and for Keycloak.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STOPWATCH_H
#define KC_STOPWATCH_H

#include <stdint.h>

typedef enum { KC_STOPWATCH_STORE, KC_STOPWATCH_PROVIDER, KC_STOPWATCHES } kc_stopwatch_t;

/* Microseconds of a monotonic clock. */
int64_t kc_stopwatch_now(void);
/* Microseconds from `since`, a time of that clock, until now. They are added to what this thread
 * has waited. */
int64_t kc_stopwatch_stop(kc_stopwatch_t kind, int64_t since);
/* All microseconds that this thread has waited since it began: a request's own are the difference
 * of two readings by its thread. memcached alone counts as a store, with the wait for another
 * request's look-up; of Keycloak the wait for a slot counts too. */
int64_t kc_stopwatch_total(kc_stopwatch_t kind);

#endif
