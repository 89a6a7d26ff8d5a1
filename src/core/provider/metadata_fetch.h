/* One fetch of a provider's documents: metadata first, then the keys that it points to.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_METADATA_FETCH_H
#define KC_METADATA_FETCH_H

#include "http/http.h"
#include "provider/metadata_shared.h"

/* Both documents in pool, by two exchanges over http, within what is left to the
 * request of that pool (deadline.h; NULL: nobody's); the lease is prolonged before the second.
 * Fails as http does, with KC_DOWN when the provider answers with another status than 200, and as
 * kc_provider_parse. */
kc_rc_t kc_metadata_fetch_documents(const kc_metadata_shared_t *shared, kc_http_t *http,
                                    apr_pool_t *request, apr_pool_t *pool,
                                    kc_metadata_documents_t *out, kc_err_t *err);

#endif
