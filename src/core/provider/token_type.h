/* The kind of a signed token: a provider signs all kinds with the same keys.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_TOKEN_TYPE_H
#define KC_TOKEN_TYPE_H

#include "crypto/jws.h"

typedef enum {
    KC_TOKEN_TYPE_OTHER, /* a refresh or logout token, or unclear */
    KC_TOKEN_TYPE_ID,
    KC_TOKEN_TYPE_ACCESS
} kc_token_type_t;

/* 1 for a header's typ (NULL: absent) that is this media type, in any case, with or without
 * application/ (RFC 7515 section 4.1.9). Thread safe, like all functions here. */
int kc_token_type_is(const char *typ, const char *media_type);

/* 1 when the token may be an ID token of this issuer. Of Keycloak (an issuer with /realms/ in its
 * path): header typ is absent or JWT, payload typ is absent or ID. Another provider may have its
 * own words, or none: neither typ may name another kind of token. */
int kc_token_type_is_id(const kc_jws_t *token, const char *issuer);

/* The kind of a bearer token, which nothing else tells. Of Keycloak: payload typ is ID or Bearer;
 * header typ at+jwt (RFC 9068) with Bearer, or without payload typ, is an access token. Of another
 * provider, claims that only one kind has decide as well: nonce, at_hash, c_hash; scope, scp,
 * client_id, cid. */
kc_token_type_t kc_token_type_of(const kc_jws_t *token, const char *issuer);

/* 1 when a refresh token says that it is an offline one, as Keycloak's do (OpenID Connect Core 1.0
 * section 11): it outlives the provider's session. It is not verified. A token that is not a signed
 * one says nothing. pool: scratch. */
int kc_token_type_is_offline(const char *refresh_token, apr_pool_t *pool);

#endif
