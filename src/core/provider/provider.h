/* A provider's metadata: the discovery document, checked.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_PROVIDER_H
#define KC_PROVIDER_H

#include <apr_pools.h>
#include <stddef.h>

#include "base/err.h"
#include "conf/conf.h"

/* Immutable; lives in the pool given to parse. URLs that this host calls at the origin of the
 * issuer or of KeycloakAuthURL are moved to KeycloakBackchannelURL when that is set. URLs at one of
 * KeycloakEndpointOrigins stay. */
typedef struct kc_provider_t {
    const char *issuer;
    const char *authorization_endpoint; /* for browsers: KeycloakAuthURL when set (may be a path on
                                           this host), else discovered */
    const char *token_endpoint;         /* called by this host */
    const char *jwks_uri;               /* called by this host */
    const char *userinfo_endpoint;      /* called by this host; NULL when there is none */
    const char *end_session_endpoint;   /* for browsers; NULL when there is none */
    const char *revocation_endpoint;    /* called by this host; NULL when there is none */
    const char *token_audience; /* the token endpoint as the document names it: audience of client
                                   assertions */
    const char *left_out; /* which optional endpoints cannot be used, and why, for the log; "" when
                             there are none */
    int is_issuer_in_callback; /* authorization_response_iss_parameter_supported (RFC 9207) */
} kc_provider_t;

/* The document's URL: the issuer without a trailing slash, plus /.well-known/openid-configuration
 * (OpenID Connect Discovery 1.0 section 4). Moved to KeycloakBackchannelURL when that is set. */
kc_rc_t kc_provider_discovery_url(const kc_conf_t *conf, apr_pool_t *pool, const char **out,
                                  kc_err_t *err);

/* The address by which this host reaches an endpoint for browsers (an absolute URL): moved to
 * KeycloakBackchannelURL where that stands for its origin, else itself. NULL: it is no URL. In
 * pool. */
const char *kc_provider_from_here(const kc_conf_t *conf, const char *endpoint, apr_pool_t *pool);

/* Reads and checks a document. KC_REFUSED with:
 *   - KC_ERR_DISCOVERY: malformed; a required member is absent or has the wrong type; or one of
 *     these is not supported: the configured client authentication, response_type code, S256 (when
 *     code_challenge_methods_supported is there).
 *   - KC_ERR_DISCOVERY_ISSUER: issuer is not exactly the configured one; the detail shows both.
 *   - KC_ERR_DISCOVERY_ENDPOINT: a required endpoint is no URL; is http while the issuer is https
 *     (unless KeycloakAllowHTTP is on, or its origin is the back channel's); or is at an origin
 *     that conf does not allow. Allowed are those of issuer, backchannel_url, auth_url and
 *     endpoint_origins.
 *
 * An optional endpoint with such a fault, or that is no string, is left out. Members that are null
 * are absent. A browser endpoint at the back channel's origin is moved to the issuer's origin. An
 * authorization_endpoint that KeycloakAuthURL overrides must be there but is not checked.
 * tls_client_auth uses mtls_endpoint_aliases (RFC 8705 section 5) where they are. */
kc_rc_t kc_provider_parse(const kc_conf_t *conf, const char *text, size_t len, apr_pool_t *pool,
                          kc_provider_t **out, kc_err_t *err);

#endif
