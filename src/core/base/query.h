/* The parameters of queries and forms (application/x-www-form-urlencoded).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_QUERY_H
#define KC_QUERY_H

#include <apr_pools.h>
#include <stddef.h>

#include "base/err.h"

enum {
    KC_QUERY_FORM_MAX = 64 * 1024, /* bytes of a form in the body of a request */
    KC_QUERY_PARAMETERS_MAX = 64
};

/* The parameters of a query or form (application/x-www-form-urlencoded), decoded. */
typedef struct kc_query_t kc_query_t;
/* KC_REFUSED (KC_ERR_CALLBACK): over KC_URL_MAX bytes or KC_QUERY_PARAMETERS_MAX parameters,
 * malformed %-escape, %00, control characters, or invalid UTF-8. NULL text: no parameters. */
kc_rc_t kc_query_parse(const char *text, apr_pool_t *pool, const kc_query_t **out, kc_err_t *err);
/* The same for an answer of a provider. Many of its parameters are only for people or unused, so a
 * malformed one affects only itself: kc_query_single refuses it, and kc_query_text returns what is
 * readable. */
kc_rc_t kc_query_parse_answer(const char *text, apr_pool_t *pool, const kc_query_t **out,
                              kc_err_t *err);
/* The same for a form in the body of a request: len bytes, up to KC_QUERY_FORM_MAX, followed by a
 * NUL that is not counted. */
kc_rc_t kc_query_parse_form(const char *text, size_t len, apr_pool_t *pool, const kc_query_t **out,
                            kc_err_t *err);
/* The value of a parameter. KC_MISS when it is absent; KC_REFUSED when it is there more than once,
 * or malformed. */
kc_rc_t kc_query_single(const kc_query_t *query, const char *name, const char **value,
                        kc_err_t *err);
/* The same for text that people read: a malformed escape is kept, and each control character and
 * each byte that is not UTF-8 becomes a "?". */
kc_rc_t kc_query_text(const kc_query_t *query, const char *name, const char **value, kc_err_t *err);

#endif
