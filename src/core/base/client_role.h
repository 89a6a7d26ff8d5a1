/* A client's role as one text, which names one role of one client.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CLIENT_ROLE_H
#define KC_CLIENT_ROLE_H

#include <apr_pools.h>

/* The text before the role: the client's id and a colon. A colon in the id is written as %3A, a
 * percent sign as %25, so that the first colon always ends the id. In pool; thread safe. */
const char *kc_client_role_prefix(const char *client, apr_pool_t *pool);
/* 1 when text is CLIENT:ROLE in that form, with neither of them empty. */
int kc_client_role_is(const char *text);

#endif
