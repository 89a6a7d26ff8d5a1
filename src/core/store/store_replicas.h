/* Copies of each value on several memcached servers, and which of them is asked.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_REPLICAS_H
#define KC_STORE_REPLICAS_H

#include "store/store.h"
#include "store/store_memcached.h"

/* Made after fork. Each key has an order of all servers (rendezvous hashing: a server that comes or
 * goes moves no other's keys), of which the first `copies` are its homes. Keys with the same first
 * and last eight characters have the same order, and so have a key and the same key read backwards.
 *
 * Values are written to the first servers of the order that work, as many as there are copies, and
 * read from them all at once; the copy written last counts, and a server that lacks it is given it.
 * A server that fails is passed by for up to half a second (breaker.h). A key is absent when a home
 * of it says so and nobody has it, and is_partial when another home has not answered; when no home
 * answers, that is KC_DOWN. A put that reaches one server is KC_OK; an add that finds the key
 * anywhere is KC_EXISTS.
 *
 * A KC_STORE_MARK goes to the homes, also to those that are passed by at the moment, and to every
 * other server that works: 1 home of 1 or 2, or 2 of 3, have to take it. A strict majority of two
 * would make each of them alone a reason for failure, though each read asks both.
 *
 * KC_FAULT for malformed servers or options. */
kc_rc_t kc_store_replicas_create(const kc_store_memcached_options_t *options, apr_pool_t *pool,
                                 kc_store_t **out, kc_err_t *err);

#endif
