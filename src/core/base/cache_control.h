/* Cache-Control: what an answer says of being shared, and what it has to say.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CACHE_CONTROL_H
#define KC_CACHE_CONTROL_H

#include <apr_pools.h>

/* For whom an answer is. */
typedef enum {
    KC_CACHE_CONTROL_ANYBODY, /* whoever asks may have it */
    KC_CACHE_CONTROL_ONE,     /* one person: shared caches keep it only if it says "public" */
    KC_CACHE_CONTROL_PARTS,   /* parts of it are for one person: what the whole says counts not */
    KC_CACHE_CONTROL_NOBODY   /* no cache keeps it */
} kc_cache_control_audience_t;

/* Directives of an answer (RFC 9111 section 5.2.2), of all its lines. Zeros: none. */
typedef struct kc_cache_control_t {
    int is_public;
    int is_private; /* as a whole: with the names of fields it does not count */
    int is_no_store;
} kc_cache_control_t;

/* Adds what one line, or several joined by commas, says; NULL: nothing. Directives are told from
 * what stands in quotes; those that need no argument count without one alone. No limit of length;
 * linear; does not allocate. */
void kc_cache_control_read(const char *line, kc_cache_control_t *said);

/* 1 when a shared cache may keep it for others: RFC 9111 section 3.5, of whose exceptions "public"
 * alone counts here, since the others are said of answers that nobody meant for others. */
int kc_cache_control_is_shared(const kc_cache_control_t *said);

/* The line to send in place of line (NULL: there is none), which is all that was read into said:
 * line itself when it does for the audience, else a new one, in pool where it is made of parts. */
const char *kc_cache_control_limit(const char *line, const kc_cache_control_t *said,
                                   kc_cache_control_audience_t audience, apr_pool_t *pool);

#endif
