/* Step-up requirements: how and when a user must have signed in for a location, beyond being signed
 * in.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STEP_UP_H
#define KC_STEP_UP_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "rp.h"

enum { KC_STEP_UP_TTL = 3600 /* seconds that a sealed requirement is valid */ };

/* All zero: no requirement. */
typedef struct kc_step_up_t {
    const apr_array_header_t *acr; /* const char *, one of which the acr must be; NULL: any */
    int64_t max_age;               /* seconds since the user has authenticated; 0: any time ago */
} kc_step_up_t;

/* The requirement of KeycloakRequireACR and KeycloakMaxAge. Cheap, because every request asks. The
 * texts belong to the settings. Thread safe, like all functions here. */
kc_step_up_t kc_step_up_required(const kc_conf_dir_t *conf);
/* 1 when there is no requirement: any session meets it. */
int kc_step_up_is_none(const kc_step_up_t *required);

/* 1 when a sign-in with this acr and auth_time meets it: OpenID Connect Core 1.0 section 3.1.3.7,
 * items 12 and 13. auth_time: seconds since 1970; 0 is unknown, and never recent enough. acr may be
 * NULL. An auth_time more than skew seconds in the future does not count. */
int kc_step_up_is_met(const kc_step_up_t *required, const char *acr, int64_t auth_time, int64_t now,
                      int64_t skew);

/* The value of acr_values: the texts with spaces between; "" when any acr meets it. In pool. */
const char *kc_step_up_acr_values(const kc_step_up_t *required, apr_pool_t *pool);
/* The text added to a challenge (RFC 9470 section 3): begins with ", error=". In pool. */
const char *kc_step_up_challenge(const kc_step_up_t *required, apr_pool_t *pool);

/* Writes its compact encoding, at most KC_CONF_ACR_MAX + 6 bytes. */
void kc_step_up_put(const kc_step_up_t *required, kc_buf_t *buf);
/* Reads it. When bytes are missing, the reader is short afterwards. In pool. */
kc_step_up_t kc_step_up_read(kc_reader_t *reader, apr_pool_t *pool);

/* Seals it as text for a link, so that only this site can set the requirement. Valid for
 * KC_STEP_UP_TTL. KC_FAULT: no random bytes. */
kc_rc_t kc_step_up_seal(const kc_rp_t *rp, const kc_step_up_t *required, apr_pool_t *pool,
                        const char **out, kc_err_t *err);
/* KC_REFUSED or KC_MISS: not sealed by this site, or too old; *out is then no requirement. */
kc_rc_t kc_step_up_unseal(const kc_rp_t *rp, const char *text, apr_pool_t *pool, kc_step_up_t *out,
                          kc_err_t *err);

#endif
