/* Whether a token of the provider's is too large, and what makes it so.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_TOKEN_SIZE_H
#define KC_TOKEN_SIZE_H

#include <apr_pools.h>

#include "base/err.h"

/* KC_OK for a token of up to KC_JWS_MAX bytes. Else KC_REFUSED with KC_ERR_TOKEN_SIZE, whose
 * detail says how large it is, and, as far as it can be read, which claim takes most of it: what
 * it says is not verified, and no value of a claim is quoted. name: "ID" or "access", for the
 * detail, and as Keycloak's mappers name it. Thread safe. */
kc_rc_t kc_token_size_check(const char *name, const char *compact, apr_pool_t *pool, kc_err_t *err);

#endif
