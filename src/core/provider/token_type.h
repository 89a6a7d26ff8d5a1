/* What kind of token a signed token is: the same keys sign all of a provider's.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_TOKEN_TYPE_H
#define KC_TOKEN_TYPE_H

#include "crypto/jws.h"

typedef enum {
    KC_TOKEN_TYPE_OTHER, /* a refresh or logout token, or what cannot be told */
    KC_TOKEN_TYPE_ID,
    KC_TOKEN_TYPE_ACCESS
} kc_token_type_t;

/* 1 for a header's typ (NULL: absent) that is this media type, in any case, with or without
 * application/ (RFC 7515 section 4.1.9). Thread safe, as all here. */
int kc_token_type_is(const char *typ, const char *media_type);

/* 1 when the token may be an ID token of this issuer. Of Keycloak (an issuer with /realms/ in its
 * path): header typ absent or JWT, payload typ absent or ID. Of another provider, which has its own
 * words, if any: neither names another kind of token. */
int kc_token_type_is_id(const kc_jws_t *token, const char *issuer);

/* What a bearer token is, of which nobody has said it. Of Keycloak: payload typ ID or Bearer;
 * header typ at+jwt (RFC 9068) with Bearer or without payload typ is an access token. Of another
 * provider also by what only one kind has: nonce, at_hash, c_hash; scope, scp, client_id, cid. */
kc_token_type_t kc_token_type_of(const kc_jws_t *token, const char *issuer);

/* 1 when a refresh token says of itself, as Keycloak's do, that it is an offline one (OpenID
 * Connect Core 1.0 section 11): it outlives the provider's session. It is not verified; one that is
 * no signed token says nothing. pool: for the look. */
int kc_token_type_is_offline(const char *refresh_token, apr_pool_t *pool);

#endif
