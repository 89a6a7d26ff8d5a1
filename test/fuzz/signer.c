/* A provider's key that fuzz targets sign with. SPDX-License-Identifier: Apache-2.0 */
#include "signer.h"

#include <stdlib.h>

#include "crypto/jose.h"

#define KEY                                                                    \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\",\"use\":\"sig\","          \
    "\"alg\":\"ES256\",\"x\":\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\"," \
    "\"y\":\"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU\""

const char signer_keys[] = "{\"keys\":[{" KEY "}]}";

static const char private_key[] = "{" KEY ",\"d\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}";

char *signer_sign(const kc_json_t *claims, apr_pool_t *pool)
{
    char *compact = NULL;

    if (kc_jose_sign_jwk(claims, private_key, pool, &compact, NULL) != KC_OK)
        abort();
    return compact;
}
