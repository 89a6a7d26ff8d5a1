/* How kc_fake_make sets up its stores; tests include only fake.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_FAKE_STORE_H
#define KC_FAKE_STORE_H

#include "fake.h"

/* An empty store that is up, in fake's pool and by fake's clock. */
void kc_fake_store_init(kc_fake_store_t *store, kc_fake_t *fake);

#endif
