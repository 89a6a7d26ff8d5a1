/* Log lines about requests that show a mistake in the configuration. They are written once, and
 * limited, because any client can send such requests.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hints.h"

#include <apr_strings.h>

#include "log.h"

#include "core/crypto/once.h"

static kc_once_t peers = KC_ONCE_EMPTY, addresses = KC_ONCE_EMPTY;

/* Virtual hosts are distinguished by the line that begins them. */
static int is_first(kc_once_t *once, const request_rec *r, const char *name)
{
    const server_rec *server = r->server;
    const char *scope = apr_psprintf(r->pool, "%s:%u", server->defn_name ? server->defn_name : "",
                                     server->defn_line_number);

    return kc_once_is_first(once, scope, name, KC_ONCE_PAUSE, apr_time_sec(apr_time_now()));
}

/* The first header that would have told something; X-Forwarded-For by itself does not. */
static const char *header_of(const request_rec *r)
{
    static const char *const names[] = {
        "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Scheme",
        "X-Scheme",          "X-Forwarded-Ssl",  "Forwarded"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (apr_table_get(r->headers_in, names[i]))
            return names[i];
    }
    return NULL;
}

void akc_hints_forwarded(request_rec *r, const char *origin)
{
    const kc_err_row_t *row = kc_err_row(KC_ERR_FORWARDED_IGNORED);
    const char *header = header_of(r), *peer = r->connection->client_ip;

    if (!header || !is_first(&peers, r, peer))
        return;
    AKC_LOG_REQUEST(r, KC_ERR_FORWARDED_IGNORED,
                    "%s: %s of %s is ignored, because KeycloakTrustedProxy does not name that "
                    "peer; browsers are sent to %s. If it is a proxy of yours, add %s %s, or set "
                    "KeycloakPublicURL",
                    row->slug, header, peer, origin,
                    kc_conf_table_row(KC_CONF_ROW_trusted_proxies)->name, peer);
}

void akc_hints_address(const akc_request_t *request, request_rec *r, const char *id,
                       const char *there)
{
    const kc_err_row_t *row = kc_err_row(KC_ERR_NOT_FOUND);

    if (!is_first(&addresses, r, r->uri))
        return;
    AKC_LOG_REQUEST_AT(APLOG_WARNING, r, KC_ERR_NOT_FOUND,
                       "%s: %s %s: there is no such address; below KeycloakPrefix %s there are %s, "
                       "and the callback is %s [request %s]",
                       row->slug, r->method, ap_escape_logitem(r->pool, r->uri),
                       request->server->conf->prefix, there, request->server->rp->callback_path,
                       id);
}
