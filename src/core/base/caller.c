/* The request that a thread works for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/caller.h"

#include <stddef.h>

static __thread kc_caller_t *current;

kc_caller_t *kc_caller_enter(kc_caller_t *caller)
{
    kc_caller_t *before = current;

    current = caller;
    return before;
}

kc_caller_t *kc_caller_now(void)
{
    return current;
}
