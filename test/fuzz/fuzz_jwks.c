/* Fuzz target: key sets. Accepted sets have keys that fit known algorithms.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <stdlib.h>

#include "crypto/jwks.h"
#include "reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TAKEN, SELECTED };

reach_t reach[] = {{"key set taken", 0}, {"key selected", 0}, {NULL, 0}};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return apr_initialize() != APR_SUCCESS;
}

static void ask(const kc_jwks_t *keys, const char *alg, const char *kid)
{
    const kc_jose_key_t *key;
    kc_err_t err = {0};
    kc_rc_t rc = kc_jwks_select(keys, alg, kid, &key, &err);

    if ((rc == KC_OK) != (key != NULL) || (rc != KC_OK && err.reason == KC_ERR_NONE))
        abort();
    if (key)
        reach_note(SELECTED);
    if (key && !kc_jose_key_fits(key, alg))
        abort();
}

static void ask_all(const kc_jwks_t *keys)
{
    static const char *const algs[] = {"RS256", "RS512", "PS256", "ES256",
                                       "ES384", "ES512", "HS256", "none"};
    size_t i;

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        ask(keys, algs[i], NULL);
        ask(keys, algs[i], "a");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool;
    kc_jwks_t *keys;
    kc_err_t err;
    kc_rc_t rc;

    if (apr_pool_create(&pool, NULL) != APR_SUCCESS)
        abort();
    rc = kc_jwks_parse((const char *)data, size, pool, &keys, &err);
    if (rc == KC_OK) {
        reach_note(TAKEN);
        if (!kc_jwks_count(keys) || KC_JWKS_KEYS_MAX < kc_jwks_count(keys))
            abort();
        ask_all(keys);
    } else if (rc != KC_REFUSED || keys || err.reason != KC_ERR_KEYS) {
        abort();
    }
    apr_pool_destroy(pool);
    return 0;
}
