/* How memcached is told when a value expires.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_expiry.h"

/* Up to 30 days memcached takes a number as a duration, which does not depend on its clock. A
 * larger number is a time since 1970 by its own clock. A value that has already expired gets a time
 * long ago, so that it ends at once. */
time_t kc_store_expiry_of(int64_t expires_at, int64_t now)
{
    const int64_t longest_span = (int64_t)60 * 60 * 24 * 30;

    if (expires_at <= now)
        return (time_t)longest_span + 1;
    if (expires_at - now <= longest_span)
        return (time_t)(expires_at - now);
    return (time_t)(expires_at < INT32_MAX ? expires_at : INT32_MAX);
}
