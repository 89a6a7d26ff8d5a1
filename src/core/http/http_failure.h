/* What an administrator can do about a refused connection or certificate.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HTTP_FAILURE_H
#define KC_HTTP_FAILURE_H

#include <apr_pools.h>

/* Both return one line, in the pool, or reason itself. reason: the text of the TLS library or the
 * system. Thread safe. */

/* For a certificate that was refused because of its issuer, time or name. Adds the directive to
 * check. */
const char *kc_http_failure_certificate(const char *reason, apr_pool_t *pool);
/* For a connection that was refused. number: the errno, or 0 when it is not known. When this host
 * forbids it (EACCES, EPERM), adds what may forbid it. */
const char *kc_http_failure_connection(const char *reason, int number, apr_pool_t *pool);

#endif
