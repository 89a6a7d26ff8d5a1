/* Cache-Control: what an answer says about shared caches, and what it must say.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CACHE_CONTROL_H
#define KC_CACHE_CONTROL_H

#include <apr_pools.h>

/* Who may get a stored answer. */
typedef enum {
    KC_CACHE_CONTROL_ANYBODY, /* anybody */
    KC_CACHE_CONTROL_ONE,     /* one user: shared caches keep it only if it says "public" */
    KC_CACHE_CONTROL_PARTS,   /* parts of it are for one user, so its own directives do not count */
    KC_CACHE_CONTROL_NOBODY   /* no cache keeps it */
} kc_cache_control_audience_t;

/* Directives of an answer (RFC 9111 section 5.2.2), from all its lines. All zeros: none. */
typedef struct kc_cache_control_t {
    int is_public;
    int is_private; /* for the whole answer: with field names it does not count */
    int is_no_store;
} kc_cache_control_t;

/* Adds the directives of one line, or of several joined by commas; NULL: none. Text in quotes is
 * not taken for a directive. Directives that need no argument count only without one. No length
 * limit; linear; does not allocate. */
void kc_cache_control_read(const char *line, kc_cache_control_t *said);

/* 1 when a shared cache may keep the answer for others (RFC 9111 section 3.5). Of the exceptions
 * there only "public" counts here, because the others are also sent with answers that are not meant
 * for others. */
int kc_cache_control_is_shared(const kc_cache_control_t *said);

/* The line to send instead of line (NULL: there is none). said must have been read from line
 * only. Returns line itself when it suits the audience, else a new one, in pool when it is made
 * of parts. */
const char *kc_cache_control_limit(const char *line, const kc_cache_control_t *said,
                                   kc_cache_control_audience_t audience, apr_pool_t *pool);

#endif
