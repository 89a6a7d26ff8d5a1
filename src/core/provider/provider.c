/* A provider's metadata: reads the discovery document and checks every address in it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "provider/provider.h"

#include <apr_strings.h>
#include <string.h>

#include "base/json.h"
#include "base/url.h"

static const char well_known[] = "/.well-known/openid-configuration";

/* What the members of a document are checked against. */
typedef struct {
    const kc_conf_t *conf;
    kc_url_t issuer;
    const char *outer;    /* the path prefix of issuer and endpoints outside, */
    const char *inner;    /* and inside; both "" when KeycloakBackchannelURL has no path */
    kc_url_t backchannel; /* the issuer's when KeycloakBackchannelURL is not set */
    kc_url_t browser;     /* KeycloakAuthURL's; the issuer's when that is not set or a path */
    apr_pool_t *pool;
    kc_err_t *err;
} rules_t;

typedef struct {
    const char *name;
    size_t offset; /* of the member in kc_provider_t */
    int is_required;
    int is_for_browsers;
} endpoint_t;

static const endpoint_t endpoints[] = {
    {"authorization_endpoint", offsetof(kc_provider_t, authorization_endpoint), 1, 1},
    {"token_endpoint", offsetof(kc_provider_t, token_endpoint), 1, 0},
    {"jwks_uri", offsetof(kc_provider_t, jwks_uri), 1, 0},
    {"userinfo_endpoint", offsetof(kc_provider_t, userinfo_endpoint), 0, 0},
    {"end_session_endpoint", offsetof(kc_provider_t, end_session_endpoint), 0, 1},
    {"revocation_endpoint", offsetof(kc_provider_t, revocation_endpoint), 0, 0},
};

/* A path without slashes at its end; only up to the realm when upto_realm is set. */
static const char *front_of(const char *path, int upto_realm, apr_pool_t *pool)
{
    const char *realm = upto_realm ? strstr(path, "/realms/") : NULL;
    size_t len = realm ? (size_t)(realm - path) : strlen(path);

    while (len > 0 && path[len - 1] == '/')
        len--;
    return kc_buf_copy(path, len, pool);
}

/* A path in KeycloakBackchannelURL is Keycloak's root inside. When it names a realm, or the issuer
 * names none, it is the issuer itself. */
static void init_fronts(rules_t *rules)
{
    const char *within = rules->backchannel.path;
    int is_root = !strstr(within, "/realms/") && strstr(rules->issuer.path, "/realms/");

    rules->outer = rules->inner = "";
    if (!rules->conf->backchannel_url || strcmp(within, "/") == 0)
        return;
    rules->outer = front_of(rules->issuer.path, is_root, rules->pool);
    rules->inner = front_of(within, 0, rules->pool);
}

/* url moved to another origin; a path that begins with `from` gets `to` instead. */
static const char *moved(const kc_url_t *url, const kc_url_t *origin, const char *from,
                         const char *to, apr_pool_t *pool)
{
    kc_url_t there = *url;
    size_t len = strlen(from);

    if (strncmp(url->path, from, len) == 0 && (url->path[len] == '/' || !url->path[len]))
        there.path = apr_pstrcat(pool, to, url->path + len, NULL);
    return kc_url_rebase(&there, origin, pool);
}

static kc_rc_t rules_init(rules_t *rules, const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    const char *auth_url = conf->auth_url;
    kc_rc_t rc;

    rules->conf = conf;
    rules->pool = pool;
    rules->err = err;
    rc = kc_url_parse(conf->issuer, pool, &rules->issuer, err);
    if (rc != KC_OK)
        return rc;
    rules->backchannel = rules->issuer;
    rules->browser = rules->issuer;
    if (conf->backchannel_url)
        rc = kc_url_parse(conf->backchannel_url, pool, &rules->backchannel, err);
    if (rc == KC_OK && auth_url && auth_url[0] != '/')
        rc = kc_url_parse(auth_url, pool, &rules->browser, err);
    if (rc == KC_OK)
        init_fronts(rules);
    return rc;
}

kc_rc_t kc_provider_discovery_url(const kc_conf_t *conf, apr_pool_t *pool, const char **out,
                                  kc_err_t *err)
{
    rules_t rules;
    kc_url_t url;
    kc_rc_t rc;
    size_t len = strlen(conf->issuer);

    rc = rules_init(&rules, conf, pool, err);
    if (rc != KC_OK)
        return rc;
    if (rules.issuer.query)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "an issuer has no query: %.200s",
                       conf->issuer);
    if (len && conf->issuer[len - 1] == '/')
        len--;
    rc = kc_url_parse(apr_pstrcat(pool, kc_buf_copy(conf->issuer, len, pool), well_known, NULL),
                      pool, &url, err);
    if (rc == KC_OK)
        *out = moved(&url, &rules.backchannel, rules.outer, rules.inner, pool);
    return rc;
}

