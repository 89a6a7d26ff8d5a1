/* The gate before the provider: how many threads may wait for it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

int kc_http_gate_enter(kc_http_gate_t *gate)
{
    if (__atomic_add_fetch(&gate->taken, 1, __ATOMIC_RELAXED) <= gate->limit)
        return 1;
    kc_http_gate_leave(gate);
    return 0;
}

void kc_http_gate_leave(kc_http_gate_t *gate)
{
    (void)__atomic_sub_fetch(&gate->taken, 1, __ATOMIC_RELAXED);
}
