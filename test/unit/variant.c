/* JSON objects that differ from another in one member.
 * SPDX-License-Identifier: Apache-2.0 */
#include "variant.h"

#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "json.h"
#include "testlib.h"

typedef struct {
    const char *left_out;
    const char *text;
} copy_t;

static void copy_member(void *context, const char *name, const kc_json_t *value)
{
    copy_t *copy = context;
    kc_json_t *single;
    const char *dump;

    if (!strcmp(name, copy->left_out))
        return;
    single = kc_json_new_object(testlib_pool);
    kc_json_set_value(single, name, value);
    dump = kc_json_dump(single, testlib_pool);
    copy->text = apr_pstrcat(testlib_pool, copy->text, *copy->text ? "," : "",
                             apr_pstrmemdup(testlib_pool, dump + 1, strlen(dump) - 2), NULL);
}

const char *variant_of(const char *object, const char *name, const char *value)
{
    copy_t copy = {name, ""};
    const kc_json_t *json;

    if (!name)
        return object;
    ck_assert_int_eq(kc_json_parse(object, strlen(object), testlib_pool, &json, NULL), KC_OK);
    kc_json_each(json, copy_member, &copy);
    if (value)
        copy.text = apr_pstrcat(testlib_pool, copy.text, *copy.text ? "," : "", "\"", name,
                                "\":", value, NULL);
    return apr_pstrcat(testlib_pool, "{", copy.text, "}", NULL);
}
