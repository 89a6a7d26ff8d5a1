/* What a place demands of how and when somebody has signed in, beyond that they are.
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

enum { KC_STEP_UP_TTL = 3600 /* seconds that a sealed demand is good for */ };

/* All zero: nothing is demanded. */
typedef struct kc_step_up_t {
    const apr_array_header_t *acr; /* const char *, one of which it must be; NULL: any */
    int64_t max_age; /* seconds since the person has proved who they are; 0: any time ago */
} kc_step_up_t;

/* Of KeycloakRequireACR and KeycloakMaxAge. Cheap: every request asks. The words stay the
 * settings'. Thread safe, as all here. */
kc_step_up_t kc_step_up_required(const kc_conf_dir_t *conf);
/* 1 when nothing is demanded: any session does. */
int kc_step_up_is_none(const kc_step_up_t *demand);

/* 1 when a sign-in with this acr and auth_time (seconds since 1970; 0: not known, and then never
 * recent enough) does: OpenID Connect Core 1.0 section 3.1.3.7, items 12 and 13. acr may be NULL.
 * An auth_time more than skew seconds from now does not count. */
int kc_step_up_is_met(const kc_step_up_t *demand, const char *acr, int64_t auth_time, int64_t now,
                      int64_t skew);

/* As acr_values has it: the words with spaces between; "" when any does. In pool. */
const char *kc_step_up_acr_values(const kc_step_up_t *demand, apr_pool_t *pool);
/* What is added to a challenge (RFC 9470 section 3): begins with ", error=". In pool. */
const char *kc_step_up_challenge(const kc_step_up_t *demand, apr_pool_t *pool);

/* Its compact form, at most KC_CONF_ACR_MAX + 6 bytes. */
void kc_step_up_put(const kc_step_up_t *demand, kc_buf_t *buf);
/* Reads it; what runs short gives a reader that is short. In pool. */
kc_step_up_t kc_step_up_read(kc_reader_t *reader, apr_pool_t *pool);

/* Sealed as text for an address that is given away, so that nobody but this site says what is
 * demanded. Good for KC_STEP_UP_TTL. KC_FAULT: no random bytes. */
kc_rc_t kc_step_up_seal(const kc_rp_t *rp, const kc_step_up_t *demand, apr_pool_t *pool,
                        const char **out, kc_err_t *err);
/* KC_REFUSED or KC_MISS: none of ours, or too old; *out demands nothing then. */
kc_rc_t kc_step_up_unseal(const kc_rp_t *rp, const char *text, apr_pool_t *pool, kc_step_up_t *out,
                          kc_err_t *err);

#endif
