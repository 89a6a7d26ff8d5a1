/* How memcached is told when a value expires.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_EXPIRY_H
#define KC_STORE_EXPIRY_H

#include <stdint.h>
#include <time.h>

/* The number for memcached's commands. Both times in seconds since 1970. Thread safe, pure. */
time_t kc_store_expiry_of(int64_t expires_at, int64_t now);

#endif