static int is_in_list(const kc_json_t *list, const char *word)
{
    size_t i;

    for (i = 0; i < kc_json_size(list); i++) {
        const char *text = kc_json_string(kc_json_at(list, i));

        if (text && !strcmp(text, word))
            return 1;
    }
    return 0;
}

/* A member that lists what the provider supports must have word. */
static kc_rc_t check_support(const kc_json_t *document, const char *name, const char *word,
                             kc_err_t *err)
{
    const kc_json_t *list = kc_json_member(document, name);

    if (!list || kc_json_type(list) != KC_JSON_ARRAY)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_DISCOVERY, "%s is %s", name,
                       list ? "no array" : "absent");
    if (!is_in_list(list, word))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_DISCOVERY, "%s does not hold %s", name, word);
    return KC_OK;
}

static kc_rc_t check_support_if_there(const kc_json_t *document, const char *name, const char *word,
                                      kc_err_t *err)
{
    return kc_json_member(document, name) ? check_support(document, name, word, err) : KC_OK;
}

static kc_rc_t check_issuer(const kc_json_t *document, const kc_conf_t *conf, kc_err_t *err)
{
    const char *issuer = kc_json_member_string(document, "issuer");

    if (!issuer)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_DISCOVERY, "issuer is absent or no string");
    if (strcmp(issuer, conf->issuer) != 0)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_DISCOVERY_ISSUER,
                       "KeycloakIssuer is %.100s but the document's issuer is %.100s", conf->issuer,
                       issuer);
    return KC_OK;
}

static kc_rc_t check_abilities(const kc_json_t *document, const kc_conf_t *conf, kc_err_t *err)
{
    static const char *const methods[] = {KC_CHOICES_ARRAY(AUTH)};
    const char *method = NULL;
    kc_rc_t rc;

    /* Providers do not list "none" although they serve public clients. */
    if (conf->client_auth >= 0 && conf->client_auth < KC_AUTH_NONE)
        method = methods[conf->client_auth];
    rc = check_support(document, "response_types_supported", "code", err);
    if (rc == KC_OK)
        rc = check_support_if_there(document, "code_challenge_methods_supported", "S256", err);
    if (rc == KC_OK && method)
        rc = check_support_if_there(document, "token_endpoint_auth_methods_supported", method, err);
    return rc;
}

static int is_further_origin(const rules_t *rules, const kc_url_t *url)
{
    const apr_array_header_t *origins = rules->conf->endpoint_origins;
    int i;

    for (i = 0; origins && i < origins->nelts; i++) {
        kc_url_t origin;

        if (kc_url_parse(APR_ARRAY_IDX(origins, i, const char *), rules->pool, &origin, NULL) ==
                KC_OK &&
            kc_url_is_same_origin(url, &origin))
            return 1;
    }
    return 0;
}

static int is_plain_allowed(const rules_t *rules, const kc_url_t *url)
{
    return rules->conf->allow_http || !strcmp(rules->issuer.scheme, "http") ||
           kc_url_is_same_origin(url, &rules->backchannel);
}

static kc_rc_t check_endpoint(const rules_t *rules, const char *name, const kc_url_t *url)
{
    const char *origin = kc_url_origin(url, rules->pool);

    if (!strcmp(url->scheme, "http") && !is_plain_allowed(rules, url))
        return KC_FAIL(rules->err, KC_REFUSED, KC_ERR_DISCOVERY_ENDPOINT,
                       "%s is on http although the issuer is on https: %.150s", name, origin);
    if (!kc_url_is_same_origin(url, &rules->issuer) &&
        !kc_url_is_same_origin(url, &rules->backchannel) &&
        !kc_url_is_same_origin(url, &rules->browser) && !is_further_origin(rules, url))
        return KC_FAIL(rules->err, KC_REFUSED, KC_ERR_DISCOVERY_ENDPOINT,
                       "%s is at %.150s; KeycloakEndpointOrigins does not allow that", name,
                       origin);
    return KC_OK;
}

/* Gives each side the address by which it reaches Keycloak. An endpoint at one of
 * KeycloakEndpointOrigins is not Keycloak under another name: it is not moved. */
static const char *address_for(const rules_t *rules, const kc_url_t *url, int is_for_browsers)
{
    if (is_for_browsers && kc_url_is_same_origin(url, &rules->backchannel))
        return moved(url, &rules->issuer, rules->inner, rules->outer, rules->pool);
    if (is_for_browsers)
        return kc_url_rebase(url, url, rules->pool);
    if (rules->conf->backchannel_url &&
        (kc_url_is_same_origin(url, &rules->issuer) || kc_url_is_same_origin(url, &rules->browser)))
        return moved(url, &rules->backchannel, rules->outer, rules->inner, rules->pool);
    return kc_url_rebase(url, url, rules->pool);
}

