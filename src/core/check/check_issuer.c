/* The comparison of an issuer with KeycloakIssuer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_issuer.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "base/url.h"

static const char *add(const char *list, const char *word, apr_pool_t *pool)
{
    return *list ? apr_pstrcat(pool, list, ", ", word, NULL) : word;
}

static const char *realm_of(const kc_url_t *url)
{
    const char *realm = strstr(url->path, "/realms/");

    return realm ? realm + strlen("/realms/") : "";
}

/* The length of a path without the slashes at its end. */
static size_t bare(const char *path)
{
    size_t len = strlen(path);

    while (len && path[len - 1] == '/')
        len--;
    return len;
}

static const char *path_difference(const kc_url_t *ours, const kc_url_t *theirs)
{
    const size_t len = bare(ours->path);

    if (strcmp(ours->path, theirs->path) == 0)
        return NULL;
    if (len == bare(theirs->path) && strncmp(ours->path, theirs->path, len) == 0)
        return "the slash at the end";
    if (strcasecmp(realm_of(ours), realm_of(theirs)) == 0 && *realm_of(ours))
        return strcmp(realm_of(ours), realm_of(theirs)) == 0 ? "the path before /realms/"
                                                             : "the realm's upper and lower case";
    return *realm_of(ours) && *realm_of(theirs) ? "the realm" : "the path";
}

/* What differs, as a list of words. */
static const char *difference(const char *ours_text, const char *theirs_text, apr_pool_t *pool)
{
    const char *list = "", *path;
    kc_url_t ours, theirs;

    if (kc_url_parse(ours_text, pool, &ours, NULL) != KC_OK ||
        kc_url_parse(theirs_text, pool, &theirs, NULL) != KC_OK)
        return "the form";
    if (strcmp(ours.scheme, theirs.scheme) != 0)
        list = add(list, "the scheme", pool);
    if (strcasecmp(ours.host, theirs.host) != 0)
        list = add(list, "the host", pool);
    if (ours.port != theirs.port)
        list = add(list, "the port", pool);
    path = path_difference(&ours, &theirs);
    if (path)
        list = add(list, path, pool);
    return *list ? list : "the spelling";
}

int kc_check_issuer_tell(const kc_check_t *check, const char *name, const char *issuer)
{
    const kc_conf_t *conf = check->rp->conf;
    kc_check_fault_t fault = {KC_CHECK_FAILED, name, KC_ERR_DISCOVERY_ISSUER, NULL};

    if (!issuer) {
        fault.reason = KC_ERR_DISCOVERY;
        fault.cure = "see that the address is Keycloak's";
        kc_check_report_add(check->report, &fault, "the document names no issuer");
        return 0;
    }
    if (strcmp(issuer, conf->issuer) == 0) {
        kc_check_report_ok(check->report, name, "the issuer is %s", issuer);
        return 1;
    }
    fault.cure = apr_psprintf(check->pool,
                              "write KeycloakIssuer %s if browsers reach Keycloak at that address; "
                              "else set Keycloak's hostname (option hostname) so that it calls "
                              "itself %s",
                              issuer, conf->issuer);
    kc_check_report_add(check->report, &fault,
                        "%s differs: KeycloakIssuer is %s, but Keycloak calls itself %s",
                        difference(conf->issuer, issuer, check->pool), conf->issuer, issuer);
    return 0;
}
