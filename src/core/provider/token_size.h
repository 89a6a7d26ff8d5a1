/* Whether a token of the provider is too large, and what makes it large.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_TOKEN_SIZE_H
#define KC_TOKEN_SIZE_H

#include <apr_pools.h>

#include "base/err.h"

/* KC_OK for a token of up to KC_JWS_MAX bytes. Otherwise KC_REFUSED with KC_ERR_TOKEN_SIZE. The
 * detail has its size and, if it can be read, the claim that takes most of it. That is not
 * verified, and no value of a claim is quoted. name: "ID" or "access", for the detail; Keycloak's
 * mappers use the same words. Thread safe. */
kc_rc_t kc_token_size_check(const char *name, const char *compact, apr_pool_t *pool, kc_err_t *err);

#endif
