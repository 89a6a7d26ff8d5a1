/* Fuzz target: JSON texts. Accepted texts can be read, dumped and parsed again.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PARSED };

reach_t reach[] = {{"text parsed", 0}, {NULL, 0}};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return apr_initialize() != APR_SUCCESS;
}

static void visit(void *context, const char *name, const kc_json_t *value)
{
    int64_t number;
    size_t i;

    if (!name || !value)
        abort();
    if (kc_json_string(value) && kc_json_type(value) != KC_JSON_STRING)
        abort();
    (void)kc_json_integer(value, &number);
    (void)kc_json_scalar_text(value, context);
    for (i = 0; kc_json_type(value) == KC_JSON_ARRAY && i < kc_json_size(value); i++) {
        if (!kc_json_at(value, i))
            abort();
    }
    kc_json_each(value, visit, context);
}

static void read_all(const kc_json_t *root, const char *input, apr_pool_t *pool)
{
    const kc_json_t *again;
    kc_json_t *copy = kc_json_new_object(pool);
    char *text = kc_json_dump(root, pool);

    reach_note(PARSED);
    kc_json_each(root, visit, pool);
    (void)kc_json_path(root, input);
    kc_json_set_value(copy, "copy", root);
    /* Escapes may make a text longer than may be read; then there is nothing to compare. */
    if (KC_JSON_TEXT_MAX < strlen(text))
        return;
    if (kc_json_parse(text, strlen(text), pool, &again, NULL) != KC_OK ||
        strcmp(kc_json_dump(again, pool), text) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const kc_json_t *root;
    apr_pool_t *pool;
    kc_err_t err;
    kc_rc_t rc;

    if (apr_pool_create(&pool, NULL) != APR_SUCCESS)
        abort();
    rc = kc_json_parse((const char *)data, size, pool, &root, &err);
    if (rc == KC_OK)
        read_all(root, kc_buf_copy(data, size, pool), pool);
    else if (rc != KC_REFUSED || root || err.reason != KC_ERR_JSON)
        abort();
    apr_pool_destroy(pool);
    return 0;
}
