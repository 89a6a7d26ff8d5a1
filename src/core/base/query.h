/* The parameters of queries and forms (application/x-www-form-urlencoded).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_QUERY_H
#define KC_QUERY_H

#include <apr_pools.h>
#include <stddef.h>

#include "base/err.h"

enum {
    KC_QUERY_FORM_MAX = 64 * 1024, /* bytes of a form that is the body of a request */
    KC_QUERY_PARAMETERS_MAX = 64
};

/* The parameters of a query or form (application/x-www-form-urlencoded), decoded. */
typedef struct kc_query_t kc_query_t;
/* KC_REFUSED (KC_ERR_CALLBACK): over KC_URL_MAX bytes or KC_QUERY_PARAMETERS_MAX parameters,
 * malformed %-escape, %00, control characters, invalid UTF-8. NULL text: no parameters. */
kc_rc_t kc_query_parse(const char *text, apr_pool_t *pool, const kc_query_t **out, kc_err_t *err);
/* The same of a provider's answer, of which many members are for people alone, or for nobody: one
 * that is malformed harms nothing but itself. kc_query_single refuses it, kc_query_text
 * gives what can be read of it. */
kc_rc_t kc_query_parse_answer(const char *text, apr_pool_t *pool, const kc_query_t **out,
                              kc_err_t *err);
/* The same of a form that came as the body of a request: len bytes, up to KC_QUERY_FORM_MAX, which
 * end with a NUL that is not counted. */
kc_rc_t kc_query_parse_form(const char *text, size_t len, apr_pool_t *pool, const kc_query_t **out,
                            kc_err_t *err);
/* The value of a parameter: KC_MISS when absent, KC_REFUSED when it is there more than once, or
 * malformed. */
kc_rc_t kc_query_single(const kc_query_t *query, const char *name, const char **value,
                        kc_err_t *err);
/* The same of a text for people: a malformed escape stays as it is, and each control character and
 * each byte that is no UTF-8 becomes a "?". */
kc_rc_t kc_query_text(const kc_query_t *query, const char *name, const char **value, kc_err_t *err);

#endif
