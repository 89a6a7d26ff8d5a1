/* A pause after a failure, shared by all children of the host. The first is short, and each further
 * one twice as long. After it, one request tries again before all others do.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_PAUSE_H
#define KC_PAUSE_H

#include <apr_pools.h>
#include <stdint.h>

#include "env.h"

enum {
    KC_PAUSE_MAX = 15,   /* seconds */
    KC_PAUSE_MEMORY = 60 /* seconds after its end in which a further failure makes the next one
                            longer */
};

typedef enum {
    KC_PAUSE_NONE, /* nothing has failed lately */
    KC_PAUSE_ON,   /* do not try now: it is paused, or another request is trying */
    KC_PAUSE_TURN  /* the pause is over, and the caller is the one to try: it calls kc_pause_end or
                      _begin, and then kc_pause_give_turn */
} kc_pause_state_t;

/* Tells whether a pause is on. name: KC_STORE_KEY_LEN hexadecimal digits, for keys in env->host.
 * turn: seconds after which the turn ends by itself, longer than a try may take. A store that is
 * down has no pause. All of these functions are thread safe and do not wait. */
kc_pause_state_t kc_pause_look(const kc_env_t *env, const char *name, int64_t turn,
                               apr_pool_t *pool);
/* 1 when a pause is on; takes no turn. */
int kc_pause_is_on(const kc_env_t *env, const char *name, apr_pool_t *pool);
void kc_pause_begin(const kc_env_t *env, const char *name, apr_pool_t *pool);
/* Counts a pause that the caller keeps elsewhere. Returns its length in seconds. */
int64_t kc_pause_count(const kc_env_t *env, const char *name, apr_pool_t *pool);
/* Success: forgets all failures. */
void kc_pause_end(const kc_env_t *env, const char *name);
void kc_pause_give_turn(const kc_env_t *env, const char *name);

#endif
