/* What the metrics tell of calls to memcached servers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_meter.h"

static const kc_metrics_operation_t operations[] = {[KC_STORE_MEMCACHED_PUT] = KC_METRICS_PUT,
                                                    [KC_STORE_MEMCACHED_ADD] = KC_METRICS_ADD,
                                                    [KC_STORE_MEMCACHED_TOUCH] = KC_METRICS_TOUCH,
                                                    [KC_STORE_MEMCACHED_DROP] = KC_METRICS_DROP};

static void count(const kc_metrics_t *metrics, size_t word, kc_metrics_operation_t operation,
                  int64_t spent)
{
    kc_metrics_observe(metrics, KC_METRICS_CELL(store_calls, word, operation, 0), spent);
}

static void count_failure(const kc_metrics_t *metrics, size_t word, kc_rc_t rc,
                          kc_breaker_fault_t fault)
{
    kc_metrics_fault_t kind;

    if (rc != KC_DOWN)
        return;
    kind = fault == KC_BREAKER_LATE ? KC_METRICS_LATE : KC_METRICS_WRONG;
    kc_metrics_add(metrics, KC_METRICS_CELL(store_failures, word, kind, 0), 1);
}

void kc_store_meter_got(const kc_metrics_t *metrics, size_t word, int64_t sent, kc_rc_t rc,
                        kc_breaker_fault_t fault)
{
    count(metrics, word, KC_METRICS_GET, kc_stopwatch_now() - sent);
    count_failure(metrics, word, rc, fault);
}

void kc_store_meter_did(const kc_metrics_t *metrics, size_t word,
                        const kc_store_memcached_command_t *command, int64_t sent, kc_rc_t rc,
                        kc_breaker_fault_t fault)
{
    count(metrics, word, operations[command->verb], kc_stopwatch_stop(KC_STOPWATCH_STORE, sent));
    count_failure(metrics, word, rc, fault);
}
