/* What the log is told once, although anybody can bring it about: a bounded list of names.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_ONCE_H
#define KC_ONCE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/crypto.h"

enum {
    KC_ONCE_NAMES = 32, /* a list has room for */
    KC_ONCE_BURST = 5,  /* names at once, before a pause counts */
    KC_ONCE_PAUSE = 60  /* seconds: between two names that strangers can make up */
};

/* A process's list, with static storage; KC_ONCE_EMPTY at first. */
typedef struct kc_once_t {
    pthread_mutex_t lock;
    int64_t last;       /* seconds: when a name was put in */
    int64_t spent;      /* seconds: until then, the pauses of all names that were put in last */
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

/* 1 for the first who asks with this name (any length; scope: what tells namesakes apart, such as
 * the issuer), 0 otherwise. With a pause (seconds; 0: none), KC_ONCE_BURST new names are told at
 * once and then one in each pause; a name that came too early is not noted, and a full list forgets
 * its oldest name, so that no stranger shuts it. Without a pause, a full list has 0 for every new
 * name: a process logs KC_ONCE_NAMES lines at most. now: seconds since 1970; a clock that was set
 * back ends the pause. Thread safe; holds a lock for no longer than it takes to look through the
 * list. Failure to hash: 0. */
int kc_once_is_first(kc_once_t *once, const char *scope, const char *name, int64_t pause,
                     int64_t now);

#endif
