/* One view of the first tier, as callers and areas see it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_VIEW_CACHE_VIEW_H
#define KC_VIEW_CACHE_VIEW_H

#include <stdint.h>

#include "base/buf.h"

enum {
    KC_VIEW_CACHE_KEY_SIZE = 64,        /* bytes of a key in the store */
    KC_VIEW_CACHE_STAMP_SIZE = 16,      /* bytes that tell a stored value from any other */
    KC_VIEW_CACHE_VIEW_MAX = 512 * 1024 /* bytes; a larger view is not kept, nor one that would
                                           take more than half of its area (view_cache_area.h) */
};

/* What is known of a session. */
typedef struct kc_view_cache_view_t {
    kc_bytes_t bytes;   /* a copy in the pool */
    int64_t checked_ms; /* when the store last confirmed it, in milliseconds since 1970 */
    int64_t moment;     /* in seconds since 1970: of a session, its last use; of a bearer token,
                           until when it is valid */
    char key[KC_VIEW_CACHE_KEY_SIZE]; /* under which the store has it; no NUL follows */
    unsigned char stamp[KC_VIEW_CACHE_STAMP_SIZE]; /* of the stored value that the view was made
                                                      of */
} kc_view_cache_view_t;

#endif
