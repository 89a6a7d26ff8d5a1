/* Fuzz target: lines of directives, set and then checked together. Accepted settings make a relying
 * party.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <apr_strings.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/conf_check.h"
#include "reach.h"
#include "rp.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SET, ACCEPTED, REFUSED, MADE };

reach_t reach[] = {{"directive set", 0},
                   {"settings accepted", 0},
                   {"settings refused", 0},
                   {"relying party made", 0},
                   {NULL, 0}};

enum { ARGUMENTS_MAX = 8 };

static const char minimal[] = "KeycloakIssuer https://id.example.com/realms/r\n"
                              "KeycloakClientID app\nKeycloakClientSecret secret\n"
                              "KeycloakCryptoKey env:FUZZ_KEY\n";
static const char *const seeds[] = {
    "",
    "KeycloakMemcached a:11211 b\nKeycloakCookieDomain example.com\nKeycloakSessionIdle 5m\n",
    "KeycloakIssuer http://id.example.com/realms/r\n",
    "KeycloakCookie __Host-x\nKeycloakPrefix /a/\n",
    "KeycloakHeader X-Name name\nKeycloakUserTransform ^(.*)@.*$ \\1\nKeycloakScopes openid "
    "email\n",
    "KeycloakRedirectURI https://site.example.com/cb\nKeycloakPublicURL "
    "https://site.example.com\n"};

static void need(int is_right)
{
    if (!is_right)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char name[2] = "a";
    size_t i;

    (void)argc;
    (void)argv;
    need(apr_initialize() == APR_SUCCESS);
    need(setenv("FUZZ_KEY", "0123456789abcdef0123456789abcdef", 1) == 0);
    for (i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++, name[0]++)
        reach_seed(name, seeds[i], strlen(seeds[i]));
    return 0;
}

/* Files and commands are not for inputs that nobody has seen. */
static int is_harmless(const char *text)
{
    return strncmp(text, "exec:", 5) != 0 && strncmp(text, "file:", 5) != 0 && text[0] != '|';
}

static void set_line(kc_conf_t *conf, char *line, apr_pool_t *pool)
{
    const char *words[ARGUMENTS_MAX];
    char *state = NULL, *name = apr_strtok(line, " ", &state), *word;
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};
    kc_conf_index_t index;
    int count = 0;

    while (name && count < ARGUMENTS_MAX && (word = apr_strtok(NULL, " ", &state))) {
        if (!is_harmless(word))
            return;
        words[count++] = word;
    }
    for (index = 0; name && index < KC_CONF_ROWS; index++) {
        if (strcmp(kc_conf_table_row(index)->name, name) != 0 ||
            kc_conf_table_row(index)->is_directory)
            continue;
        if (kc_conf_set(conf, index, count, words, "fuzz.conf", 1, pool, &err) == KC_OK)
            reach_note(SET);
        else
            need(err.reason == KC_ERR_CONFIG && err.detail[0]);
    }
}

static void set_lines(kc_conf_t *conf, char *text, apr_pool_t *pool)
{
    char *state = NULL, *line;

    for (line = apr_strtok(text, "\n", &state); line; line = apr_strtok(NULL, "\n", &state))
        set_line(conf, line, pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};
    kc_conf_index_t index = KC_CONF_ROWS;
    apr_pool_t *pool;
    kc_seal_keys_t *keys;
    kc_conf_t *conf;
    kc_rp_t *rp;

    need(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    conf = kc_conf_create(pool);
    set_lines(conf, apr_pstrdup(pool, minimal), pool);
    set_lines(conf, kc_buf_copy(data, size, pool), pool);
    if (kc_conf_check_all(conf, &index, pool, &err) == KC_OK) {
        reach_note(ACCEPTED);
        if (conf->crypto_key && kc_rp_keys_make(conf->crypto_key, pool, &keys, &err) == KC_OK &&
            kc_rp_create(conf, keys, pool, &rp, &err) == KC_OK)
            reach_note(MADE);
    } else {
        reach_note(REFUSED);
        need(err.reason == KC_ERR_CONFIG && err.detail[0] && index < KC_CONF_ROWS);
    }
    apr_pool_destroy(pool);
    return 0;
}
