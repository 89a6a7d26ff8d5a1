/* One server that is checked.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_TASK_H
#define KC_CHECK_TASK_H

#include <apr_pools.h>
#include <stdint.h>

#include "browser.h"
#include "check/check_report.h"
#include "provider/provider.h"
#include "rp.h"

/* One server that is checked. The caller fills in what stands before `provider`; the rest is zero.
 * Not thread safe. */
typedef struct kc_check_t {
    const char *name;  /* of the server, as the report has it */
    const kc_rp_t *rp; /* with env and metadata */
    kc_check_report_t *report;
    const kc_browser_t *client; /* with public_url, as browsers would come; NULL: it is not known */
    const char *fingerprints; /* of another node's keys, separated by blanks; NULL: not compared */
    int has_tls;              /* its listener speaks TLS itself */
    int threads;              /* how many requests all children together can work on; 0: unknown */
    const char *proxy;        /* name of an environment variable that names a proxy, or NULL */
    const char *user; /* whose tokens are looked at; NULL: those of the client's service account */
    const char *password;
    const char *admin; /* of Keycloak; NULL: none */
    const char *admin_password;
    apr_pool_t *pool;
    const kc_provider_t *provider; /* by the discovery; NULL: it has failed */
    int64_t clock_ahead;           /* seconds that Keycloak's clock is ahead of ours, */
    int has_clock;                 /* when it has told a date */
    const char *access_token;      /* of the client's service account; NULL: there is none */
    int is_redirect_refused;       /* Keycloak does not have the redirect URI */
} kc_check_t;

#endif
