/* Strict JSON: everything from Keycloak is parsed here. The only user of jansson.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <apr_strings.h>
#include <jansson.h>
#include <string.h>

enum {
    NAME_SIZE = 256 /* bytes of one name in a path, including the closing NUL */
};

#define SECONDS_MAX INT64_C(253402300799)

/* The largest integer up to which a real number is exact. */
static const double INTEGRAL_MAX = 9007199254740992.0;

/* kc_json_t is another name for jansson's json_t. jansson reads through pointers that are not
 * const, although reading changes nothing. */
static json_t *inner(const kc_json_t *value)
{
    return (json_t *)(uintptr_t)value;
}

static const kc_json_t *outer(const json_t *value)
{
    return (const kc_json_t *)(const void *)value;
}

static apr_status_t release(void *data)
{
    json_decref(data);
    return APR_SUCCESS;
}

static void keep(json_t *root, apr_pool_t *pool)
{
    apr_pool_cleanup_register(pool, root, release, apr_pool_cleanup_null);
}

/* ---------------------------------------------------------------- parsing */

/* How deep text is nested at most. jansson recurses, so this is checked first. For text that is
 * not JSON the result is meaningless; then jansson refuses it, and never goes deeper than this
 * count. */
static size_t depth_of(const char *text, size_t len)
{
    size_t depth = 0, deepest = 0, i;
    int is_string = 0;

    for (i = 0; i < len; i++) {
        char letter = text[i];

        if (is_string) {
            if (letter == '\\')
                i++;
            else if (letter == '"')
                is_string = 0;
        } else if (letter == '"') {
            is_string = 1;
        } else if (letter == '{' || letter == '[') {
            if (deepest < ++depth)
                deepest = depth;
        } else if ((letter == '}' || letter == ']') && depth) {
            depth--;
        }
    }
    return deepest;
}

/* jansson's own message quotes the text, which may be a token. So only the kind of error is
 * reported. */
static const char *kind_of(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_invalid_utf8:
        return "invalid UTF-8";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a NUL character";
    case json_error_duplicate_key:
        return "a member that appears twice";
    case json_error_numeric_overflow:
        return "a number out of range";
    case json_error_premature_end_of_input:
        return "it ends too early";
    case json_error_end_of_input_expected:
        return "something after its end";
    case json_error_out_of_memory:
        return "no memory";
    default:
        return "a syntax error";
    }
}

kc_rc_t kc_json_parse(const char *text, size_t len, apr_pool_t *pool, const kc_json_t **out,
                      kc_err_t *err)
{
    json_error_t error;
    json_t *root;

    *out = NULL;
    if (KC_JSON_TEXT_MAX < len)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_JSON, "JSON text of more than %d bytes",
                       KC_JSON_TEXT_MAX);
    if (!text || !len)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_JSON, "an empty text where JSON was expected");
    if (KC_JSON_DEPTH_MAX < depth_of(text, len))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_JSON, "JSON text nested deeper than %d",
                       KC_JSON_DEPTH_MAX);
    root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_JSON, "invalid JSON text: %s at byte %d",
                       kind_of(&error), error.position);
    keep(root, pool);
    if (!json_is_object(root))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_JSON, "the JSON text is not an object");
    *out = outer(root);
    return KC_OK;
}

/* ---------------------------------------------------------------- reading */

const kc_json_t *kc_json_member(const kc_json_t *object, const char *name)
{
    const json_t *value = name ? json_object_get(inner(object), name) : NULL;

    return json_is_null(value) ? NULL : outer(value);
}

int kc_json_has(const kc_json_t *object, const char *name)
{
    return json_object_get(inner(object), name) != NULL;
}

/* Copies the first name of a path to name. Returns what follows it: after its dot, or the end. NULL
 * when the name is too long. */
static const char *first_name(const char *path, char name[NAME_SIZE])
{
    size_t len = 0;

    for (; *path && *path != '.'; path++) {
        if (path[0] == '\\' && path[1] == '.')
            path++;
        if (len == NAME_SIZE - 1)
            return NULL;
        name[len++] = *path;
    }
    name[len] = '\0';
    return path;
}

const kc_json_t *kc_json_path(const kc_json_t *object, const char *path)
{
    const kc_json_t *value = kc_json_member(object, path);
    char name[NAME_SIZE];

    if (value || !path)
        return value;
    for (value = object; value; path++) {
        path = first_name(path, name);
        if (!path)
            return NULL;
        value = kc_json_member(value, name);
        if (!*path)
            return value;
    }
    return NULL;
}

kc_json_type_t kc_json_type(const kc_json_t *value)
{
    if (!value)
        return KC_JSON_NULL;
    switch (json_typeof(inner(value))) {
    case JSON_OBJECT:
        return KC_JSON_OBJECT;
    case JSON_ARRAY:
        return KC_JSON_ARRAY;
    case JSON_STRING:
        return KC_JSON_STRING;
    case JSON_INTEGER:
        return KC_JSON_INTEGER;
    case JSON_REAL:
        return KC_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return KC_JSON_BOOLEAN;
    case JSON_NULL:
        break;
    }
    return KC_JSON_NULL;
}

