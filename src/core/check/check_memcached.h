/* The check of each memcached server.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_MEMCACHED_H
#define KC_CHECK_MEMCACHED_H

#include "check/check_task.h"

/* What a server says of itself; -1: it has not said it. */
typedef struct kc_check_memcached_seen_t {
    int64_t time; /* 0: it has not said it */
    int64_t limit_maxbytes, bytes, evictions, maxconns, item_size_max;
    int64_t refused; /* how often there was no room for a connection */
    char version[32];
    int is_settings; /* private */
} kc_check_memcached_seen_t;

/* Adds the results about a server's memory, connections and clock. text: its address. */
void kc_check_memcached_tell(const kc_check_t *check, const char *text,
                             const kc_check_memcached_seen_t *seen);
/* Connects to each server of KeycloakMemcached, asks for its statistics, and writes, reads and
 * removes a value of its own, which has expired after some seconds in any case. Adds the results.
 * Each operation takes three times KeycloakStoreTimeout at most. */
void kc_check_memcached_ask(const kc_check_t *check);

#endif
