/* SetHandler keycloak-health, for readiness probes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_HEALTH_H
#define AKC_HEALTH_H

#include "module.h"

/* At start, once there is a server with KeycloakIssuer. KC_FAULT: no shared memory. */
kc_rc_t akc_health_start(apr_pool_t *pconf, kc_err_t *err);
/* In a child, for each server. */
kc_rc_t akc_health_child(akc_server_t *config, apr_pool_t *pchild, kc_err_t *err);
int akc_health_handle(request_rec *r);

#endif
