/* What the metrics tell of calls to memcached servers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_METER_H
#define KC_STORE_METER_H

#include "metrics/metrics.h"
#include "metrics/stopwatch.h"
#include "store/store_memcached.h"

/* A call to the server with this word (kc_metrics_server) that was sent at `sent`
 * (kc_stopwatch_now) has ended. fault is used after KC_DOWN. metrics may be NULL. Thread safe. */
void kc_store_meter_got(const kc_metrics_t *metrics, size_t word, int64_t sent, kc_rc_t rc,
                        kc_breaker_fault_t fault);
/* The same of a command; its time is added to what this thread has waited for the store. */
void kc_store_meter_did(const kc_metrics_t *metrics, size_t word,
                        const kc_store_memcached_command_t *command, int64_t sent, kc_rc_t rc,
                        kc_breaker_fault_t fault);

#endif
