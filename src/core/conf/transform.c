/* Transforms: compiling, applying and printing them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/transform.h"

#include <regex.h>
#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>

enum { GROUPS = 10 /* \0 to \9 */ };

/* ---------------------------------------------------------------- making */

static kc_rc_t refuse(kc_err_t *err, const char *why)
{
    return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "%s", why);
}

static apr_status_t free_regex(void *data)
{
    regfree(data);
    return APR_SUCCESS;
}

/* A group that the expression lacks would silently make names empty. */
static kc_rc_t check_replacement(const char *text, size_t groups, kc_err_t *err)
{
    for (const char *c = text; *c; c++) {
        if (*c != '\\')
            continue;
        c++;
        if (*c == '\0' || (*c != '\\' && !apr_isdigit(*c)))
            return refuse(err, "the replacement has a backslash that is followed by neither a "
                               "digit nor a backslash");
        if (apr_isdigit(*c) && (size_t)(*c - '0') > groups)
            return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG,
                           "the replacement names group \\%c, the expression has %d", *c,
                           (int)groups);
    }
    return KC_OK;
}

kc_rc_t kc_transform_make(int argc, const char *const *argv, apr_pool_t *pool, kc_transform_t *out,
                          kc_err_t *err)
{
    regex_t *regex = apr_pcalloc(pool, sizeof(*regex));
    char why[100];
    int status;

    memset(out, 0, sizeof(*out));
    if (argc == 1 && !strcasecmp(argv[0], "lower"))
        return KC_OK;
    if (argc != 2)
        return refuse(err, "takes lower, or an expression and its replacement");
    status = regcomp(regex, argv[0], REG_EXTENDED);
    if (status != 0) {
        (void)regerror(status, regex, why, sizeof(why));
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "the expression '%.100s' is not valid: %s",
                       argv[0], why);
    }
    apr_pool_cleanup_register(pool, regex, free_regex, apr_pool_cleanup_null);
    out->regex = regex;
    out->pattern = apr_pstrdup(pool, argv[0]);
    out->replacement = apr_pstrdup(pool, argv[1]);
    return check_replacement(argv[1], regex->re_nsub, err);
}

int kc_transform_is_complete(const apr_array_header_t *list)
{
    return list && list->nelts && !APR_ARRAY_IDX(list, list->nelts - 1, kc_transform_t).pattern;
}

/* ---------------------------------------------------------------- applying */

static const char *lower(const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text);

    /* Only ASCII: the result must not depend on the locale at the server's start. */
    for (char *c = copy; *c; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    return copy;
}

/* Writes the replacement with its groups filled in to out; with out NULL it only counts. */
static size_t expand(const char *replacement, const char *text, const regmatch_t *groups, char *out)
{
    size_t len = 0;

    for (const char *c = replacement; *c; c++) {
        const char *from = c;
        size_t count = 1;

        if (*c == '\\' && c[1] >= '0' && c[1] <= '9') {
            const regmatch_t *group = &groups[*++c - '0'];

            from = group->rm_so < 0 ? text : text + group->rm_so;
            count = group->rm_so < 0 ? 0 : (size_t)(group->rm_eo - group->rm_so);
        } else if (*c == '\\' && c[1]) {
            from = ++c;
        }
        if (out)
            memcpy(out + len, from, count);
        len += count;
    }
    return len;
}

static const char *replace(const char *replacement, const char *text, const regmatch_t *groups,
                           apr_pool_t *pool)
{
    size_t before = (size_t)groups[0].rm_so;
    size_t middle = expand(replacement, text, groups, NULL);
    size_t after = strlen(text + groups[0].rm_eo);
    char *out = apr_palloc(pool, before + middle + after + 1);

    memcpy(out, text, before);
    expand(replacement, text, groups, out + before);
    memcpy(out + before + middle, text + groups[0].rm_eo, after + 1);
    return out;
}

const char *kc_transform_apply(const apr_array_header_t *list, const char *text, apr_pool_t *pool)
{
    regmatch_t groups[GROUPS];

    for (int i = 0; list && i < list->nelts; i++) {
        const kc_transform_t *transform = &APR_ARRAY_IDX(list, i, kc_transform_t);

        if (!transform->pattern)
            return lower(text, pool);
        if (regexec(transform->regex, text, GROUPS, groups, 0) == 0)
            return replace(transform->replacement, text, groups, pool);
    }
    return text;
}

/* ---------------------------------------------------------------- printing */

const char *kc_transform_dump(const apr_array_header_t *list, apr_pool_t *pool)
{
    const char *out = NULL;

    for (int i = 0; list && i < list->nelts; i++) {
        const kc_transform_t *transform = &APR_ARRAY_IDX(list, i, kc_transform_t);

        out = apr_pstrcat(pool, out ? out : "", out ? ", " : "",
                          transform->pattern ? transform->pattern : "lower",
                          transform->pattern ? " " : "",
                          transform->pattern ? transform->replacement : "", NULL);
    }
    return out;
}
