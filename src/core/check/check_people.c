/* Which of several issuers the user and the administrator of a check are for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_people.h"

#include <string.h>

#include "conf/conf.h"

static int are_for(const char *issuer, const char *named, const apr_array_header_t *issuers)
{
    int i;

    if (named)
        return strcmp(issuer, named) == 0;
    for (i = 0; i < issuers->nelts; i++) {
        if (strcmp(issuer, APR_ARRAY_IDX(issuers, i, const char *)) != 0)
            return 0;
    }
    return 1;
}

void kc_check_people_limit(kc_check_t *check, const char *named, const apr_array_header_t *issuers)
{
    const kc_check_fault_t withheld = {
        KC_CHECK_UNKNOWN, "people.issuer", KC_ERR_NONE,
        "set KEYCLOAK_CHECK_ISSUER to the KeycloakIssuer that they belong to"};

    if ((!check->user && !check->admin) || are_for(check->rp->conf->issuer, named, issuers))
        return;
    check->user = check->password = check->admin = check->admin_password = NULL;
    if (!named)
        kc_check_report_add(check->report, &withheld,
                            "there are several issuers, so that the user and the administrator of "
                            "the environment are named to none of them");
}
