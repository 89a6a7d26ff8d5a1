/* Transforms: how a user's name is changed before it is used.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_TRANSFORM_H
#define KC_TRANSFORM_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/err.h"

/* One line of KeycloakUserTransform. */
typedef struct kc_transform_t {
    const char *pattern;     /* POSIX extended; NULL: to lower case, which every name matches */
    const char *replacement; /* \0 to \9 stand for the groups */
    void *regex;             /* compiled, regex_t; freed with the pool */
} kc_transform_t;

/* Makes a transform from one argument (lower) or two (expression and replacement). Only at start.
 * KC_REFUSED with KC_ERR_CONFIG. */
kc_rc_t kc_transform_make(int argc, const char *const *argv, apr_pool_t *pool, kc_transform_t *out,
                          kc_err_t *err);
/* Applies the first transform of the list (of kc_transform_t; may be NULL) that matches. The result
 * is in pool, or text itself when none matches. The first match in the text is replaced; the rest
 * of the text stays. lower changes only ASCII letters. Thread safe. */
const char *kc_transform_apply(const apr_array_header_t *list, const char *text, apr_pool_t *pool);
/* The list as readable text; NULL when it is NULL. */
const char *kc_transform_dump(const apr_array_header_t *list, apr_pool_t *pool);
/* 1 when a transform appended to the list would never be applied. */
int kc_transform_is_complete(const apr_array_header_t *list);

#endif
