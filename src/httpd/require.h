/* Require keycloak-...: authorization providers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_REQUIRE_H
#define AKC_REQUIRE_H

#include "module.h"

void akc_require_register(apr_pool_t *pool);
/* 1 when the configuration has a Require keycloak-claim. */
int akc_require_asks_claims(void);
/* Tells a server's relying party (config->rp) what its lines ask about: claims, groups, roles. */
void akc_require_tell(const akc_server_t *config, apr_pool_t *pool);
/* 1 when the configuration has a line that excludes, by Require not or in <RequireNone>. */
int akc_require_asks_negated(void);
/* A hook that forces authentication where only lines that exclude depend on the user. */
int akc_require_force(request_rec *r);

#endif
