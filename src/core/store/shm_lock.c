/* A lock in shared memory: a robust mutex, waited for in short spans.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/shm_lock.h"

#include <errno.h>
#include <time.h>

enum { SPAN_MS = 100 };

int kc_shm_lock_init(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    int status = pthread_mutexattr_init(&attributes);

    if (status)
        return status;
    status = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (!status)
        status = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    if (!status)
        status = pthread_mutex_init(mutex, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    return status;
}

/* Uses the calendar clock, because POSIX has no such call with a monotonic one. If that clock is
 * set back now, the owner's unlock or death still ends the wait. */
static int take_within(pthread_mutex_t *mutex, int64_t span_ms)
{
    struct timespec limit;

    (void)clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_nsec += span_ms * 1000000L;
    limit.tv_sec += limit.tv_nsec / 1000000000L;
    limit.tv_nsec %= 1000000000L;
    return pthread_mutex_timedlock(mutex, &limit);
}

/* Spans are counted, not measured. When all processes are stopped and continue together (a
 * container at its quota), the owner still gets the whole waiting time. */
int kc_shm_lock_take(pthread_mutex_t *mutex, int64_t *wait_ms)
{
    int status = pthread_mutex_trylock(mutex);

    if (status != EBUSY)
        return status;
    for (; *wait_ms > 0; *wait_ms -= SPAN_MS) {
        status = take_within(mutex, *wait_ms < SPAN_MS ? *wait_ms : SPAN_MS);
        if (status != ETIMEDOUT)
            return status;
    }
    *wait_ms = 0;
    return status;
}

int kc_shm_lock_mended(pthread_mutex_t *mutex)
{
    return pthread_mutex_consistent(mutex);
}

void kc_shm_lock_give(pthread_mutex_t *mutex)
{
    (void)pthread_mutex_unlock(mutex);
}
