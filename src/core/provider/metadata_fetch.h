/* One fetch of a provider's documents: the metadata, then the keys that it points to.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_METADATA_FETCH_H
#define KC_METADATA_FETCH_H

#include "http/http.h"
#include "provider/metadata_shared.h"

/* Fetches both documents into pool, by two exchanges over http, within the time left to the request
 * of that pool (deadline.h; NULL: no request). The lease (kc_metadata_shared_take_lease) is
 * prolonged before the second. Fails like
 * http; with KC_DOWN when the provider's status is not 200; and like kc_provider_parse. */
kc_rc_t kc_metadata_fetch_documents(const kc_metadata_shared_t *shared, kc_lease_t *lease,
                                    kc_http_t *http, apr_pool_t *request, apr_pool_t *pool,
                                    kc_metadata_documents_t *out, kc_err_t *err);

#endif
