/* A provider's key that fuzz targets sign with, to reach the code after the signature check.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SIGNER_H
#define KC_SIGNER_H

#include <apr_pools.h>

#include "base/json.h"

/* The provider's key set. The key is P-256's base point: its private half is 1. */
extern const char signer_keys[];
/* Claims as a token of that key, in pool. Aborts when that cannot be. */
char *signer_sign(const kc_json_t *claims, apr_pool_t *pool);

#endif
