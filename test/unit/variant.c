/* JSON objects that differ from another in one member.
 * SPDX-License-Identifier: Apache-2.0 */
#include "variant.h"

#include <apr_strings.h>
#include <check.h>
#include <string.h>

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
                             kc_buf_copy(dump + 1, strlen(dump) - 2, testlib_pool), NULL);
}

const kc_json_t *variant_json(const char *text)
{
    const kc_json_t *value = NULL;

    ck_assert_msg(kc_json_parse(text, strlen(text), testlib_pool, &value, NULL) == KC_OK, "%s",
                  text);
    return value;
}

const char *variant_text(char c, int count)
{
    char *text = apr_palloc(testlib_pool, (size_t)count + 3);

    memset(text, c, (size_t)count + 2);
    text[0] = text[count + 1] = '"';
    text[count + 2] = '\0';
    return text;
}

const char *variant_of(const char *object, const char *name, const char *value)
{
    copy_t copy = {name, ""};

    if (!name)
        return object;
    kc_json_each(variant_json(object), copy_member, &copy);
    if (value)
        copy.text = apr_pstrcat(testlib_pool, copy.text, *copy.text ? "," : "", "\"", name,
                                "\":", value, NULL);
    return apr_pstrcat(testlib_pool, "{", copy.text, "}", NULL);
}
