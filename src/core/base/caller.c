/* The request that a thread works for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/caller.h"

#include <stddef.h>
#include <time.h>

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

const char *kc_caller_line(int index)
{
    return current ? current->lines[index] : NULL;
}

static int64_t now_us(void)
{
    struct timespec time = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

int64_t kc_caller_begin(void)
{
    return current && current->depth++ == 0 ? now_us() : 0;
}

void kc_caller_end(kc_caller_wait_t wait, int64_t begun_us)
{
    if (!current || --current->depth > 0)
        return;
    current->waited_us[wait] += now_us() - begun_us;
    current->waits[wait]++;
}
