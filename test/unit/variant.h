/* JSON objects that differ from another in one member, for tests that try one wrong thing at a
 * time. SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_VARIANT_H
#define KC_VARIANT_H

#include "base/json.h"

/* The object (JSON text) with member name set to value (JSON text), or without it when value is
 * NULL; name NULL: as it is. The result is in testlib_pool. */
const char *variant_of(const char *object, const char *name, const char *value);

/* The object of a JSON text, which must be right. */
const kc_json_t *variant_json(const char *text);
/* A JSON string of count times c. */
const char *variant_text(char c, int count);

#endif
