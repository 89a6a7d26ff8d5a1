/* What an administrator can do about a connection or a certificate that was refused.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HTTP_FAILURE_H
#define KC_HTTP_FAILURE_H

#include <apr_pools.h>

/* Both return one line, in the pool or reason itself. reason: what the TLS library or the system
 * says. Thread safe. */

/* A certificate that was refused for who issued it, for its time, or for its name, with the
 * directive to look at. */
const char *kc_http_failure_certificate(const char *reason, apr_pool_t *pool);
/* A connection that was refused; number: the errno, 0: none is known. Where this host forbids it
 * (EACCES, EPERM), with what may do so. */
const char *kc_http_failure_connection(const char *reason, int number, apr_pool_t *pool);

#endif
