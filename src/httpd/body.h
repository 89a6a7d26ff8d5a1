/* Forms: who sends them, and how long reading one may take.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_BODY_H
#define AKC_BODY_H

#include "module.h"

typedef enum {
    AKC_BODY_PROVIDER, /* the provider, or a client that claims to be it */
    AKC_BODY_STRANGER, /* any client */
    AKC_BODY_KNOWN     /* a user with a session, or an operator */
} akc_body_from_t;
/* Once in each child. */
void akc_body_child(void);
/* The body of a POST that is a form (application/x-www-form-urlencoded), up to KC_QUERY_FORM_MAX
 * bytes, with a NUL that is not counted. KC_REFUSED with KC_ERR_FORM, also when it takes too long.
 * KC_DOWN with KC_ERR_FORM_BUSY when it is slow while other forms wait. */
kc_rc_t akc_body_form(request_rec *r, akc_body_from_t from, const char **form, size_t *len,
                      kc_err_t *err);

#endif
