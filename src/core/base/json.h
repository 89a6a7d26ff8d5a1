/* JSON, strictly: what Keycloak sends is read through here. The only user of jansson.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_JSON_H
#define KC_JSON_H

#include <apr_pools.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    KC_JSON_TEXT_MAX = 512 * 1024, /* bytes: more than the largest answer, with three tokens */
    KC_JSON_DEPTH_MAX = 32         /* objects and lists inside each other, the root included */
};

typedef enum {
    KC_JSON_NULL,
    KC_JSON_BOOLEAN,
    KC_JSON_INTEGER,
    KC_JSON_REAL,
    KC_JSON_STRING,
    KC_JSON_ARRAY,
    KC_JSON_OBJECT
} kc_json_type_t;

/* A value. Values belong to their document, the document to the pool given to parse or new_object.
 * Reading is thread safe, building is not. Readers accept NULL (an absent value) everywhere. */
typedef struct kc_json_t kc_json_t;

/* Parses one object. KC_REFUSED with KC_ERR_JSON: over KC_JSON_TEXT_MAX bytes, nested deeper than
 * KC_JSON_DEPTH_MAX, duplicate members, invalid UTF-8, \u0000, numbers out of range (1e999), a root
 * that is no object, anything after it. RFC 8259. */
kc_rc_t kc_json_parse(const char *text, size_t len, apr_pool_t *pool, const kc_json_t **out,
                      kc_err_t *err);

/* A member; NULL when it is absent, or null, which is the same everywhere here. */
const kc_json_t *kc_json_member(const kc_json_t *object, const char *name);
/* 1 when there is such a member, also a null one: of those that must not be there. */
int kc_json_has(const kc_json_t *object, const char *name);
/* Follows a path of member names separated by dots ("address.country"); `\.` is a dot inside a
 * name. A member whose whole name equals the path wins. NULL when it leads nowhere. */
const kc_json_t *kc_json_path(const kc_json_t *object, const char *path);
kc_json_type_t kc_json_type(const kc_json_t *value);
int kc_json_is_true(const kc_json_t *value);
/* The text of a string; NULL for every other type. UTF-8, holds no NUL. */
const char *kc_json_string(const kc_json_t *value);
/* The text of a member that is a string, else NULL. */
const char *kc_json_member_string(const kc_json_t *object, const char *name);
/* 1 and *out for an integer number, or a real one that is integral and within ±2^53; else 0. */
int kc_json_integer(const kc_json_t *value, int64_t *out);
/* 1 and *out for a NumericDate or a span (RFC 7519 section 2): a number from 0 to the last second
 * of the year 9999 (later ones are no times, and sums of them could overflow), in whole seconds: a
 * fraction is cut off. Else 0, and *out is as before. */
int kc_json_seconds(const kc_json_t *value, int64_t *out);
/* The same of a member; 0 when it is absent or no such number. */
int64_t kc_json_member_seconds(const kc_json_t *object, const char *name);
size_t kc_json_size(const kc_json_t *array_or_object);
const kc_json_t *kc_json_at(const kc_json_t *array, size_t index);
/* Calls visit for each member of an object, null ones too, in no particular order. */
void kc_json_each(const kc_json_t *object,
                  void (*visit)(void *context, const char *name, const kc_json_t *value),
                  void *context);
/* A scalar as the text of a header: a string as it is, numbers and booleans as JSON; NULL for
 * others. */
const char *kc_json_scalar_text(const kc_json_t *value, apr_pool_t *pool);
/* Compact JSON text in pool. */
char *kc_json_dump(const kc_json_t *value, apr_pool_t *pool);

/* Building: a fresh object whose memory is released with pool. */
kc_json_t *kc_json_new_object(apr_pool_t *pool);
/* NULL text leaves the member out; text that is not UTF-8 is replaced by "?". */
void kc_json_set_string(kc_json_t *object, const char *name, const char *text);
void kc_json_set_integer(kc_json_t *object, const char *name, int64_t number);
/* Sets name to a deep copy of value. */
void kc_json_set_value(kc_json_t *object, const char *name, const kc_json_t *value);
void kc_json_set_boolean(kc_json_t *object, const char *name, int is_true);
/* Sets name to a new, empty array, which is the object's. */
kc_json_t *kc_json_set_array(kc_json_t *object, const char *name);
/* Adds to an array: a text (as of kc_json_set_string), or a new object, which is the array's. */
void kc_json_add_string(kc_json_t *array, const char *text);
kc_json_t *kc_json_add_object(kc_json_t *array);

#endif
