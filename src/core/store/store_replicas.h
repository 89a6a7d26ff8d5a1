/* Copies of each value on several memcached servers, and which of them are used.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_REPLICAS_H
#define KC_STORE_REPLICAS_H

#include "store/store.h"
#include "store/store_memcached.h"

/* Made after fork. Each key has an order of all servers (rendezvous hashing: adding or removing a
 * server moves no other server's keys). The first `copies` servers of the order are the key's
 * homes. Keys with the same first and last eight characters have the same order. So have a key and
 * the reversed key.
 *
 * Values are written to the first servers of the order that work, as many as there are copies. They
 * are read from all of these at once. The copy that was written last counts; a server that lacks it
 * gets it. A server that fails is marked down for up to half a second (breaker.h). A key is absent
 * when one of its homes says so and no server has it; it is is_partial when another home has not
 * answered. When no home answers, that is KC_DOWN. A put that reaches one server is KC_OK. An add
 * that finds the key on any server is KC_EXISTS.
 *
 * A KC_STORE_CRITICAL goes to the homes, even when they are marked down at the moment, and to every
 * other server that works. It must be stored by 1 home of 1 or 2, or by 2 of 3. Requiring both
 * homes of two would make either of them a single point of failure, and each read asks both anyway.
 *
 * KC_FAULT for malformed servers or options. */
kc_rc_t kc_store_replicas_create(const kc_store_memcached_options_t *options, apr_pool_t *pool,
                                 kc_store_t **out, kc_err_t *err);

#endif
