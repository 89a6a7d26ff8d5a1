/* What an administrator can do about a refused connection or certificate.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/http_failure.h"

#include <apr_strings.h>
#include <errno.h>
#include <string.h>

#include "net/reachable.h"

/* Matches the library's texts, because its error number is not available for all of them. */
static const struct {
    const char *word;
    const char *cure;
} cures[] = {
    {"subject name", "it is for other names: look at KeycloakIssuer and KeycloakBackchannelURL"},
    {"expired", "renew the server's certificate, or set this host's clock"},
    {"not yet valid", "set this host's clock, or renew the server's certificate"},
    {"issuer", "put the certificate of the authority that issued it into KeycloakCAFile"},
    {"self-signed", "put it, or the authority's that issued it, into KeycloakCAFile"},
    {"self signed", "put it, or the authority's that issued it, into KeycloakCAFile"},
    {"", "it is checked against KeycloakCAFile, else against this host's authorities"}};

const char *kc_http_failure_certificate(const char *reason, apr_pool_t *pool)
{
    size_t i = 0;

    while (!strstr(reason, cures[i].word)) /* the last word matches every reason */
        i++;
    return apr_psprintf(pool, "%s (%s)", reason, cures[i].cure);
}

const char *kc_http_failure_connection(const char *reason, int number, apr_pool_t *pool)
{
    char text[256];

    if (number != EACCES && number != EPERM)
        return reason;
    return apr_pstrdup(pool, kc_reachable_text(reason, number, reason, text, sizeof(text)));
}
