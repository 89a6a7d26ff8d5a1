/* The check of the realm's keys.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_keys.h"

#include <apr_strings.h>
#include <string.h>

#include "base/json.h"
#include "check/check_call.h"
#include "conf/conf.h"
#include "crypto/jwks.h"

/* Algorithms, as lists of words. */
typedef struct {
    const char *allowed;
    const char *refused;
    int nameless; /* keys that name none */
} algorithms_t;

static int has_word(const char *list, const char *word)
{
    const size_t len = strlen(word);
    const char *at = list;

    while ((at = strstr(at, word)) != NULL) {
        if ((at == list || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
            return 1;
        at += len;
    }
    return 0;
}

static void add(const char **list, const char *word, apr_pool_t *pool)
{
    if (!has_word(*list, word))
        *list = apr_pstrcat(pool, *list, **list ? " " : "", word, NULL);
}

/* Keys for encryption sign nothing. */
static algorithms_t algorithms_of(const kc_check_t *check, const kc_json_t *document)
{
    const kc_json_t *keys = kc_json_member(document, "keys");
    algorithms_t found = {"", "", 0};
    size_t i;

    for (i = 0; i < kc_json_size(keys); i++) {
        const kc_json_t *key = kc_json_at(keys, i);
        const char *use = kc_json_member_string(key, "use");
        const char *alg = kc_json_member_string(key, "alg");

        if (use && strcmp(use, "sig") != 0)
            continue;
        if (!alg)
            found.nameless++;
        else if (kc_conf_table_is_allowed(check->rp->conf, alg))
            add(&found.allowed, alg, check->pool);
        else
            add(&found.refused, alg, check->pool);
    }
    return found;
}

static void tell_algorithms(const kc_check_t *check, const algorithms_t *found)
{
    kc_check_fault_t fault = {KC_CHECK_WARNING, "keys.algorithms", KC_ERR_TOKEN_ALG,
                              "add what the client's tokens are signed with to "
                              "KeycloakAlgorithms, or set the client's signature algorithm to one "
                              "that is allowed"};

    if (!*found->refused) {
        kc_check_report_ok(check->report, fault.name, "the realm signs with %s%s",
                           *found->allowed ? found->allowed : "keys that name no algorithm",
                           *found->allowed && found->nameless ? ", and a key that names none" : "");
        return;
    }
    if (!*found->allowed && !found->nameless)
        fault.outcome = KC_CHECK_FAILED;
    kc_check_report_add(check->report, &fault,
                        "the realm has keys for %s, which KeycloakAlgorithms does not allow; those "
                        "that it allows: %s",
                        found->refused, *found->allowed ? found->allowed : "none");
}

void kc_check_keys_ask(const kc_check_t *check)
{
    kc_check_fault_t fault = {KC_CHECK_FAILED, "keys.set", KC_ERR_KEYS,
                              "look at the realm's keys in Keycloak (realm settings, Keys)"};
    const kc_json_t *document;
    kc_http_response_t response;
    algorithms_t found;
    kc_jwks_t *keys;
    int is_odd;
    kc_err_t err = {0};

    if (kc_check_call_get(check, check->provider->jwks_uri, &response, &err) != KC_OK) {
        fault.reason = err.reason;
        kc_check_report_add(check->report, &fault, "the keys are not fetched: %s", err.detail);
        return;
    }
    if (response.status != 200 ||
        kc_json_parse(response.body, response.body_len, check->pool, &document, &err) != KC_OK) {
        kc_check_report_add(check->report, &fault, "%s answers with status %d%s%s",
                            check->provider->jwks_uri, response.status, *err.detail ? ": " : "",
                            err.detail);
        return;
    }
    found = algorithms_of(check, document);
    if (kc_jwks_parse(response.body, response.body_len, check->pool, &keys, &err) != KC_OK) {
        kc_check_report_add(check->report, &fault, "%s", err.detail);
        return;
    }
    fault.outcome = KC_CHECK_WARNING;
    if (*kc_jwks_left_out(keys, &is_odd) && is_odd)
        kc_check_report_add(check->report, &fault, "not used: %s", kc_jwks_left_out(keys, &is_odd));
    else
        kc_check_report_ok(check->report, fault.name, "keys that can verify signatures: %d",
                           (int)kc_jwks_count(keys));
    tell_algorithms(check, &found);
}
