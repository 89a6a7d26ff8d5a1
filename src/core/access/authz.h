/* Authorization: whether an identity meets a Require line.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_AUTHZ_H
#define KC_AUTHZ_H

#include <apr_pools.h>

#include "base/err.h"
#include "base/json.h"
#include "session/session.h"

/* The kinds of lines and their names behind Require:
 * keycloak-role R …
 * keycloak-client-role C:R …, as client_role.h has them
 * keycloak-group G …, with or without the leading slash
 * keycloak-claim PATH OP VALUE; OP: = != contains exists matches(POSIX ERE) < <= > >= */
#define KC_AUTHZ_KINDS(KIND)                  \
    KIND(REALM_ROLE, "keycloak-role")         \
    KIND(CLIENT_ROLE, "keycloak-client-role") \
    KIND(GROUP, "keycloak-group")             \
    KIND(CLAIM, "keycloak-claim")
#define KC_AUTHZ_KIND_VALUE(value, name) KC_AUTHZ_##value,
#define KC_AUTHZ_KIND_NAME(value, name) name,

typedef enum { KC_AUTHZ_KINDS(KC_AUTHZ_KIND_VALUE) } kc_authz_kind_t;

/* A Require line, read at start. Immutable. */
typedef struct kc_authz_rule_t kc_authz_rule_t;

/* Reads the words after the provider's name (quotes as httpd's own: already split by argc/argv).
 * KC_REFUSED with KC_ERR_CONFIG and a detail for the administrator: no word, a client role without
 * a colon, an unknown operator, a missing or superfluous value, a bad expression, < <= > >= with a
 * value that is no decimal number. At start only: an expression is released with the pool. */
kc_rc_t kc_authz_parse(kc_authz_kind_t kind, int argc, const char *const *argv, apr_pool_t *pool,
                       const kc_authz_rule_t **out, kc_err_t *err);
typedef enum { KC_AUTHZ_UNMET, KC_AUTHZ_MET, KC_AUTHZ_UNKNOWN } kc_authz_answer_t;

/* Whether the session meets the rule: any of its words is enough. An absent or null claim does not
 * meet it, so that != needs the claim to be there. Unknown: it is not met as far as is known,
 * but one of these holds. The list is not complete (unknown.h); the claims cannot be read; or the
 * claim is one that only access tokens have (realm_access, resource_access), or that of unknown
 * groups.
 *
 * Numbers compare as numbers with = and the order operators. The latter also take texts that are
 * decimal numbers. A text contains its parts; an array contains what equals one of its elements. An
 * array meets =, contains and matches by any element, != when every element is a scalar and
 * different, < <= > >= never. An object meets only exists. Claims are parsed for the first rule
 * that needs them, and kept with pool, the request's. Thread safe as far as pool is. */
kc_authz_answer_t kc_authz_ask(const kc_authz_rule_t *rule, const kc_session_t *session,
                               apr_pool_t *pool);
/* 1 when the rule is met. */
int kc_authz_is_met(const kc_authz_rule_t *rule, const kc_session_t *session, apr_pool_t *pool);

#endif
