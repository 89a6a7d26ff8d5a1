/* Fuzzes URLs and the check of return URLs: a result never leads to a host that is not listed.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "base/query.h"
#include "base/url.h"
#include "input.h"
#include "reach.h"

enum { PARSED, RETURNED };

reach_t reach[] = {{"address parsed", 0}, {"return address taken", 0}, {NULL, 0}};

#define SITE "https://good.example"
#define LISTED "https://portal.example:8443"

static int begins(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

static void check_parse(const char *text, apr_pool_t *pool)
{
    kc_err_t err = {0};
    kc_url_t url, again;

    if (kc_url_parse(text, pool, &url, &err) != KC_OK) {
        HOLDS(err.reason == KC_ERR_CONFIG && *err.detail);
        return;
    }
    reach_note(PARSED);
    HOLDS(!strcmp(url.scheme, "http") || !strcmp(url.scheme, "https"));
    HOLDS(*url.host && !strpbrk(url.host, "@/\\?#% ") && *url.path == '/');
    HOLDS(url.port > 0 && url.port < 65536);
    /* What was understood is written so that it is understood again. */
    HOLDS(kc_url_parse(kc_url_rebase(&url, &url, pool), pool, &again, NULL) == KC_OK ||
          strlen(text) > KC_URL_MAX - 8);
    HOLDS(strlen(text) > KC_URL_MAX - 8 ||
          (kc_url_is_same_origin(&url, &again) && !strcmp(url.path, again.path)));
}

static void check_path(const char *path)
{
    HOLDS(path[0] == '/' && path[1] != '/' && path[1] != '\\');
    HOLDS(!begins(path, "/%2f") && !begins(path, "/%2F") && !begins(path, "/%5c") &&
          !begins(path, "/%5C") && !begins(path, "/%09"));
    for (const char *c = path; *c; c++)
        HOLDS(*c > ' ' && *c <= '~' && *c != '#');
    HOLDS(strcspn(path, "\\") >= strcspn(path, "?"));
}

static void check_return(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *hosts = apr_array_make(pool, 1, (int)sizeof(const char *));
    const char *result;

    APR_ARRAY_PUSH(hosts, const char *) = "portal.example:8443";
    result = kc_url_return(text, SITE, hosts, pool);
    if (begins(result, SITE))
        result += strlen(SITE);
    else if (begins(result, LISTED))
        result += strlen(LISTED);
    if (strcmp(result, "/") != 0)
        reach_note(RETURNED);
    check_path(result);
    check_path(kc_url_return(text, NULL, NULL, pool));
}

/* What is escaped into a query comes out of it again. */
static void check_escape(const char *text, apr_pool_t *pool)
{
    const kc_query_t *query;
    const char *value = "";
    const char *escaped = apr_pstrcat(pool, "v=", kc_url_escape(text, pool), NULL);

    if (kc_query_parse(escaped, pool, &query, NULL) == KC_OK)
        HOLDS(kc_query_single(query, "v", &value, NULL) == KC_OK && !strcmp(value, text));
}

static void check_text(const char *text, apr_pool_t *pool)
{
    check_parse(text, pool);
    check_return(text, pool);
    check_escape(text, pool);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return input_start();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return input_text(data, size, check_text);
}
