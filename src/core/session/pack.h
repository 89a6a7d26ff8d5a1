/* Packing: tokens and claims of a session, which few requests need, made small.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_PACK_H
#define KC_PACK_H

#include <apr_pools.h>

#include "base/buf.h"
#include "base/err.h"

enum { KC_PACK_MAX = 768 * 1024 /* bytes, of everything unpacked */ };

/* Tokens are compact JWS, or opaque text, which other providers issue. NULL: not kept. */
typedef struct kc_pack_t {
    const char *id_token;
    const char *access_token;
    const char *refresh_token;
    kc_bytes_t claims; /* JSON text of the merged claims; no data: the ID token's payload has them
                          all */
} kc_pack_t;

/* Packs: decodes base64url where that is exactly reversible, then deflates (RFC 1951) with a preset
 * dictionary of text that Keycloak's tokens have in common. *packed is in pool; empty when there is
 * nothing to keep. KC_REFUSED with KC_ERR_STORE_VALUE when it is over KC_PACK_MAX. Thread safe. */
kc_rc_t kc_pack_close(const kc_pack_t *contents, apr_pool_t *pool, kc_bytes_t *packed,
                      kc_err_t *err);
/* Like kc_pack_close, with a known text that the reader of the pack will also have (a session's
 * groups, say). What stands in that text too takes almost no room. Its last 32 KiB are used. */
kc_rc_t kc_pack_close_beside(const kc_pack_t *contents, kc_bytes_t known, apr_pool_t *pool,
                             kc_bytes_t *packed, kc_err_t *err);
/* Unpacks into pool. What was NULL or empty is so again, and every token is exactly the text it
 * was. Never writes more than KC_PACK_MAX bytes, for any input. KC_REFUSED with
 * KC_ERR_SESSION_FORMAT for anything that kc_pack_close did not make. Thread safe. */
kc_rc_t kc_pack_open(kc_bytes_t packed, apr_pool_t *pool, kc_pack_t *contents, kc_err_t *err);
/* Unpacks either kind. known: exactly the text it was packed with. Without it, a pack of
 * kc_pack_close_beside is KC_REFUSED. */
kc_rc_t kc_pack_open_beside(kc_bytes_t packed, kc_bytes_t known, apr_pool_t *pool,
                            kc_pack_t *contents, kc_err_t *err);

#endif