int kc_json_is_true(const kc_json_t *value)
{
    return json_is_true(inner(value));
}

const char *kc_json_string(const kc_json_t *value)
{
    return json_string_value(inner(value));
}

const char *kc_json_member_string(const kc_json_t *object, const char *name)
{
    return kc_json_string(kc_json_member(object, name));
}

int kc_json_integer(const kc_json_t *value, int64_t *out)
{
    double real;

    if (json_is_integer(inner(value))) {
        *out = (int64_t)json_integer_value(inner(value));
        return 1;
    }
    if (!json_is_real(inner(value)))
        return 0;
    real = json_real_value(inner(value));
    /* Checked before the cast: a cast out of range is undefined. */
    if (!(-INTEGRAL_MAX <= real && real <= INTEGRAL_MAX))
        return 0;
    if ((double)(int64_t)real < real || real < (double)(int64_t)real)
        return 0;
    *out = (int64_t)real;
    return 1;
}

int kc_json_seconds(const kc_json_t *value, int64_t *out)
{
    double real = json_is_real(inner(value)) ? json_real_value(inner(value)) : -1;
    int64_t whole = json_is_integer(inner(value)) ? (int64_t)json_integer_value(inner(value)) : -1;

    /* Checked before the cast: a cast out of range is undefined. */
    if (0 <= real && real < (double)(SECONDS_MAX + 1))
        whole = (int64_t)real;
    if (whole < 0 || SECONDS_MAX < whole)
        return 0;
    *out = whole;
    return 1;
}

int64_t kc_json_member_seconds(const kc_json_t *object, const char *name)
{
    int64_t seconds = 0;

    (void)kc_json_seconds(kc_json_member(object, name), &seconds);
    return seconds;
}

size_t kc_json_size(const kc_json_t *array_or_object)
{
    if (json_is_array(inner(array_or_object)))
        return json_array_size(inner(array_or_object));
    return json_object_size(inner(array_or_object));
}

const kc_json_t *kc_json_at(const kc_json_t *array, size_t index)
{
    return outer(json_array_get(inner(array), index));
}

void kc_json_each(const kc_json_t *object,
                  void (*visit)(void *context, const char *name, const kc_json_t *value),
                  void *context)
{
    const char *name;
    json_t *value;

    json_object_foreach(inner(object), name, value) visit(context, name, outer(value));
}

const char *kc_json_scalar_text(const kc_json_t *value, apr_pool_t *pool)
{
    switch (kc_json_type(value)) {
    case KC_JSON_STRING:
        return apr_pstrdup(pool, kc_json_string(value));
    case KC_JSON_BOOLEAN:
    case KC_JSON_INTEGER:
    case KC_JSON_REAL:
        return kc_json_dump(value, pool);
    default:
        return NULL;
    }
}

char *kc_json_dump(const kc_json_t *value, apr_pool_t *pool)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    size_t size = value ? json_dumpb(inner(value), NULL, 0, flags) : 0;
    char *text;

    if (!size)
        return apr_pstrdup(pool, "null");
    text = apr_palloc(pool, size + 1);
    (void)json_dumpb(inner(value), text, size, flags);
    text[size] = '\0';
    return text;
}

/* ---------------------------------------------------------------- building */

kc_json_t *kc_json_new_object(apr_pool_t *pool)
{
    json_t *root = json_object();

    keep(root, pool);
    return (kc_json_t *)(void *)root;
}

void kc_json_set_string(kc_json_t *object, const char *name, const char *text)
{
    json_t *value;

    if (!text)
        return;
    value = json_string(text);
    (void)json_object_set_new(inner(object), name, value ? value : json_string("?"));
}

void kc_json_set_integer(kc_json_t *object, const char *name, int64_t number)
{
    (void)json_object_set_new(inner(object), name, json_integer(number));
}

void kc_json_set_value(kc_json_t *object, const char *name, const kc_json_t *value)
{
    (void)json_object_set_new(inner(object), name, json_deep_copy(inner(value)));
}

void kc_json_set_boolean(kc_json_t *object, const char *name, int is_true)
{
    (void)json_object_set_new(inner(object), name, json_boolean(is_true));
}

kc_json_t *kc_json_set_array(kc_json_t *object, const char *name)
{
    json_t *array = json_array();

    (void)json_object_set_new(inner(object), name, array);
    return (kc_json_t *)(void *)array;
}

void kc_json_add_string(kc_json_t *array, const char *text)
{
    json_t *value = json_string(text);

    (void)json_array_append_new(inner(array), value ? value : json_string("?"));
}

kc_json_t *kc_json_add_object(kc_json_t *array)
{
    json_t *object = json_object();

    (void)json_array_append_new(inner(array), object);
    return (kc_json_t *)(void *)object;
}
