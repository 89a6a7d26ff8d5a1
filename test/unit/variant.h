/* JSON objects that differ from another in one member, for tests that try one wrong thing at a
 * time. SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_VARIANT_H
#define KC_VARIANT_H

/* The object (JSON text) with member name set to value (JSON text), or without it when value is
 * NULL; name NULL: as it is. The result is in testlib_pool. */
const char *variant_of(const char *object, const char *name, const char *value);

#endif
