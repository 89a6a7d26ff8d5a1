/* The kind of a signed token.
 * SPDX-License-Identifier: Apache-2.0 */
#include "provider/token_type.h"

#include <string.h>
#include <strings.h>

#include "crypto/jws.h"

static const char prefix[] = "application/";

int kc_token_type_is(const char *typ, const char *media_type)
{
    size_t len = sizeof(prefix) - 1;

    if (typ && strncasecmp(typ, prefix, len) == 0)
        typ += len;
    return typ && strcasecmp(typ, media_type) == 0;
}

static int is_plain(const char *typ)
{
    return !typ || kc_token_type_is(typ, "JWT");
}

static int is_keycloak(const char *issuer)
{
    return strstr(issuer, "/realms/") != NULL;
}

/* Explicit types of kinds of JWT end in +jwt (RFC 8725 section 3.11). */
static int is_header_of_another(const char *typ)
{
    size_t len = typ ? strlen(typ) : 0;

    if (is_plain(typ) || kc_token_type_is(typ, "id+jwt") || kc_token_type_is(typ, "id_token+jwt"))
        return 0;
    return !len || strcasecmp(typ, "JWE") == 0 ||
           (len > 4 && strcasecmp(typ + len - 4, "+jwt") == 0);
}

/* Names that providers use for tokens that are not ID tokens. */
static int is_claim_of_another(const char *typ)
{
    static const char *const names[] = {"Bearer", "Refresh", "Offline", "Logout"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strncasecmp(typ, names[i], strlen(names[i])) == 0)
            return 1;
    }
    return strncasecmp(typ, "access", 6) == 0 || kc_token_type_is(typ, "at+jwt");
}

int kc_token_type_is_id(const kc_jws_t *token, const char *issuer)
{
    const kc_json_t *typ = kc_json_member(token->claims, "typ");
    const char *text = kc_json_string(typ);

    if (is_keycloak(issuer))
        return is_plain(token->typ) && (!typ || (text && !strcmp(text, "ID")));
    return !is_header_of_another(token->typ) && (!typ || (text && !is_claim_of_another(text)));
}

static kc_token_type_t type_of_keycloak(const kc_jws_t *token)
{
    const kc_json_t *typ = kc_json_member(token->claims, "typ");
    const char *text = kc_json_string(typ);

    if (kc_token_type_is(token->typ, "at+jwt"))
        return !typ || (text && !strcmp(text, "Bearer")) ? KC_TOKEN_TYPE_ACCESS
                                                         : KC_TOKEN_TYPE_OTHER;
    if (!is_plain(token->typ) || !text)
        return KC_TOKEN_TYPE_OTHER;
    return !strcmp(text, "Bearer") ? KC_TOKEN_TYPE_ACCESS
           : !strcmp(text, "ID")   ? KC_TOKEN_TYPE_ID
                                   : KC_TOKEN_TYPE_OTHER;
}

static int has_any(const kc_json_t *claims, const char *const *names)
{
    for (; *names; names++) {
        if (kc_json_member(claims, *names))
            return 1;
    }
    return 0;
}

kc_token_type_t kc_token_type_of(const kc_jws_t *token, const char *issuer)
{
    static const char *const of_id[] = {"nonce", "at_hash", "c_hash", "s_hash", NULL};
    static const char *const of_access[] = {"scope", "scp", "client_id", "cid", NULL};
    kc_token_type_t known = type_of_keycloak(token);
    const char *typ = kc_json_member_string(token->claims, "typ");

    if (is_keycloak(issuer) || known != KC_TOKEN_TYPE_OTHER)
        return known;
    if (!is_plain(token->typ) ||
        kc_json_type(kc_json_member(token->claims, "typ")) != (typ ? KC_JSON_STRING : KC_JSON_NULL))
        return KC_TOKEN_TYPE_OTHER;
    if (typ && is_claim_of_another(typ))
        return strncasecmp(typ, "Bearer", 6) == 0 || strncasecmp(typ, "access", 6) == 0 ||
                       kc_token_type_is(typ, "at+jwt")
                   ? KC_TOKEN_TYPE_ACCESS
                   : KC_TOKEN_TYPE_OTHER;
    if (has_any(token->claims, of_id))
        return KC_TOKEN_TYPE_ID;
    return has_any(token->claims, of_access) ? KC_TOKEN_TYPE_ACCESS : KC_TOKEN_TYPE_OTHER;
}

int kc_token_type_is_offline(const char *refresh_token, apr_pool_t *pool)
{
    kc_jws_t token;
    const char *typ;

    if (kc_jws_parse(refresh_token, strlen(refresh_token), pool, &token, NULL) != KC_OK ||
        kc_jws_read_claims(&token, pool, NULL) != KC_OK)
        return 0;
    typ = kc_json_member_string(token.claims, "typ");
    return typ && strcmp(typ, "Offline") == 0;
}
