/* The names of parameters that links may pass on to Keycloak's sign-in page.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGIN_NAMES_H
#define KC_LOGIN_NAMES_H

#include <apr_tables.h>

#include "base/err.h"

enum {
    KC_LOGIN_NAMES_MAX = 16,    /* names that KeycloakLoginParameters may have */
    KC_LOGIN_NAMES_LEN_MAX = 64 /* bytes of each */
};

/* The parameter of the login address that carries a requirement sealed by kc_step_up_seal. */
#define KC_LOGIN_NAMES_STEP_UP "demand"

/* Checks the names of KeycloakLoginParameters. KC_REFUSED, with a detail that completes a sentence,
 * for names that the protocol or the login address itself uses. Otherwise a link could change who
 * signs in where, and how that is checked. Also for names that need escapes, names that are there
 * twice, and too many names. names may be NULL. */
kc_rc_t kc_login_names_check(const apr_array_header_t *names, kc_err_t *err);
/* 1 when the list is just the word none: no parameter is passed on. Thread safe. */
int kc_login_names_is_none(const apr_array_header_t *names);

#endif
