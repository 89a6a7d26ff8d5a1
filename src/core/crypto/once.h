/* Log lines that are written once for each name, although any client can cause them: a bounded list
 * of names.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_ONCE_H
#define KC_ONCE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/crypto.h"

enum {
    KC_ONCE_NAMES = 32, /* names that a list has room for */
    KC_ONCE_BURST = 5,  /* names at once, before a pause applies */
    KC_ONCE_PAUSE = 60  /* seconds: between two names that clients can invent */
};

/* A process's list, with static storage; KC_ONCE_EMPTY at first. */
typedef struct kc_once_t {
    pthread_mutex_t lock;
    int64_t last;       /* seconds: when a name was added last */
    int64_t spent;      /* seconds: end of the pauses of all names added last */
    size_t count, next; /* names; where the next one is put */
    unsigned char names[KC_ONCE_NAMES][KC_CRYPTO_SHA256_SIZE];
} kc_once_t;

#define KC_ONCE_EMPTY                          \
    {                                          \
        PTHREAD_MUTEX_INITIALIZER, 0, 0, 0, 0, \
        {                                      \
            {                                  \
                0                              \
            }                                  \
        }                                      \
    }

/* 1 for the first call with this name, otherwise 0. name has any length. scope: distinguishes equal
 * names, such as the issuer. now: seconds since 1970.
 *
 * With a pause (seconds; 0: none) KC_ONCE_BURST new names get 1 at once, and then one in each
 * pause. A name that comes too early is not noted. A full list forgets its oldest name, so that no
 * client can fill it up for good. Without a pause, a full list returns 0 for every new name: a
 * process logs at most KC_ONCE_NAMES lines.
 *
 * A clock that was set back ends the pause. Thread safe; holds a lock only while it searches the
 * list. 0 when hashing fails. */
int kc_once_is_first(kc_once_t *once, const char *scope, const char *name, int64_t pause,
                     int64_t now);

#endif
