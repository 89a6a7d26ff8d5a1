/* Strict JSON: everything from Keycloak is parsed here. The only user of jansson.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_JSON_H
#define KC_JSON_H

#include <apr_pools.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    KC_JSON_TEXT_MAX = 512 * 1024, /* bytes: more than the largest answer, with three tokens */
    KC_JSON_DEPTH_MAX = 32         /* nested objects and lists, including the root */
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

/* A value. It belongs to its document; the document belongs to the pool given to parse or
 * new_object. Reading is thread safe, building is not. Readers accept NULL (an absent value)
 * everywhere. */
typedef struct kc_json_t kc_json_t;

/* Parses one object (RFC 8259). KC_REFUSED with KC_ERR_JSON: over KC_JSON_TEXT_MAX bytes, nested
 * deeper than KC_JSON_DEPTH_MAX, duplicate members, invalid UTF-8, \u0000, numbers out of range
 * (1e999), a root that is no object, or text after it. */
kc_rc_t kc_json_parse(const char *text, size_t len, apr_pool_t *pool, const kc_json_t **out,
                      kc_err_t *err);

/* A member; NULL when it is absent or null, which is the same everywhere here. */
const kc_json_t *kc_json_member(const kc_json_t *object, const char *name);
/* 1 when there is such a member, even a null one. For members that must not be there. */
int kc_json_has(const kc_json_t *object, const char *name);
/* Follows a path of member names separated by dots ("address.country"); `\.` is a dot inside a
 * name. A member with exactly the path as its name takes precedence. NULL when there is no such
 * member. */
const kc_json_t *kc_json_path(const kc_json_t *object, const char *path);
kc_json_type_t kc_json_type(const kc_json_t *value);
int kc_json_is_true(const kc_json_t *value);
/* The text of a string; NULL for every other type. UTF-8 without NUL. */
const char *kc_json_string(const kc_json_t *value);
/* The text of a member that is a string, else NULL. */
const char *kc_json_member_string(const kc_json_t *object, const char *name);
/* 1 and *out for an integer, or a real number that is integral and within ±2^53; else 0. */
int kc_json_integer(const kc_json_t *value, int64_t *out);
/* 1 and *out for a NumericDate or a duration (RFC 7519 section 2): a number from 0 to the last
 * second of the year 9999, in whole seconds; a fraction is cut off. Later times are refused,
 * because sums of them could overflow. Else 0, and *out is not changed. */
int kc_json_seconds(const kc_json_t *value, int64_t *out);
/* The same for a member; 0 when it is absent or no such number. */
int64_t kc_json_member_seconds(const kc_json_t *object, const char *name);
size_t kc_json_size(const kc_json_t *array_or_object);
const kc_json_t *kc_json_at(const kc_json_t *array, size_t index);
/* Calls visit for each member of an object, null ones too, in no particular order. */
void kc_json_each(const kc_json_t *object,
                  void (*visit)(void *context, const char *name, const kc_json_t *value),
                  void *context);
/* A scalar as text for a header: a string unchanged, numbers and booleans as JSON; NULL for
 * others. */
const char *kc_json_scalar_text(const kc_json_t *value, apr_pool_t *pool);
/* Compact JSON text in pool. */
char *kc_json_dump(const kc_json_t *value, apr_pool_t *pool);

/* Makes a new object; its memory is released with pool. */
kc_json_t *kc_json_new_object(apr_pool_t *pool);
/* With text NULL the member is left out. Text that is not UTF-8 is replaced by "?". */
void kc_json_set_string(kc_json_t *object, const char *name, const char *text);
void kc_json_set_integer(kc_json_t *object, const char *name, int64_t number);
/* Sets name to a deep copy of value. */
void kc_json_set_value(kc_json_t *object, const char *name, const kc_json_t *value);
void kc_json_set_boolean(kc_json_t *object, const char *name, int is_true);
/* Sets name to a new, empty array, which belongs to the object. */
kc_json_t *kc_json_set_array(kc_json_t *object, const char *name);
/* Appends to an array: a text (like kc_json_set_string), or a new object, which belongs to the
 * array. */
void kc_json_add_string(kc_json_t *array, const char *text);
kc_json_t *kc_json_add_object(kc_json_t *array);

#endif
