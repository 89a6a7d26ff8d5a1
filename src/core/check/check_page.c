/* What a page of Keycloak says.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_page.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Text up to the end of the element, in which other elements are not looked for. */
static const char *copy(const char *from, apr_pool_t *pool)
{
    char text[KC_CHECK_PAGE_MAX];
    size_t len = 0;

    for (; *from && *from != '<' && len < sizeof(text); from++) {
        const char c = (char)(is_blank(*from) ? ' ' : *from);

        if (c != ' ' || (len && text[len - 1] != ' '))
            text[len++] = c;
    }
    while (len && text[len - 1] == ' ')
        len--;
    return kc_buf_copy(text, len, pool);
}

/* What Keycloak answers to programs; NULL: this is no JSON object. */
static const char *said_in_json(const kc_http_response_t *response, apr_pool_t *pool)
{
    const char *error, *description;
    const kc_json_t *body;

    if (kc_json_parse(response->body, response->body_len, pool, &body, NULL) != KC_OK)
        return NULL;
    error = kc_json_member_string(body, "error");
    description = kc_json_member_string(body, "error_description");
    return copy(description ? description : error ? error : "", pool);
}

const char *kc_check_page_text(const kc_http_response_t *response, apr_pool_t *pool)
{
    const char *told = said_in_json(response, pool);
    static const char *const marks[] = {"class=\"instruction\"", "id=\"kc-error-message\""};
    size_t i;

    if (told)
        return told;
    for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        const char *at = strstr(response->body, marks[i]);

        for (at = at ? strchr(at, '>') : NULL; at; at = strchr(at + 1, '>')) {
            const char *text = copy(at + 1, pool);

            if (*text)
                return text;
        }
    }
    return "";
}