const char *kc_provider_from_here(const kc_conf_t *conf, const char *endpoint, apr_pool_t *pool)
{
    rules_t rules;
    kc_url_t url;

    if (rules_init(&rules, conf, pool, NULL) != KC_OK ||
        kc_url_parse(endpoint, pool, &url, NULL) != KC_OK)
        return NULL;
    return address_for(&rules, &url, 0);
}

/* A client with a certificate must use the endpoints where the provider asks for one (RFC 8705
 * section 5). */
static const kc_json_t *find_endpoint(const rules_t *rules, const kc_json_t *document,
                                      const char *name)
{
    const kc_json_t *aliases = kc_json_member(document, "mtls_endpoint_aliases");
    const kc_json_t *alias = NULL;

    if (rules->conf->client_auth == KC_AUTH_TLS)
        alias = kc_json_member(aliases, name);
    return alias ? alias : kc_json_member(document, name);
}

static kc_rc_t read_endpoint(const rules_t *rules, const kc_json_t *document,
                             const endpoint_t *endpoint, const char **out)
{
    const kc_json_t *member = find_endpoint(rules, document, endpoint->name);
    const char *text = kc_json_string(member);
    kc_url_t url;

    if (!member && !endpoint->is_required)
        return KC_OK;
    if (!text)
        return KC_FAIL(rules->err, KC_REFUSED, KC_ERR_DISCOVERY, "%s is %s", endpoint->name,
                       member ? "no string" : "absent");
    /* An endpoint that KeycloakAuthURL overrides is never used, so it need not be checked. */
    if (rules->conf->auth_url && !strcmp(endpoint->name, "authorization_endpoint")) {
        *out = apr_pstrdup(rules->pool, rules->conf->auth_url);
        return KC_OK;
    }
    if (kc_url_parse(text, rules->pool, &url, NULL) != KC_OK)
        return KC_FAIL(rules->err, KC_REFUSED, KC_ERR_DISCOVERY_ENDPOINT,
                       "%s is no http or https URL: %.100s", endpoint->name, text);
    if (check_endpoint(rules, endpoint->name, &url) != KC_OK)
        return KC_REFUSED;
    *out = address_for(rules, &url, endpoint->is_for_browsers);
    return KC_OK;
}

/* A faulty endpoint that a sign-in does not need is only left out. */
static kc_rc_t read_endpoints(const rules_t *rules, const kc_json_t *document, kc_provider_t *out)
{
    size_t i;

    for (i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        const char **slot = (const char **)(void *)((char *)out + endpoints[i].offset);
        kc_err_t why = {0};
        rules_t each = *rules;
        kc_rc_t rc;

        if (!endpoints[i].is_required)
            each.err = &why;
        rc = read_endpoint(&each, document, &endpoints[i], slot);
        if (rc != KC_OK && endpoints[i].is_required)
            return rc;
        if (rc != KC_OK)
            out->left_out = apr_pstrcat(rules->pool, out->left_out, *out->left_out ? "; " : "",
                                        why.detail, NULL);
    }
    out->token_audience =
        apr_pstrdup(rules->pool, kc_json_string(find_endpoint(rules, document, "token_endpoint")));
    return KC_OK;
}

static kc_rc_t read_callback_issuer(const kc_json_t *document, int *out, kc_err_t *err)
{
    const kc_json_t *flag =
        kc_json_member(document, "authorization_response_iss_parameter_supported");

    if (flag && kc_json_type(flag) != KC_JSON_BOOLEAN)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_DISCOVERY,
                       "authorization_response_iss_parameter_supported is no boolean");
    *out = kc_json_is_true(flag);
    return KC_OK;
}

kc_rc_t kc_provider_parse(const kc_conf_t *conf, const char *text, size_t len, apr_pool_t *pool,
                          kc_provider_t **out, kc_err_t *err)
{
    kc_provider_t *provider = apr_pcalloc(pool, sizeof(*provider));
    const kc_json_t *document;
    rules_t rules;
    kc_err_t cause = {0};
    kc_rc_t rc;

    rc = rules_init(&rules, conf, pool, err);
    if (rc != KC_OK)
        return rc;
    if (kc_json_parse(text, len, pool, &document, &cause) != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_DISCOVERY, "%.200s", cause.detail);
    provider->left_out = "";
    rc = check_issuer(document, conf, err);
    if (rc == KC_OK)
        rc = check_abilities(document, conf, err);
    if (rc == KC_OK)
        rc = read_endpoints(&rules, document, provider);
    if (rc == KC_OK)
        rc = read_callback_issuer(document, &provider->is_issuer_in_callback, err);
    if (rc != KC_OK)
        return rc;
    provider->issuer = apr_pstrdup(pool, conf->issuer);
    *out = provider;
    return KC_OK;
}
