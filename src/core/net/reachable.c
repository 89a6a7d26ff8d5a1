/* Why a host cannot be reached, in the system's words, with the cure when it is known.
 * SPDX-License-Identifier: Apache-2.0 */
#include "net/reachable.h"

#include <apr_errno.h>
#include <apr_strings.h>
#include <errno.h>

/* Errors of a non-blocking socket that mean no failure yet, or that come after it was connected. */
static int is_none(int number)
{
    return !number || number == EINPROGRESS || number == EAGAIN || number == EALREADY ||
           number == EINTR || number == ECONNRESET || number == EPIPE || number == ENOTCONN;
}

const char *kc_reachable_text(const char *what, int number, const char *otherwise, char *text,
                              size_t size)
{
    char reason[64];

    if (is_none(number))
        return otherwise;
    (void)apr_strerror(number, reason, sizeof(reason));
    (void)apr_snprintf(text, size, "%s: %s%s", what, reason,
                       number == EACCES || number == EPERM
                           ? " (this host forbids it: SELinux's httpd_can_network_connect, or a "
                             "packet filter)"
                           : "");
    return text;
}
