/* The request that a thread works for.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CALLER_H
#define KC_CALLER_H

#include <stdint.h>

/* What the core's effects need to know of the request that they are called for. The glue makes one
 * for each request whose server has a directive that uses it. One thread at a time uses it. */
typedef struct kc_caller_t {
    void *request; /* the glue's record of the request */
} kc_caller_t;

/* From now on this thread works for caller (NULL: for no request). Returns what it worked for
 * before; the end of the work is another call with that. Both are on the same thread. */
kc_caller_t *kc_caller_enter(kc_caller_t *caller);
/* The request that this thread works for; NULL: none, or one that nothing needs to know. */
kc_caller_t *kc_caller_now(void);

#endif
