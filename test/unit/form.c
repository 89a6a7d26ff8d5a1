/* Older encodings of a session.
 * SPDX-License-Identifier: Apache-2.0 */
#include "form.h"

#include <apr_strings.h>
#include <string.h>

#include "session/session_codec.h"
#include "testlib.h"

kc_bytes_t form_without_user_mark(kc_bytes_t compact)
{
    enum { AT = 4 + 5 * 4 + 10 * 2 + 4 + 8 + 2 * KC_SESSION_NAME_SIZE };
    enum { SIZE = 8 + KC_SESSION_NAME_SIZE };
    unsigned char *bytes = apr_pmemdup(testlib_pool, compact.data, compact.len);

    memmove(bytes + AT, bytes + AT + SIZE, compact.len - AT - SIZE);
    bytes[0] = 5;
    return (kc_bytes_t){bytes, compact.len - SIZE};
}
