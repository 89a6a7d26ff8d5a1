/* The module's HTML pages.
 * SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include <apr_strings.h>

#include "addresses.h"
#include "request.h"

#include "core/base/url.h"

static const char page_top[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>\n"
    "body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;"
    "background:#f4f6f8;color:#1c2733;font:16px/1.5 system-ui,sans-serif}\n"
    "main{min-width:0;max-width:34rem;overflow-wrap:anywhere;margin:1rem;padding:2rem "
    "2.5rem;background:#fff;border-radius:12px;"
    "border-top:6px solid #2b6cb0;box-shadow:0 2px 16px rgba(0,0,0,.08)}\n"
    "h1{margin:0 0 .75rem;font-size:1.35rem}\np{margin:.5rem 0}\n"
    "a,button{display:inline-block;margin:1rem .5rem 0 0;padding:.55rem 1.1rem;border-radius:8px;"
    "background:#2b6cb0;color:#fff;text-decoration:none;border:0;font:inherit;cursor:pointer}\n"
    "table{border-collapse:collapse;width:100%}tr{border-top:1px solid rgba(128,144,160,.35)}"
    "td{padding:.75rem 0}td+td{padding-left:1rem;text-align:right;vertical-align:top}"
    "td a,td button{margin:0;white-space:nowrap}\n"
    "small{display:block;margin-top:1.5rem;color:#5b6b7b}td small{margin-top:.15rem}\n"
    "code{font:.85rem ui-monospace,monospace}\n"
    "@media(prefers-color-scheme:dark){body{background:#12181f;color:#e6edf3}"
    "main{background:#1b232c}small{color:#93a1b0}}\n"
    "</style>\n<title>";

const char *akc_page_make(request_rec *r, const char *title, const char *html, const char *foot)
{
    return apr_pstrcat(r->pool, page_top, title, "</title>\n</head>\n<body>\n<main>\n<h1>", title,
                       "</h1>\n", html, foot, "</main>\n</body>\n</html>\n", NULL);
}

/* The URL that signs in and returns to this page. */
static const char *back_here(const akc_request_t *request, request_rec *r)
{
    int is_page = r->method_number == M_GET && !akc_addresses_is_ours(request->server, r);

    return apr_pstrcat(r->pool, request->server->conf->prefix,
                       "login?return=", kc_url_escape(is_page ? r->unparsed_uri : "/", r->pool),
                       NULL);
}

/* The account is refused, so signing in by Keycloak's session would lead here again. */
static int is_of_account(kc_reason_t reason)
{
    static const kc_reason_t reasons[] = {
        KC_ERR_FORBIDDEN,  KC_ERR_ROLES_UNKNOWN,  KC_ERR_USER_MISSING,     KC_ERR_USER_FORM,
        KC_ERR_USERINFO,   KC_ERR_TOKEN_WEAK,     KC_ERR_EMAIL_UNVERIFIED, KC_ERR_TOKEN_SUBJECT,
        KC_ERR_LOGIN_LOOP, KC_ERR_PROVIDER_ERROR, KC_ERR_TOKEN_CLAIM,      KC_ERR_TOKEN_SIZE,
        KC_ERR_STORE_VALUE};
    size_t i;

    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reason == reasons[i])
            return 1;
    }
    return 0;
}

/* The URL that logs out, at Keycloak as well, and then leads to its sign-in form. */
static const char *as_somebody_else(const akc_request_t *request, request_rec *r)
{
    const char *url =
        apr_pstrcat(r->pool, request->server->conf->prefix,
                    "logout?return=", kc_url_escape(back_here(request, r), r->pool), NULL);

    return apr_pstrcat(r->pool, "<a href=\"", ap_escape_html(r->pool, url),
                       "\">Sign in as another user</a>\n", NULL);
}

const char *akc_page_error(akc_request_t *request, request_rec *r, const kc_err_t *err)
{
    const kc_err_row_t *row = kc_err_row(err->reason);
    const char *says = "";

    if (err->reason == KC_ERR_FORBIDDEN || err->reason == KC_ERR_ROLES_UNKNOWN)
        says = apr_pstrcat(r->pool, "<p>You are signed in as <code>",
                           ap_escape_html(r->pool, request->access.session.user),
                           "</code>.</p>\n<a href=\"",
                           ap_escape_html(r->pool, request->server->conf->prefix),
                           "logout\">Sign out</a>\n", NULL);
    if (err->reason == KC_ERR_PROVIDER_ERROR)
        says = apr_pstrcat(r->pool, "<p>It says: <code>", ap_escape_html(r->pool, err->detail),
                           "</code></p>\n", NULL);
    if (row->status == HTTP_UNAUTHORIZED)
        says =
            apr_pstrcat(r->pool, says, "<a href=\"", ap_escape_html(r->pool, back_here(request, r)),
                        "\">Sign in</a>\n", NULL);
    if (is_of_account(err->reason))
        says = apr_pstrcat(r->pool, says, as_somebody_else(request, r), NULL);
    return akc_page_make(r, row->sentence,
                         apr_pstrcat(r->pool, "<p>", row->advice, "</p>\n", says, NULL),
                         apr_pstrcat(r->pool, "<a href=\"/\">Start page</a>\n<small>Tag <code>",
                                     row->tag, "</code> &middot; request <code>",
                                     ap_escape_html(r->pool, akc_request_id(request, r)),
                                     "</code></small>\n", NULL));
}
