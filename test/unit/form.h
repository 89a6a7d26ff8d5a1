/* Older encodings of a session, which stores and shared memory may still have after an update.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_FORM_H
#define KC_FORM_H

#include "base/buf.h"

/* What kc_session_codec_encode gives, as it was before the last version: without the mark of the
 * user's name. In testlib_pool. */
kc_bytes_t form_without_user_mark(kc_bytes_t compact);

#endif
