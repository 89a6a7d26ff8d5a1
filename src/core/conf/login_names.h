/* The parameters that links may give to Keycloak's sign-in page: which names they may have.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGIN_NAMES_H
#define KC_LOGIN_NAMES_H

#include <apr_tables.h>

#include "base/err.h"

enum {
    KC_LOGIN_NAMES_MAX = 16,    /* names that KeycloakLoginParameters may have */
    KC_LOGIN_NAMES_LEN_MAX = 64 /* bytes of each */
};

/* The parameter of the login address that carries what kc_demand_seal has made. */
#define KC_LOGIN_NAMES_DEMAND "demand"

/* What KeycloakLoginParameters names: KC_REFUSED, the detail completes a sentence, for names that
 * the protocol or the login address itself uses (so that no link changes who signs in where, and
 * how that is checked), for names that need escapes, twice the same, or too many. names may be
 * NULL. */
kc_rc_t kc_login_names_check(const apr_array_header_t *names, kc_err_t *err);
/* 1 when the list is the word none alone: no parameter goes on. Thread safe. */
int kc_login_names_is_none(const apr_array_header_t *names);

#endif
