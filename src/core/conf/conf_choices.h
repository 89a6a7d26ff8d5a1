/* The words of CHOICE directives, and the names of cookies. One line for each word makes the enum
 * value KC_LIST_VALUE, the word that the directive accepts, and the text in the reference.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_CHOICES_H
#define KC_CONF_CHOICES_H

/* The names of this module's cookies, without their prefixes over https (cookie_names.h). */
#define KC_COOKIE_SESSION "keycloak_session" /* the default of KeycloakCookie */
#define KC_COOKIE_LOGIN "keycloak_login"     /* the name of a sign-in follows */
#define KC_COOKIE_ROUNDS "keycloak_rounds"
#define KC_COOKIE_LOGOUT "keycloak_logout"

#define KC_CHOICES_AUTH(FIRST, NEXT)               \
    FIRST(AUTH, BASIC, "client_secret_basic")      \
    NEXT(AUTH, POST, "client_secret_post")         \
    NEXT(AUTH, SECRET_JWT, "client_secret_jwt")    \
    NEXT(AUTH, PRIVATE_KEY_JWT, "private_key_jwt") \
    NEXT(AUTH, TLS, "tls_client_auth")             \
    NEXT(AUTH, NONE, "none")
#define KC_CHOICES_CLIENT(FIRST, NEXT) \
    FIRST(CLIENT, HS256, "HS256")      \
    NEXT(CLIENT, HS384, "HS384")       \
    NEXT(CLIENT, HS512, "HS512")
#define KC_CHOICES_USER_INFO(FIRST, NEXT) \
    FIRST(USER_INFO, AUTO, "auto")        \
    NEXT(USER_INFO, ON, "on")             \
    NEXT(USER_INFO, OFF, "off")
#define KC_CHOICES_JUDGE(FIRST, NEXT) \
    FIRST(JUDGE, ENVOY, "envoy")      \
    NEXT(JUDGE, NGINX, "nginx")       \
    NEXT(JUDGE, FORWARDED, "forwarded")
#define KC_CHOICES_JUDGE_PATHS(FIRST, NEXT) \
    FIRST(JUDGE_PATHS, PLAIN, "plain")      \
    NEXT(JUDGE_PATHS, ANY, "any")
#define KC_CHOICES_SAME_SITE(FIRST, NEXT) \
    FIRST(SAME_SITE, LAX, "Lax")          \
    NEXT(SAME_SITE, STRICT, "Strict")     \
    NEXT(SAME_SITE, NONE, "None")
#define KC_CHOICES_BEARER(FIRST, NEXT) \
    FIRST(BEARER, OFF, "off")          \
    NEXT(BEARER, ON, "on")             \
    NEXT(BEARER, ACCESS, "access")     \
    NEXT(BEARER, ID, "id")
#define KC_CHOICES_FRONT_SESSION(FIRST, NEXT)  \
    FIRST(FRONT_SESSION, REQUIRED, "required") \
    NEXT(FRONT_SESSION, OPTIONAL, "optional")
#define KC_CHOICES_UNAUTH(FIRST, NEXT) \
    FIRST(UNAUTH, AUTO, "auto")        \
    NEXT(UNAUTH, LOGIN, "login")       \
    NEXT(UNAUTH, 401, "401")           \
    NEXT(UNAUTH, PASS, "pass")

/* The words of a list with bars between, as a literal: "Lax|Strict|None". */
#define KC_CHOICES(list) KC_CHOICES_##list(KC_CHOICES_WORD, KC_CHOICES_NEXT_WORD)
/* The words of a list as the elements of an array, in the order of the values. */
#define KC_CHOICES_ARRAY(list) KC_CHOICES_##list(KC_CHOICES_ELEMENT, KC_CHOICES_ELEMENT)

#define KC_CHOICES_WORD(list, value, word) word
#define KC_CHOICES_NEXT_WORD(list, value, word) "|" word
#define KC_CHOICES_ELEMENT(list, value, word) word,
#define KC_CHOICES_VALUE(list, value, word) KC_##list##_##value,
#define KC_CHOICES_VALUES(list) KC_CHOICES_##list(KC_CHOICES_VALUE, KC_CHOICES_VALUE)

enum { KC_CHOICES_VALUES(AUTH) };
enum { KC_CHOICES_VALUES(CLIENT) };
enum { KC_CHOICES_VALUES(USER_INFO) };
enum { KC_CHOICES_VALUES(JUDGE) };
enum { KC_CHOICES_VALUES(JUDGE_PATHS) };
enum { KC_CHOICES_VALUES(SAME_SITE) };
enum { KC_CHOICES_VALUES(BEARER) };
enum { KC_CHOICES_VALUES(FRONT_SESSION) };
enum { KC_CHOICES_VALUES(UNAUTH) };

#endif
