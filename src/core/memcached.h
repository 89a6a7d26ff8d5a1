/* memcached's binary protocol over a connection: questions, commands and their answers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_MEMCACHED_H
#define KC_MEMCACHED_H

#include <stdint.h>

#include "store_memcached.h"
#include "wire.h"

/* How an exchange has ended. After anything from LATE on the connection is of no use any more. */
typedef enum {
    KC_MEMCACHED_OK,
    KC_MEMCACHED_MISS,      /* there is no such key */
    KC_MEMCACHED_EXISTS,    /* there is one already */
    KC_MEMCACHED_TOO_LARGE, /* the value */
    KC_MEMCACHED_LATE,
    KC_MEMCACHED_CUT,     /* the connection has ended */
    KC_MEMCACHED_SIGN_IN, /* it wants to be signed in to, or does not take the name and password */
    KC_MEMCACHED_FAILED,  /* it says that it cannot do it */
    KC_MEMCACHED_NONSENSE /* not what memcached says to this */
} kc_memcached_end_t;

/* Sends a question for up to KC_STORE_GET_MAX keys of KC_STORE_KEY_LEN characters. */
kc_memcached_end_t kc_memcached_ask(kc_wire_t *wire, const char *const *keys, size_t count,
                                    const kc_wire_time_t *time);
/* Receives the answer to it: an item for each key, values in pool. A value over KC_STORE_VALUE_MAX
 * is nothing that we wrote, and as good as absent. OK, or LATE and what follows. */
kc_memcached_end_t kc_memcached_take(kc_wire_t *wire, const char *const *keys, size_t count,
                                     kc_store_memcached_item_t *items, apr_pool_t *pool,
                                     const kc_wire_time_t *time);
/* A command and its answer. expiry: as the protocol has it, in seconds: up to 30 days from now on,
 * above that since 1970. */
kc_memcached_end_t kc_memcached_do(kc_wire_t *wire, const kc_store_memcached_command_t *command,
                                   uint32_t expiry, const kc_wire_time_t *time);
/* Asks for its statistics, of which the time is taken: seconds since 1970. */
kc_memcached_end_t kc_memcached_clock(kc_wire_t *wire, int64_t *seconds,
                                      const kc_wire_time_t *time);
/* Signs in by SASL's PLAIN (RFC 4616); name and password are at most 250 bytes each. */
kc_memcached_end_t kc_memcached_sign_in(kc_wire_t *wire, const char *user, const char *password,
                                        const kc_wire_time_t *time);

#endif
